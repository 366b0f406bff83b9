"""Surface patches: pieces of a mesh that one part holds whole, and how strongly neighbors hold together.

Faces that meet without a crease are one patch. A patch that few samples hit joins a neighbor, and a large
smooth one is split where the part field changes. The numbers here were chosen on validation shapes
(reports/evaluate/mesh_aware_steps.md).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, Int32, Int64
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree

from alignparts.corpus.mesh.sampling import Sample
from alignparts.corpus.mesh.surface import Surface
from alignparts.patches.adjacency import adjacency, connected

CREASE = 30.0
"""Degrees between the normals of two faces from which on their edge is a crease."""
LEAST = 3
"""Samples per thousand that a patch holds at least, else it joins a neighbor."""
SPLIT = 62
"""Samples per thousand in a piece of a patch that is split; patches below twice that stay whole."""
FALLOFF = 90.0
"""Degrees over which the bond of two patches falls to 1/e."""


@dataclass(frozen=True)
class Patches:
    """Patches of a mesh.

    Attributes:
        of_face: patch of every face; every patch holds a sample.
        pairs: patches that meet.
        bonds: length of their common border in the model frame, at most 1, times exp(-angle / FALLOFF).
    """

    of_face: Int32[np.ndarray, " faces"]
    pairs: Int32[np.ndarray, "pairs 2"]
    bonds: Float64[np.ndarray, " pairs"]

    def arrays(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return the patch of every face, ``face_patch``, and a :class:`patches.cut.PatchGraph` by names."""
        return {
            "face_patch": self.of_face,
            "patch": self.of_face[sample.face],
            "patch_pairs": self.pairs,
            "patch_bonds": self.bonds.astype(np.float32),
        }


def surface_patches(
    surface: Surface,
    sample: Sample,
    field: Float[np.ndarray, "n d"],
    *,
    crease: float = CREASE,
    split: float = SPLIT,
) -> Patches:
    """Return the patches of a mesh from samples and the part field's features at them."""
    edges, faces = adjacency(surface), len(surface.faces)
    least = max(LEAST * len(sample.face) / 1000, 1.0)
    smooth = edges.angle < crease
    patch = connected(faces, edges.first[smooth], edges.second[smooth])
    ends = np.stack([edges.first, edges.second])
    patch = _join_small(patch, ends, edges.length * np.exp(-edges.angle / CREASE), sample.face, least)
    patch = _join_far(patch, surface, sample, least)
    patch = _split_large(patch, surface, sample, field, split * len(sample.face) / 1000)
    # Merged pairs of faces: length adds up, angles are averaged over it.
    border, where, whole = _borders(patch, ends)
    length = np.bincount(where, edges.length[whole], len(border))
    angle = np.bincount(where, (edges.length * edges.angle)[whole], len(border)) / np.maximum(length, 1e-12)
    bonds = np.minimum(length, 1) * np.exp(-angle / FALLOFF)
    return Patches(patch.astype(np.int32), border.astype(np.int32), bonds)


