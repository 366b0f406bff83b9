"""How well confidences tell right names from wrong ones, and whether they mean what they say."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float64, Int64
from scipy.stats import rankdata

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.scored_parts import Judged
from alignparts.model.metrics import Interval

BINS = 10
LABELS = {
    "auroc": "AUROC",
    "ece": "ECE",
    "brier": "Brier score",
    "log_loss": "log loss",
    "aurc": "area under risk–coverage",
    "wrong": "share of wrong names",
}
"""What tables call the figures."""


@dataclass(frozen=True)
class Named:
    """Named parts: how sure the names are, whether they are right, and of which shape."""

    confidence: Float64[np.ndarray, " parts"]
    right: Bool[np.ndarray, " parts"]
    shape: Int64[np.ndarray, " parts"]

    @classmethod
    def of(cls, judged: Judged, confidence: Float64[np.ndarray, " parts"]) -> "Named":
        """Judged parts with confidences of theirs."""
        shape = np.unique(judged.table.shape_id.to_numpy(str), return_inverse=True)[1]
        return cls(confidence, judged.right, shape.astype(np.int64))

    @property
    def shapes(self) -> int:
        """Number of shapes."""
        return len(np.unique(self.shape))


def reliability_bins(
    confidence: Float[np.ndarray, " parts"], right: Bool[np.ndarray, " parts"], bins: int = BINS
) -> pd.DataFrame:
    """Bins of equally many parts in the order of confidence (equal mass; ties keep their order).

    Returns:
        A row a bin: ``confidence``, mean of what was said; ``right``, share of right names; ``parts``.
    """
    order = np.argsort(confidence, kind="stable")
    rows = [
        (float(confidence[own].mean()), float(right[own].mean()), len(own))
        for own in np.array_split(order, min(bins, len(order)))
        if len(own)
    ]
    return pd.DataFrame(rows, columns=["confidence", "right", "parts"])


def expected_calibration_error(
    confidence: Float[np.ndarray, " parts"], right: Bool[np.ndarray, " parts"], bins: int = BINS
) -> float:
    """Mean distance of said and true shares over equal-mass bins, weighted by their parts."""
    found = reliability_bins(confidence, right, bins)
    return float(np.average((found.confidence - found.right).abs(), weights=found.parts))


def risk_coverage(
    confidence: Float[np.ndarray, " parts"], right: Bool[np.ndarray, " parts"]
) -> tuple[Float64[np.ndarray, " parts"], Float64[np.ndarray, " parts"]]:
    """Share of wrong names (risk) among the most confident 1, 2, ... of all parts, and what share these are.

    Parts of one confidence come in random order: the risk is its mean over these orders.

    Returns:
        Coverage and risk, in order of falling confidence.
    """
    _, group, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(group, weights=~right) / sizes
    number = np.arange(1, len(confidence) + 1)
    return number / len(number), np.cumsum(np.repeat(wrong, sizes)) / number


def figures(
    confidence: Float[np.ndarray, " parts"], right: Bool[np.ndarray, " parts"], bins: int = BINS
) -> dict[str, float]:
    """All of :data:`LABELS`; AUROC is NaN where all names are right, or all wrong.

    In plain numpy: a bootstrap calls this thousands of times, which scikit-learn's checks make slow.

    Raises:
        AlignPartsError: no part.
    """
    if not len(right):
        raise AlignPartsError("reliability: no part to look at")
    said, yes, no = np.asarray(confidence, np.float64), int(right.sum()), int((~right).sum())
    above = rankdata(said)[right].sum() - yes * (yes + 1) / 2
    given = np.clip(np.where(right, said, 1 - said), np.finfo(np.float64).eps, 1)
    return {
        "auroc": float(above / (yes * no)) if yes and no else float("nan"),
        "ece": expected_calibration_error(said, right, bins),
        "brier": float(((said - right) ** 2).mean()),
        "log_loss": float(-np.log(given).mean()),
        "aurc": float(risk_coverage(said, right)[1].mean()),
        "wrong": no / len(right),
    }


def intervals(
    named: Named, *, resamples: int = 200, confidence: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """:func:`figures` with percentile bootstrap intervals; ``n`` counts shapes.

    Shapes are resampled, not parts: those of one shape are right or wrong together. Resamples in which a
    figure is NaN don't count.

    Raises:
        AlignPartsError: no part.
    """
    value = figures(named.confidence, named.right)
    members = [np.flatnonzero(named.shape == one) for one in np.unique(named.shape)]
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(resamples):
        rows = np.concatenate([members[one] for one in rng.integers(len(members), size=len(members))])
        drawn.append(figures(named.confidence[rows], named.right[rows]))
    tail = 50 * (1 - confidence)
    found = {}
    for name, own in value.items():
        draws = np.array([one[name] for one in drawn])
        draws = draws[~np.isnan(draws)]
        low, high = np.percentile(draws, [tail, 100 - tail]) if len(draws) else (own, own)
        found[name] = Interval(own, float(low), float(high), len(members))
    return found
