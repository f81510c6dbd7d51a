"""The temperature explorer: what a teacher knows beyond its answer, as page, CSV and terminal text."""
