"""PartNet v0: trees of names over untextured OBJ files, colors from the colored point samples."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.bake import bake_points
from alignparts.corpus.mesh.surface import Surface, join_surfaces, make_surface
from alignparts.corpus.readers.common import Locator, read_numbers
from alignparts.corpus.readers.partnet_labels import Part, official_split, valid_annotations
from alignparts.corpus.readers.partnet_shape import (
    PAINTED,
    PAINTED_LABEL,
    mesh_files,
    read_annotation,
    read_labels,
)
from alignparts.corpus.shape import LabeledShape

__all__ = ["LICENSE", "official_split", "read", "read_plain_obj", "valid_annotations"]

LICENSE = "ShapeNet and PartNet terms: non-commercial research"


def read(locator: Locator) -> LabeledShape:
    """Read one annotation folder; by default the leaves of ``result.json`` are the part instances.

    ``locator.options`` chooses the merged tree or a level, see
    :func:`alignparts.corpus.readers.partnet_labels.read_parts`, and the point samples instead of the meshes.
    A missing OBJ leaves a gap as long as another one is there.

    Raises:
        AlignPartsError: a tree is missing or broken, no leaf has a mesh, or there are no point samples.
        BrokenLabels: a label file of the data set is broken.
    """
    return read_annotation(locator, "partnet", LICENSE, _read_meshes)


def _read_meshes(folder: Path, parts: list[Part]) -> Surface | None:
    surfaces = []
    for index, part in enumerate(parts):
        for file in mesh_files(folder / "objs", part):
            surface = read_plain_obj(file)
            surface.face_part[:] = index
            surfaces.append(surface)
    return _paint(join_surfaces(surfaces), folder / "point_sample", parts) if surfaces else None


def read_plain_obj(path: Path) -> Surface:
    """Vertices and faces of an OBJ file; polygons become fans.

    Raises:
        AlignPartsError: an index points nowhere, or the file is not OBJ.
    """
    positions: list[str] = []
    triangles: list[tuple[str, str, str]] = []
    try:
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("v "):
                positions.append(line[2:])
            elif line.startswith("f "):
                corner = line[2:].split()
                if "/" in line:
                    corner = [item.partition("/")[0] for item in corner]
                triangles += [(corner[0], corner[i], corner[i + 1]) for i in range(1, len(corner) - 1)]
        vertices = np.array(" ".join(positions).split(), np.float64)
        columns = len(vertices) // len(positions) if positions else 3
        vertices = vertices.reshape(len(positions), columns)[:, :3]
        faces = np.array(triangles, dtype=np.int64).reshape(-1, 3)
    except (ValueError, OSError) as error:
        raise AlignPartsError(f"{path}: not an OBJ file: {error}") from None
    faces = np.where(faces < 0, faces + len(vertices), faces - 1)
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise AlignPartsError(f"{path}: a face refers to a vertex that is not there")
    return make_surface(vertices, faces)


def _paint(surface: Surface, samples: Path, parts: Sequence[Part]) -> Surface:
    """Colors of the colored sample: of points of the same part, where the sample is labeled."""
    painted = samples / PAINTED
    if not painted.is_file():
        return surface
    table = read_numbers(painted, 10)
    label = np.zeros(len(table), np.int64)
    ids = np.zeros(len(parts), np.int64)
    if (samples / PAINTED_LABEL).is_file():
        label = read_labels(samples / PAINTED_LABEL, len(table))
        # One id stands for all leaves of a part.
        ids = np.array([min(part.leaves, default=-1) for part in parts])
        for part, first in zip(parts, ids, strict=True):
            if len(part.leaves) > 1:
                label[np.isin(label, part.leaves)] = first
    color = np.concatenate([table[:, 6:9] / 255, table[:, 9:]], axis=1).astype(np.float32)
    fine = np.isfinite(table).all(axis=1)
    return bake_points(surface, table[fine, :3], color[fine], label[fine], ids)
