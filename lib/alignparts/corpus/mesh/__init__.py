"""Geometry: surfaces, the files they come from and go to, samples, pictures and labels of their faces."""