def _borders(
    patch: Int64[np.ndarray, " faces"], ends: Int64[np.ndarray, "2 edges"]
) -> tuple[Int64[np.ndarray, "pairs 2"], Int64[np.ndarray, " borders"], Int64[np.ndarray, " borders"]]:
    """Return pairs of patches that meet, the pair of every edge between patches, and those edges."""
    low, high = np.sort(patch[ends], axis=0)
    between = np.flatnonzero(low != high)
    count = int(patch.max(initial=0)) + 1
    keys, where = np.unique(low[between] * count + high[between], return_inverse=True)
    return np.stack([keys // count, keys % count], axis=1), where.astype(np.int64), between


def _join_small(
    patch: Int64[np.ndarray, " faces"],
    ends: Int64[np.ndarray, "2 edges"],
    weight: Float64[np.ndarray, " edges"],
    sampled: Int64[np.ndarray, " n"],
    least: float,
) -> Int64[np.ndarray, " faces"]:
    """Join every patch with few samples to the neighbor with the strongest border, until none is left."""
    pairs, where, between = _borders(patch, ends)
    strength = np.bincount(where, weight[between], len(pairs))
    count = int(patch.max()) + 1
    samples = np.bincount(patch[sampled], minlength=count)
    joined = np.arange(count)
    while len(pairs):
        both = np.concatenate([pairs, pairs[:, ::-1]])
        small = np.flatnonzero(samples[both[:, 0]] < least)
        if not len(small):
            break
        order = small[np.lexsort((-np.tile(strength, 2)[small], both[small, 0]))]
        chosen = both[order[np.unique(both[order, 0], return_index=True)[1]]]
        step = connected(count, chosen[:, 0], chosen[:, 1])
        joined, count = step[joined], int(step.max()) + 1
        samples = np.bincount(step, samples, count)
        keys, where = np.unique(np.sort(step[pairs], axis=1) @ [count, 1], return_inverse=True)
        pairs, strength = np.stack([keys // count, keys % count], axis=1), np.bincount(where, strength)
        apart = pairs[:, 0] != pairs[:, 1]
        pairs, strength = pairs[apart], strength[apart]
    return joined[patch]


def _join_far(
    patch: Int64[np.ndarray, " faces"], surface: Surface, sample: Sample, least: float
) -> Int64[np.ndarray, " faces"]:
    """Join patches that touch no other and hold few samples to the patch of the nearest sample.

    Where no patch holds enough, all become one.
    """
    count = int(patch.max()) + 1
    large = np.bincount(patch[sample.face], minlength=count) >= least
    if not large.any():
        return np.zeros_like(patch)
    inside = np.flatnonzero(large[patch[sample.face]])
    # A small patch is looked up by its largest face.
    order = np.lexsort((-surface.areas(), patch))
    lead = order[np.unique(patch[order], return_index=True)[1]]
    near = cKDTree(sample.points[inside]).query(_centers(surface, sample, lead))[1]
    return np.unique(
        np.where(large, np.arange(count), patch[sample.face[inside[near]]])[patch], return_inverse=True
    )[1]


def _split_large(
    patch: Int64[np.ndarray, " faces"],
    surface: Surface,
    sample: Sample,
    field: Float[np.ndarray, "n d"],
    size: float,
) -> Int64[np.ndarray, " faces"]:
    """Split patches of twice ``size`` samples by k-means on position and direction of the field."""
    patch, of_sample = patch.copy(), patch[sample.face]
    field = np.asarray(field, np.float64)
    field = field / np.maximum(np.linalg.norm(field, axis=1, keepdims=True), 1e-12)
    fresh = int(patch.max()) + 1
    for large in np.flatnonzero(np.bincount(of_sample) >= 2 * size).tolist():
        rows, faces = np.flatnonzero(of_sample == large), np.flatnonzero(patch == large)
        place = np.concatenate([sample.points[rows].astype(np.float64), field[rows]], axis=1)
        with warnings.catch_warnings(action="ignore"):  # an empty cluster is no harm
            cluster = kmeans2(place, int(len(rows) / size), minit="++", rng=np.random.default_rng(0))[1]
        # A face belongs to the piece of most of its samples, or else to that of the nearest sample's face.
        hit, votes = np.unique(np.stack([sample.face[rows], cluster]), axis=1, return_counts=True)
        order = np.argsort(votes, kind="stable")
        patch[hit[0, order]] = fresh + hit[1, order]
        rest = np.setdiff1d(faces, hit[0])
        near = cKDTree(sample.points[rows]).query(_centers(surface, sample, rest))[1]
        patch[rest] = patch[sample.face[rows[near]]]
        fresh += int(cluster.max()) + 1
    return np.unique(patch, return_inverse=True)[1]


def _centers(surface: Surface, sample: Sample, faces: Int[np.ndarray, " m"]) -> Float64[np.ndarray, "m 3"]:
    """Return centers of faces in the model frame."""
    return (surface.vertices[surface.faces[faces]].mean(axis=1) - sample.center) * sample.scale
