"""Reliability of confidences: calibration error, AUROC, risk over coverage, with bootstrap intervals."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float64, Int64
from scipy.stats import rankdata

from alignparts.evaluation.intervals import Interval
from alignparts.evaluation.scored_parts import ScoredParts

BINS = 10
LABELS = {
    "auroc": "AUROC",
    "ece": "ECE",
    "brier": "Brier score",
    "log_loss": "log loss",
    "aurc": "area under risk–coverage",
    "wrong": "share of wrong names",
}
"""Names of the metrics in tables."""


@dataclass(frozen=True)
class Confidences:
    """Confidences of some names, True where a name is right, and the index of its shape."""

    confidence: Float64[np.ndarray, " parts"]
    right: Bool[np.ndarray, " parts"]
    shape: Int64[np.ndarray, " parts"]

    @classmethod
    def of(cls, parts: ScoredParts, confidence: Float64[np.ndarray, " parts"]) -> "Confidences":
        """Join scored parts with confidences."""
        shape = np.unique(parts.table.shape_id.to_numpy(str), return_inverse=True)[1]
        return cls(confidence, parts.right, shape.astype(np.int64))

    @property
    def shapes(self) -> int:
        """Return the number of shapes."""
        return len(np.unique(self.shape))


def reliability_bins(
    confidence: Float[np.ndarray, " parts"], right: Bool[np.ndarray, " parts"], bins: int = BINS
) -> pd.DataFrame:
    """Return mean ``confidence``, share of ``right`` names and number of ``parts`` per bin.

    Bins hold equally many parts in the order of their confidence; scikit-learn's ``calibration_curve`` has
    such bins only where no two confidences are equal.
    """
    order = np.argsort(confidence, kind="stable")
    members = np.array_split(order, min(bins, len(order)))
    rows = [(float(confidence[rows].mean()), float(right[rows].mean()), len(rows)) for rows in members]
    return pd.DataFrame(rows, columns=["confidence", "right", "parts"])


def expected_calibration_error(
    confidence: Float[np.ndarray, " parts"], right: Bool[np.ndarray, " parts"], bins: int = BINS
) -> float:
    """Return the mean gap between confidence and share of right names, over bins of equally many parts."""
    table = reliability_bins(confidence, right, bins)
    return float(np.average((table.confidence - table.right).abs(), weights=table.parts))


def risk_coverage(
    confidence: Float[np.ndarray, " parts"], right: Bool[np.ndarray, " parts"]
) -> tuple[Float64[np.ndarray, " parts"], Float64[np.ndarray, " parts"]]:
    """Return coverage and risk (share of wrong names) of the most confident 1, 2, ... parts.

    Parts of equal confidence come in random order: the risk is its mean over these orders.
    """
    _, group, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(group, weights=~right) / sizes
    number = np.arange(1, len(confidence) + 1)
    return number / len(number), np.cumsum(np.repeat(wrong, sizes)) / number


def scores(confidence: Float[np.ndarray, " parts"], right: Bool[np.ndarray, " parts"]) -> dict[str, float]:
    """Return all of :data:`LABELS`; AUROC is NaN where all names are right, or all wrong.

    In plain numpy, 30 times as fast as scikit-learn's functions: a bootstrap calls this thousands of times.
    """
    yes, no = int(right.sum()), int((~right).sum())
    above = rankdata(confidence)[right].sum() - yes * (yes + 1) / 2
    likelihood = np.clip(np.where(right, confidence, 1 - confidence), np.finfo(np.float64).eps, 1)
    return {
        "auroc": float(above / (yes * no)) if yes and no else float("nan"),
        "ece": expected_calibration_error(confidence, right),
        "brier": float(((confidence - right) ** 2).mean()),
        "log_loss": float(-np.log(likelihood).mean()),
        "aurc": float(risk_coverage(confidence, right)[1].mean()),
        "wrong": no / len(right),
    }


def intervals(
    named: Confidences, *, resamples: int = 200, confidence: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Return :func:`scores` with percentile bootstrap intervals over shapes; ``n`` counts shapes.

    The parts of one shape are right or wrong together, so shapes are resampled. Resamples in which a score is
    NaN don't count.
    """
    members = [np.flatnonzero(named.shape == shape) for shape in np.unique(named.shape)]
    rng, draws = np.random.default_rng(seed), []
    for _ in range(resamples):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        draws.append(scores(named.confidence[rows], named.right[rows]))
    value, drawn = scores(named.confidence, named.right), pd.DataFrame(draws)
    low, high = (drawn.quantile(0.5 + side * confidence / 2).fillna(value).to_dict() for side in (-1, 1))
    return {name: Interval(value[name], low[name], high[name], len(members)) for name in LABELS}
