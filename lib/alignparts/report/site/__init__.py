"""The static site ``reports/site``: declaration of its pages, tables as HTML, and the build."""
