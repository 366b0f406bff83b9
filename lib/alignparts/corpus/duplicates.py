"""Shapes that are the same object: within a data set, across data sets, and across splits (section 3.4).

Two shapes are copies of each other if their **geometry** is the same, or if their data sets say so: two
annotations of one model, a PartNet annotation and its PartNet-Mobility object, one Objaverse asset in several
sets, one 3DCoMPaT++ shape as mesh and as point cloud.

The geometry of a shape is described by the moments of its surface up to the fourth order, taken about its
centroid and in units of its root-mean-square radius. As integrals over the surface they depend neither on the
order and number of vertices and faces, nor on the cut of the triangles, nor on faces that are there twice
(front and back); position and uniform scale cancel. Copies that were turned, mirrored or stretched, that lack
a part, or of which one is a sampled point cloud have other moments. Texture and labels do not count.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePath

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Float64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError

EXPONENTS = [(i, j, n - i - j) for n in (2, 3, 4) for i in range(n, -1, -1) for j in range(n - i, -1, -1)]
MOMENTS = tuple("m{}{}{}".format(*exponents) for exponents in EXPONENTS)
"""Columns of the descriptor: m210 is the mean of x²y over the surface."""
TOLERANCE = 3e-3
"""Moments of two copies differ by less: coordinates rounded to three digits of the shape's size move them by
2e-4 (median of 150 shapes; 1.2e-3 at the 95th percentile), the other format of one object by 1.8e-3 (a real
cabinet in PartNet and in PartNet-Mobility); the closest two of 2,446 generated shapes are 1.1e-2 apart."""
GROUP_COLUMNS = ("group", "shape_id", "dataset", "raw_category", "split", "why")
LEAK_COLUMNS = ("group", "shape_id", "dataset", "raw_category", "drawn", "split")

# Dunavant's rule with 6 points: exact for polynomials of the fourth degree over a triangle.
_A, _B = 0.445948490915965, 0.091576213509771
_BARY = np.array([row for a in (_A, _B) for row in ((1 - 2 * a, a, a), (a, 1 - 2 * a, a), (a, a, 1 - 2 * a))])
_WEIGHT = np.repeat([0.223381589678011, 0.109951743655322], 3)
_CHUNK = 65_536
_UID = re.compile(r"(?<![0-9a-z])[0-9a-f]{32}(?![0-9a-z])")
_COMPAT_KEY = re.compile(r"(?<![0-9a-z])[0-9a-f]{2}_[0-9a-f]{3}(?![0-9a-z])")
_SEVERITY = {"train": 0, "validation": 1, "test": 2, "heldout": 2}


def describe_triangles(triangles: Float[np.ndarray, "F 3 3"]) -> Float32[np.ndarray, " 31"]:
    """Return one value per :data:`MOMENTS` of a surface; raise AlignPartsError where it has no area."""
    corners = triangles.astype(np.float64)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)  # twice the area; a common factor cancels
    whole = area.sum()
    if not whole > 0:
        raise AlignPartsError("the shape has no triangle with an area; its geometry cannot be described")
    corners = corners - (corners.mean(axis=1) * area[:, None]).sum(axis=0) / whole
    square = ((corners**2).sum(axis=(1, 2)) + (corners.sum(axis=1) ** 2).sum(axis=1)) / 12
    corners /= np.sqrt((square * area).sum() / whole)
    total = np.zeros(len(EXPONENTS))
    for start in range(0, len(corners), _CHUNK):
        block = slice(start, start + _CHUNK)
        points = np.einsum("qc,fcd->fqd", _BARY, corners[block]).reshape(-1, 3)
        total += _weighted_sums(points, (area[block, None] * _WEIGHT).reshape(-1))
    return np.round(total / whole, 6).astype(np.float32)


def describe_points(points: Float[np.ndarray, "n 3"]) -> Float32[np.ndarray, " 31"]:
    """Return the same moments over the points of a cloud; raise AlignPartsError where they coincide."""
    centered = points.astype(np.float64) - points.astype(np.float64).mean(axis=0)
    radius = np.sqrt((centered**2).sum(axis=1).mean())
    if not radius > 0:
        raise AlignPartsError("the points of the cloud coincide; its geometry cannot be described")
    moments = _weighted_sums(centered / radius, np.full(len(points), 1 / len(points)))
    return np.round(moments, 6).astype(np.float32)


def geometry_hash(descriptor: Float32[np.ndarray, " 31"]) -> str:
    """Return the descriptor's cell in a grid of ten times the tolerance, 16 digits, for quick look-up."""
    cell = np.round(descriptor.astype(np.float64) / (10 * TOLERANCE)).astype(np.int64)
    return hashlib.sha256(cell.tobytes()).hexdigest()[:16]


