"""Experiments of the paper, one module per table or section, and some beyond it."""
