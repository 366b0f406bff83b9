"""Tex-Parts: from raw meshes to a reviewed, named data set (section 13)."""
