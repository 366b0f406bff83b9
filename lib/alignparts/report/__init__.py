"""Figures, plots, the README's tables and the site, all from the tables of the evaluation."""
