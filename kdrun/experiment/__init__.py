"""One RunSpec -> objects -> fit -> a finished run. The only package that instantiates what a configuration names."""