def find_groups(index: pd.DataFrame, descriptors: Float[np.ndarray, "n 31"]) -> pd.DataFrame:
    """Return the groups of copies among shapes (shape_id, dataset, raw_category, split, source, model).

    The table has one row per shape that has a copy: :data:`GROUP_COLUMNS`, groups numbered from 1 by their
    first id; ``why`` joins the links to others with "+": geometry, model, annotation, asset or key.
    """
    links = [*_same_identity(index), *_same_geometry(descriptors)]
    why: dict[int, set[str]] = defaultdict(set)
    for *ends, reason in links:
        for row in ends:
            why[row].add(reason)
    edges = np.array([link[:2] for link in links], np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(links), np.int8), edges.T), shape=(len(index), len(index)))
    _, label = connected_components(graph, directed=False)
    rows = sorted(why)
    reasons = ["+".join(sorted(why[row])) for row in rows]
    table = index.iloc[rows].assign(why=reasons, group=label[rows]).sort_values("shape_id")
    table["group"] = pd.factorize(table["group"])[0] + 1
    return table.sort_values(["group", "shape_id"], ignore_index=True)[list(GROUP_COLUMNS)]


def resolve_leaks(groups: pd.DataFrame, *, keep: bool = False) -> pd.DataFrame:
    """Return the shapes of :func:`find_groups` whose group lies in several splits: :data:`LEAK_COLUMNS`.

    ``drawn`` is the split a shape was drawn for, ``split`` the one it has; with ``keep`` they are the same.
    Test sets stay as drawn. A copy that trains while another is validated, tested or held out becomes
    "duplicate", and so does one that validates while another is tested or held out.
    """
    drawn = groups[groups["split"].isin(list(_SEVERITY))].rename(columns={"split": "drawn"})
    leaks = drawn[drawn.groupby("group")["drawn"].transform("nunique") > 1].reset_index(drop=True)
    severity = leaks["drawn"].map(_SEVERITY)
    stays = keep | (severity == severity.groupby(leaks["group"]).transform("max"))
    return leaks.assign(split=leaks["drawn"].where(stays, "duplicate"))[list(LEAK_COLUMNS)]


def identities(dataset: str, source: str, model: str) -> list[str]:
    """Return the names of an object in other data sets, or other annotations.

    "model:…" is the model's id; "annotation:…" PartNet's, whose numbers PartNet-Mobility keeps below 100000;
    "asset:…" an Objaverse or Sketchfab uid in the file's name; "key:…" one of 3DCoMPaT++.
    """
    name = PurePath(source).name
    if dataset in {"partnet", "partnet_mobility"}:
        kind, keys = "annotation", [str(int(name))] if name.isdecimal() and int(name) < 100_000 else []
    else:
        kind, pattern = ("key", _COMPAT_KEY) if dataset.startswith("compat") else ("asset", _UID)
        keys = pattern.findall(name)[:1]
    return [f"model:{model}"] * bool(model) + [f"{kind}:{key}" for key in keys]


def _same_identity(index: pd.DataFrame) -> Iterator[tuple[int, int, str]]:
    first: dict[str, int] = {}
    columns = zip(index["dataset"], index["source"], index["model"], strict=True)
    for row, (dataset, source, model) in enumerate(columns):
        for identity in identities(dataset, source, model):
            before = first.setdefault(identity, row)
            if before != row:
                yield before, row, identity.partition(":")[0]


def _same_geometry(descriptors: np.ndarray) -> list[tuple[int, int, str]]:
    # Equal descriptors first: a thousand copies of one cube must not make a million pairs.
    _, first, inverse = np.unique(descriptors, axis=0, return_index=True, return_inverse=True)
    same = np.stack([first[inverse.reshape(-1)], np.arange(len(descriptors))], axis=1)
    near = first[cKDTree(descriptors[first]).query_pairs(TOLERANCE, p=np.inf, output_type="ndarray")]
    pairs = np.concatenate([same[same[:, 0] != same[:, 1]], near])
    return [(before, row, "geometry") for before, row in pairs.tolist()]


def _weighted_sums(points: Float64[np.ndarray, "n 3"], weight: Float64[np.ndarray, " n"]) -> np.ndarray:
    """Return the sum of every moment's monomial over points."""
    powers = points[None] ** np.arange(5)[:, None, None]
    # Sums rather than products of matrices: those may differ in their last digits with the number of threads.
    x, y, z = np.moveaxis(powers, 2, 0)
    return np.array([(x[i] * y[j] * z[k] * weight).sum() for i, j, k in EXPONENTS])
