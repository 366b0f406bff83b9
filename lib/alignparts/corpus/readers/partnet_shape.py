"""What PartNet and PartNet-Mobility share: one annotation folder as meshes or as its point samples."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float64, Int32, Int64
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import Surface, surface_from_cloud
from alignparts.corpus.readers.common import Locator, license_of, read_json, read_numbers
from alignparts.corpus.readers.partnet_labels import Part, read_parts
from alignparts.corpus.shape import Cloud, LabeledShape

PAINTED = "sample-points-all-pts-nor-rgba-10000.txt"
PAINTED_LABEL = "sample-points-all-label-10000.txt"
_PLAIN, _PLAIN_LABEL = "pts-10000.txt", "label-10000.txt"
_NEIGHBORS = 12
_GRAY = 153

Meshes = Callable[[Path, list[Part]], Surface | None]
"""Reads the parts' meshes, faces labeled by index; None where no part has a file."""


def read_annotation(locator: Locator, dataset: str, license: str, meshes: Meshes) -> LabeledShape:
    """One annotation folder, under the labels and as the geometry that ``locator.options`` asks for.

    Raises:
        AlignPartsError: a tree is missing or broken, no part has a mesh, or there are no point samples.
        BrokenLabels: a label file of the data set is broken.
    """
    folder = locator.path
    meta = read_json(folder / "meta.json")
    if not isinstance(meta, dict):
        raise AlignPartsError(f"{folder}/meta.json: expected an object with model_cat")
    category = str(meta.get("model_cat", ""))
    parts = read_parts(folder, locator.root, category, locator.options)
    cloud = None
    if locator.options.geometry == "points":
        cloud = read_cloud(folder / "point_sample", parts)
        surface = surface_from_cloud(cloud.points, cloud.normals, cloud.colors, cloud.instance)
    else:
        found = meshes(folder, parts)
        if found is None:
            absent = [name for part in parts for name in part.objs]
            raise AlignPartsError(
                f"{folder}: no leaf of result.json has a mesh; missing: {', '.join(absent[:3])}"
            )
        surface = found
    return LabeledShape(
        shape_id=locator.shape_id,
        dataset=dataset,
        category=locator.category or category,
        license=locator.license or license_of(locator.root, license),
        source=str(folder),
        instances=[part.name for part in parts],
        surface=surface,
        cloud=cloud,
    )


def mesh_files(folder: Path, part: Part) -> list[Path]:
    """OBJ files of a part; one that is missing leaves a gap."""
    files = [folder / f"{name}.obj" for name in part.objs]
    # Names come from a file: they must not lead out of the folder.
    return [file for file in files if file.parent == folder and file.is_file()]


def read_cloud(samples: Path, parts: Sequence[Part]) -> Cloud:
    """The colored point sample of ``point_sample/``, else the plain one; points that are not finite go.

    Points are in the frame of the meshes. The plain sample has neither colors nor normals: it is gray, and
    normals are fitted to the neighbors and face away from the shape's center.

    Args:
        samples: the folder.
        parts: whose leaves the labels are; an unlabeled part's points are of its index, too.

    Raises:
        AlignPartsError: there is no labeled sample, or a label is no leaf.
    """
    if (samples / PAINTED).is_file() and (samples / PAINTED_LABEL).is_file():
        table, source = read_numbers(samples / PAINTED, 10), samples / PAINTED_LABEL
    elif (samples / _PLAIN).is_file():
        table, source = read_numbers(samples / _PLAIN, 3), samples / _PLAIN_LABEL
    else:
        raise AlignPartsError(
            f"{samples}: no point sample; expected {PAINTED} or {_PLAIN}, with labels; "
            "the meshes can be read without (geometry mesh)"
        )
    instance = _instances(read_labels(source, len(table)), parts, source)
    fine = np.isfinite(table[:, :3]).all(axis=1)
    table, instance = table[fine], instance[fine]
    if table.shape[1] == 10:
        colors = np.clip(np.rint(np.nan_to_num(table[:, 6:9])), 0, 255).astype(np.uint8)
        return Cloud(table[:, :3], np.nan_to_num(table[:, 3:6]), colors, instance)
    return Cloud(table, fit_normals(table), np.full((len(table), 3), _GRAY, np.uint8), instance)


def read_labels(path: Path, points: int) -> Int64[np.ndarray, " n"]:
    """Leaf ids of the points of a sample.

    Raises:
        AlignPartsError: missing, broken, or not one whole number a point.
    """
    labels = read_numbers(path, 1)[:, 0]
    if len(labels) != points:
        raise AlignPartsError(f"{path}: {points} points but {len(labels)} labels")
    whole = np.isfinite(labels) & (labels == np.round(labels))
    if not whole.all():
        line = int(np.argmin(whole)) + 1
        raise AlignPartsError(f"{path}: line {line}: {labels[line - 1]}; expected a leaf's id")
    return labels.astype(np.int64)


def _instances(labels: np.ndarray, parts: Sequence[Part], source: Path) -> Int32[np.ndarray, " n"]:
    owner = {leaf: index for index, part in enumerate(parts) for leaf in part.leaves}
    values, where = np.unique(labels, return_inverse=True)
    strange = [value for value in values.tolist() if value not in owner]
    if strange:
        raise AlignPartsError(f"{source}: label {strange[0]} is no leaf of result.json")
    return np.array([owner[value] for value in values.tolist()], np.int32)[where.reshape(-1)]


def fit_normals(points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """Normals of a cloud that has none: of the plane through a point's neighbors, away from the middle."""
    if len(points) < 3:
        return np.tile([0.0, 1.0, 0.0], (len(points), 1))
    near = cKDTree(points).query(points, k=min(_NEIGHBORS, len(points)))[1]
    _, normals = trimesh.points.plane_fit(points[near])
    inwards = np.einsum("ij,ij->i", normals, points - points.mean(axis=0)) < 0
    return np.where(inwards[:, None], -normals, normals)
