"""Shapes with named parts: read from the data sets' own formats, written as one corpus, split and compared.

A shape goes through these types, and no others:

- ``trimesh.Scene``: a file of others as trimesh read it; only :mod:`mesh.scene` and readers see it.
- :class:`mesh.surface.Surface`: the one geometry, triangles with part instances and colors; all else is made
  of it. A cloud is a surface of surfels.
- :class:`mesh.meshio.InputMesh`: a user's file, a scene with its surface; the scene is kept, as what
  ``alignparts name`` writes has the input's own materials.
- :class:`shape.LabeledShape`: a surface with ids and part names. Readers return it, writers take it.
- :class:`shape.Cloud`: the source's own points of a labeled shape that has no mesh.
- :class:`mesh.sampling.Sample`: points drawn from a surface, which is what a model sees.

``mesh`` knows geometry and files alone, ``readers`` and ``writers`` the data sets; :mod:`ingest` makes a
:class:`index.Corpus` of what readers find, :mod:`embedded` what they find by default.
"""
