"""Geometry and appearance of points: PartField, DINOv2, their small trainings, and the store of features."""
