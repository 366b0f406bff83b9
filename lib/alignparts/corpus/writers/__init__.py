"""Shapes written to disk in the data sets' own formats, so that the readers have something to read."""
