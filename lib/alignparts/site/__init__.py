"""The static site ``build/site``: declaration of its pages, tables and chapters as HTML, and the build."""
