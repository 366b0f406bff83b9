"""One label for every patch: pooled evidence, weighed against the labels of its neighbors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int, Int64
from scipy.sparse import coo_array
from scipy.special import softmax

TRUST = 0.1
"""Weight of the evidence of one sample."""
ENOUGH = 30
"""Samples, of 2,048, beyond which the evidence of a patch grows no more."""
TOGETHER = 20.0
"""Weight of a bond of 1 between two patches, see :class:`alignparts.patches.patches.Patches`."""
PER_SHAPE = ("patch_pairs", "patch_bonds")
"""Arrays of a shape that do not have one row per sample."""
FLOOR = 1e-3
"""Evidence that every label has."""
SWEEPS = 20


@dataclass(frozen=True)
class PatchGraph:
    """Patches of samples: patch of every sample, pairs of patches that meet, and their bonds."""

    patch: Int[np.ndarray, " n"]
    pairs: Int[np.ndarray, "pairs 2"]
    bonds: Float[np.ndarray, " pairs"]

    @classmethod
    def of(cls, features: Mapping[str, Any]) -> "PatchGraph | None":
        """Return the graph that a shape's features hold; None where there is none, as of a cloud."""
        if "patch" not in features:
            return None
        return cls(*(features[name] for name in ("patch", *PER_SHAPE)))


def pooled(
    evidence: Float[np.ndarray, "labels n"], graph: PatchGraph
) -> Float64[np.ndarray, "patches labels"]:
    """Return the mean evidence over the samples of every patch; 0 for patches without a sample."""
    size = max(int(graph.patch.max(initial=-1)), int(graph.pairs.max(initial=-1))) + 1
    count = np.maximum(np.bincount(graph.patch, minlength=size), 1)
    return np.stack([np.bincount(graph.patch, row, size) for row in evidence], axis=1) / count[:, None]


def cut(evidence: Float[np.ndarray, "labels n"], graph: PatchGraph) -> Int64[np.ndarray, " n"]:
    """Return a label per sample, the same for all of a patch.

    A Potts model on the graph of patches, by damped mean-field sweeps: a label costs its negative log share
    of the pooled evidence, and differing from a neighbor costs the bond. Without bonds it is the label with
    the most pooled evidence.

    Args:
        evidence: probabilities, or anything from 0 up, of labels at samples.
        graph: patches of these samples; some may hold none of them.
    """
    share = pooled(evidence, graph) + FLOOR
    share /= share.sum(axis=1, keepdims=True)
    size = len(share)
    samples = np.bincount(graph.patch, minlength=size) * (2048 / max(len(graph.patch), 1))
    alone = TRUST * np.minimum(samples, ENOUGH)[:, None] * np.log(share)
    one, other = graph.pairs.T
    bonds = coo_array((TOGETHER * graph.bonds.astype(np.float64), (one, other)), shape=(size, size)).tocsr()
    bonds = bonds + bonds.T
    belief = softmax(alone, axis=1)
    for _ in range(SWEEPS):
        belief = (belief + softmax(alone + bonds @ belief, axis=1)) / 2
    return belief.argmax(axis=1)[graph.patch].astype(np.int64)
