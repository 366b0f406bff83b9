"""The model of the paper: fusion, partlets, matching, losses, metrics and training."""
