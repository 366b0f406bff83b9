"""Names for parts: inference in three modes, confidence, the pipeline from a mesh, files of named parts."""
