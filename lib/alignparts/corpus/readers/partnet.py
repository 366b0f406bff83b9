"""PartNet v0: trees of names over untextured OBJ files, colors from the colored point samples.

:func:`read_annotation` serves PartNet-Mobility, too, whose folders differ in their meshes alone.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Int64

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.bake import bake_points
from alignparts.corpus.mesh.surface import Surface, join_surfaces, make_surface
from alignparts.corpus.readers import common
from alignparts.corpus.readers.partnet_labels import Part, official_splits, read_parts, valid_annotations
from alignparts.corpus.shape import Cloud, LabeledShape, safe_id

LICENSE = "ShapeNet and PartNet terms: non-commercial research"
_PAINTED, _PAINTED_LABEL = "sample-points-all-pts-nor-rgba-10000.txt", "sample-points-all-label-10000.txt"
_PLAIN, _PLAIN_LABEL = "pts-10000.txt", "label-10000.txt"


def is_root(folder: Path, names: Collection[str]) -> bool:
    """Return whether a folder is one annotation."""
    return "result.json" in names and "objs" in names and "textured_objs" not in names


def locate(root: Path) -> Iterator[common.Locator]:
    """Yield the annotation of a folder; with the reason where the data set does not list it as valid."""
    locator = annotation_in(root, "partnet")
    valid = valid_annotations(locator.root)
    if valid is not None and root.name not in valid:
        locator = annotation_in(root, "unknown", "not listed in stats/all_valid_anno_info.txt")
    yield locator


def annotation_in(folder: Path, kind: str, reason: str = "") -> common.Locator:
    """Return the locator of an annotation's folder; the data set is the folder above, or above ``data/``."""
    root = folder.parent.parent if folder.parent.name == "data" else folder.parent
    return common.Locator(folder, root, safe_id(kind, folder.name), reason=reason)


def read(locator: common.Locator) -> LabeledShape:
    """Read one annotation folder; by default the leaves of ``result.json`` are the part instances.

    ``locator.options`` chooses others, see :func:`partnet_labels.read_parts`, and the point samples instead
    of the meshes. A missing OBJ leaves a gap as long as another one is there.
    """
    return read_annotation(locator, "partnet", LICENSE, _read_meshes)


def read_annotation(
    locator: common.Locator,
    dataset: str,
    license: str,
    read_meshes: Callable[[Path, list[Part]], Surface | None],
) -> LabeledShape:
    """Read an annotation as ``locator.options`` asks; meshes are None where no part has a file."""
    folder = locator.path
    category = str(_meta(folder).get("model_cat", ""))
    parts = read_parts(folder, locator.root, category, locator.options)
    in_points = locator.options.geometry == "points"
    geometry = _read_cloud(folder / "point_sample", parts) if in_points else read_meshes(folder, parts)
    if geometry is None:
        absent = ", ".join([name for part in parts for name in part.objs][:3])
        raise AlignPartsError(f"{folder}: no leaf of result.json has a mesh; missing: {absent}")
    names = [part.name for part in parts]
    return common.labeled_shape(locator, dataset, names, geometry, category=category, license=license)


def model_and_split(locator: common.Locator) -> tuple[str, str]:
    """Return the model of an annotation and its split by the data set's lists; "" where not stated."""
    meta = _meta(locator.path)
    splits = official_splits(locator.root, str(meta.get("model_cat") or ""))
    return str(meta.get("model_id") or ""), splits.get(locator.path.name, "")


def mesh_files(folder: Path, parts: list[Part]) -> Iterator[tuple[int, Path]]:
    """Yield index of the part and file of every OBJ file that is there."""
    for index, part in enumerate(parts):
        for file in (folder / f"{name}.obj" for name in part.objs):
            # Names come from a file: they must not lead out of the folder.
            if file.parent == folder and file.is_file():
                yield index, file


def _meta(folder: Path) -> dict[str, Any]:
    return common.read_json(folder / "meta.json", dict[str, Any], "an object with model_id and model_cat")


def _read_meshes(folder: Path, parts: list[Part]) -> Surface | None:
    files = list(mesh_files(folder / "objs", parts))
    if not files:
        return None
    owners, paths = zip(*files, strict=True)
    surface = join_surfaces([_read_obj(path) for path in paths], part_of=owners)
    return _paint(surface, folder / "point_sample", parts)


def _read_obj(path: Path) -> Surface:
    try:
        mesh = trimesh.load_mesh(path, process=False, maintain_order=True, skip_materials=True)
        return make_surface(mesh.vertices, mesh.faces)
    except IndexError:
        raise AlignPartsError(f"{path}: a face refers to a vertex that is not there") from None
    except Exception as error:
        raise AlignPartsError(f"{path}: not an OBJ file: {error}") from None


def _paint(surface: Surface, samples: Path, parts: Sequence[Part]) -> Surface:
    """Color by the colored sample: by points of the same part, where the sample is labeled."""
    if not (samples / _PAINTED).is_file():
        return surface
    table = common.read_numbers(samples / _PAINTED, 10)
    label = np.zeros(len(table), np.int64)
    ids = np.zeros(len(parts), np.int64)
    if (samples / _PAINTED_LABEL).is_file():
        label = _read_labels(samples / _PAINTED_LABEL, len(table))
        # One id stands for all leaves of a part.
        ids = np.array([min(part.leaves, default=-1) for part in parts])
        for part, first in zip(parts, ids, strict=True):
            label[np.isin(label, part.leaves)] = first
    color = np.concatenate([table[:, 6:9] / 255, table[:, 9:]], axis=1).astype(np.float32)
    fine = np.isfinite(table).all(axis=1)
    return bake_points(surface, table[fine, :3], color[fine], label[fine], ids)


def _read_cloud(samples: Path, parts: Sequence[Part]) -> Cloud:
    """Read the colored point sample, else the plain one, in the frame of the meshes."""
    if (samples / _PAINTED).is_file() and (samples / _PAINTED_LABEL).is_file():
        table, source = common.read_numbers(samples / _PAINTED, 10), samples / _PAINTED_LABEL
    elif (samples / _PLAIN).is_file():
        table, source = common.read_numbers(samples / _PLAIN, 3), samples / _PLAIN_LABEL
    else:
        expected = f"expected {_PAINTED} or {_PLAIN}, with labels"
        raise AlignPartsError(f"{samples}: no point sample; {expected}; or read the meshes (geometry mesh)")
    labels = _read_labels(source, len(table))
    owner = {leaf: index for index, part in enumerate(parts) for leaf in part.leaves}
    common.check_labels(labels, owner, source, "the leaves of result.json")
    instance = np.array([owner[label] for label in labels.tolist()], np.int32)
    if table.shape[1] == 3:
        return common.make_cloud(table, instance)
    return common.make_cloud(table[:, :3], instance, table[:, 6:9], table[:, 3:6])


def _read_labels(path: Path, points: int) -> Int64[np.ndarray, " n"]:
    """Return the leaf ids of the points of a sample."""
    labels = common.read_numbers(path, 1)[:, 0]
    if len(labels) != points:
        raise AlignPartsError(f"{path}: {points} points but {len(labels)} labels")
    return common.whole_numbers(labels, f"{path}: line", 1, "a leaf's id")
