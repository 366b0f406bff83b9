"""PartNet v0: raw trees of names over untextured OBJ files, colours from the coloured point samples."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from alignparts.corpus.bake import bake_points
from alignparts.corpus.readers.common import Locator, leaves, licence_of, read_json, read_numbers
from alignparts.corpus.shape import LabelledShape
from alignparts.corpus.surface import Surface, join_surfaces, make_surface
from alignparts.errors import AlignPartsError

# Leaves of these names stand for what the annotators did not name.
UNNAMED = frozenset({"other", "others", "other_leaf"})
LICENCE = "ShapeNet and PartNet terms: non-commercial research"
_PAINTED = "sample-points-all-pts-nor-rgba-10000.txt"
_PAINTED_LABEL = "sample-points-all-label-10000.txt"


def read(locator: Locator) -> LabelledShape:
    """Read one annotation folder: ``result.json``, not the merged tree; a leaf is a part instance.

    A missing OBJ leaves a gap as long as its leaf has another one.

    Raises:
        AlignPartsError: the tree is missing or broken, or no leaf has a mesh.
    """
    folder = locator.path
    meta = read_json(folder / "meta.json")
    surfaces: list[Surface] = []
    names: list[str] = []
    ids: list[int] = []
    absent: list[str] = []
    for path, leaf in leaves(read_json(folder / "result.json"), folder / "result.json"):
        found = []
        for name in leaf.get("objs") or []:
            file = folder / "objs" / f"{name}.obj"
            if file.is_file():
                found.append(file)
            else:
                absent.append(str(name))
        if not found:
            continue
        part = len(names)
        names.append("" if path[-1].lower() in UNNAMED else path[-1])
        ids.append(int(leaf.get("id", -1)))
        surfaces += [_labelled(read_plain_obj(file), part) for file in found]
    if not surfaces:
        raise AlignPartsError(
            f"{folder}: no leaf of result.json has a mesh; missing: {', '.join(absent[:3])}"
        )
    return LabelledShape(
        shape_id=locator.shape_id,
        dataset="partnet",
        category=locator.category or str(meta.get("model_cat", "")),
        licence=locator.licence or licence_of(locator.root, LICENCE),
        source=str(folder),
        instances=names,
        surface=_paint(join_surfaces(surfaces), folder / "point_sample", np.array(ids)),
    )


@functools.lru_cache(maxsize=4)
def valid_annotations(root: Path) -> frozenset[str] | None:
    """Annotations that ``stats/all_valid_anno_info.txt`` lists; None where a tree has no such file."""
    path = root / "stats" / "all_valid_anno_info.txt"
    if not path.is_file():
        return None
    return frozenset(line.split()[0] for line in path.read_text().splitlines() if line.strip())


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


def _labelled(surface: Surface, part: int) -> Surface:
    surface.face_part[:] = part
    return surface


def _paint(surface: Surface, samples: Path, ids: np.ndarray) -> Surface:
    painted = samples / _PAINTED
    if not painted.is_file():
        return surface
    table = read_numbers(painted, 10)
    label: Any = np.zeros(len(table), np.int64)
    if (samples / _PAINTED_LABEL).is_file():
        label = read_numbers(samples / _PAINTED_LABEL, 1)[:, 0].astype(np.int64)
        if len(label) != len(table):
            raise AlignPartsError(f"{samples}: {len(table)} coloured points but {len(label)} labels")
    else:
        ids = np.zeros_like(ids)
    color = np.concatenate([table[:, 6:9] / 255, table[:, 9:]], axis=1).astype(np.float32)
    fine = np.isfinite(table).all(axis=1)
    return bake_points(surface, table[fine, :3], color[fine], label[fine], ids)
