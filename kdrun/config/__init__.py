"""Configuration: YAML files in conf/, composed by Hydra, checked by a frozen schema. No torch, no pandas."""
