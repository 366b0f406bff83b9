"""Judged parts whose right names are drawn with known probabilities."""

import numpy as np
import pandas as pd
from scipy.special import softmax

from alignparts.evaluation.scored_parts import COLUMNS, RIDGES, Judged


def table(right, shapes) -> pd.DataFrame:
    rows = [
        (f"shape-{shape:04d}", "toy", "chair", "chair", "leg", "leg" if one else "seat", bool(one),
         0.5, 9, 0.25, 0.9, 0.9)
        for one, shape in zip(right, shapes, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def toy(
    shapes: int, parts: int = 4, *, tau: float = 0.1, tau_category: float | None = None, seed: int = 0
) -> Judged:
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
    return Judged(table(right, owner), cosines, categories[owner], squared)
