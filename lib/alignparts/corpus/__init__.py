"""Shapes with named parts: read from data sets, written as one corpus, split and compared.

A shape goes through these types, and no others:

- ``trimesh.Scene``: a foreign file as trimesh read it; only :mod:`mesh.scene` and readers see it.
- :class:`mesh.surface.Surface`: the one geometry, triangles with part instances and colors; a cloud is a
  surface of surfels.
- :class:`mesh.meshio.InputMesh`: a user's file, scene and surface; ``alignparts name`` writes its materials.
- :class:`shape.LabeledShape`: a surface with ids and part names. Readers return it, writers take it.
- :class:`shape.Cloud`: the points of a labeled shape that has no mesh.
- :class:`mesh.sampling.Sample`: points drawn from a surface, the input of a model.

``mesh`` knows geometry and files alone, ``readers`` and ``writers`` the data sets; :mod:`ingest` makes a
:class:`index.Corpus` of the shapes that readers yield, :mod:`embedded` generates the default ones.
"""
