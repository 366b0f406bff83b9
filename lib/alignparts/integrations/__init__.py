"""ALIGN-Parts in other programs: an add-on for Blender, and both kinds of models as ONNX files."""
