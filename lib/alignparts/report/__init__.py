"""Figures, plots and the README's tables, all from the tables of the evaluation."""
