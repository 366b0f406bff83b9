"""Pages that show the parts of named meshes in a browser: one file each; nothing is fetched or served."""
