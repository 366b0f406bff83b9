"""Patches of a surface: what the mesh itself says about where parts begin (not in the paper)."""
