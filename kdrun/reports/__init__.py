"""Reports: tables, sentences and pictures, made from the CSV files of a report's folder and nothing else."""
