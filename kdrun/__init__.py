"""kdrun: knowledge-distillation experiments from the command line."""

__version__ = "0.2.0.dev0"
