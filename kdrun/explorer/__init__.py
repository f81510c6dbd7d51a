"""The temperature explorer: what a teacher knows beyond its answer, on real examples, as page, CSV and terminal text."""
