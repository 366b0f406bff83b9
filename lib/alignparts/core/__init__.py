"""Foundations of all rooms: errors, files, settings, the start of a stage, checkpoints, training."""
