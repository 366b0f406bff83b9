"""Pictures of shapes and parts: polyscope drawings, galleries of rows, their 3D pages, colors of names."""
