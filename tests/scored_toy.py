"""Scored parts whose right names are drawn with known probabilities."""

import numpy as np
import pandas as pd
from scipy.special import softmax

from alignparts.evaluation.scored_parts import RIDGES, ScoredParts


def scored(right, shapes, cosines, categories, squared) -> ScoredParts:
    return ScoredParts(
        pd.DataFrame({
            "shape_id": [f"shape-{shape:04d}" for shape in shapes], "test_set": "toy", "category": "chair",
            "predicted_category": "chair", "name": "leg",
            "truth": ["leg" if one else "seat" for one in right], "right": right, "iou": 0.5, "share": 0.25,
            "partness": 0.9, "mask_confidence": 0.9, "cosines": list(cosines),
            "categories": list(categories), "squared": list(squared),
        })
    )  # fmt: skip


def toy(
    shapes: int, parts: int = 4, *, tau: float = 0.1, tau_category: float | None = None, seed: int = 0
) -> ScoredParts:
    """The nearest of five names is right with the probability that Eq. 20 gives at ``tau``.

    With ``tau_category`` a name is right only if the shape's category is, too. Every tenth label is unknown
    to Eq. 18, the others' distances say nothing.
    """
    rng = np.random.default_rng(seed)
    n = shapes * parts
    cosines = -np.sort(-rng.uniform(-1, 1, (n, 5)), axis=1)
    cosines[::3, 4] = -np.inf
    right = rng.random(n) < softmax(cosines / tau, axis=1)[:, 0]
    owner = np.repeat(np.arange(shapes), parts)
    categories = -np.sort(-rng.uniform(-1, 1, (shapes, 6)), axis=1)
    if tau_category is not None:
        right &= (rng.random(shapes) < softmax(categories / tau_category, axis=1)[:, 0])[owner]
    squared = np.repeat(rng.exponential(size=(n, 1)), len(RIDGES), axis=1)
    squared[::10] = np.nan
    return scored(right, owner, cosines, categories[owner], squared)
