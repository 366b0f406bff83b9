"""The free values of a confidence (Eqs. 20, 39 and 40), fitted to names known to be right or wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.scored_parts import RIDGES, Judged
from alignparts.naming.confidence import PAPER, Calibration
from alignparts.naming.logistic import SIGNS, Evidence, signs
from alignparts.naming.prediction import Prediction

TAUS = (0.005, 2.0)
"""Where both temperatures may lie."""
BETAS = (0.0, 40.0)
STARTS = (PAPER.beta, 10.0)
"""Slopes that the search starts from: the paper's, and one at which Eq. 40 tells distances 0 and 1 apart."""
BASE = Calibration(tau_category=PAPER.tau)
"""What evidence is weighed from: the paper's values, and its temperature for the category, too."""
SMALLEST = 1e-6
"""A confidence is that far from 0 and 1 in the loss, so that one wrong name cannot cost infinitely much."""


def fit(judged: Judged, *, category: bool = False, ridges: Iterable[float] = RIDGES) -> Calibration:
    """Temperature, alpha, beta and ridge with the smallest log loss; the same parts give the same values.

    For every ridge the other values are found by L-BFGS-B from fixed starts. They are rounded to 5 digits.

    Args:
        judged: parts of shapes that training did not see.
        category: fit ``tau_category`` too; otherwise it stays None, as in the paper.
        ridges: of :data:`alignparts.evaluation.scored_parts.RIDGES`, to choose from.

    Raises:
        AlignPartsError: no part to fit to.
    """
    if not len(judged.table):
        raise AlignPartsError("calibration: no judged part to fit to; expected some of a validation split")
    # The search's matrices are of four rows; threads would only wait for each other.
    with threadpool_limits(1):
        found = [_fitted(judged, beta, ridge, category) for ridge in ridges for beta in STARTS]
    return min(found, key=lambda one: one[0])[1]


def with_evidence(calibration: Calibration, judged: Judged) -> Calibration:
    """The calibration with :class:`logistic.Evidence` fitted to judged parts, by the log loss.

    These may be of training shapes, so that the shapes of a promise stay fresh. Rounded to 5 digits. Where
    all names are right, or all wrong, no sign tells anything, and none is weighed.

    Raises:
        AlignPartsError: no part to fit to.
    """
    if not len(judged.table):
        raise AlignPartsError("evidence: no judged part to fit to; expected some of training shapes")
    if len(set(judged.right.tolist())) < 2:
        bias = 5.0 if judged.right[0] else -5.0
        return calibration.model_copy(update={"evidence": Evidence(weights=(0.0,) * len(SIGNS), bias=bias)})
    values = judged.signs(calibration)
    spread = values.std(axis=0)
    scale = np.where(spread > 1e-6, spread, np.inf)  # a sign that is always the same weighs nothing
    found = LogisticRegression().fit((values - values.mean(axis=0)) / scale, judged.right)
    weights = found.coef_[0] / scale
    bias = float(found.intercept_[0] - weights @ values.mean(axis=0))
    rounded = tuple(float(f"{value:.5g}") for value in weights)
    evidence = Evidence(weights=rounded, bias=float(f"{bias:.5g}"))
    return calibration.model_copy(update={"evidence": evidence})


def weighed(prediction: Prediction, calibration: Calibration, category: float) -> Prediction:
    """A closed-vocabulary prediction with the confidences of the calibration's evidence, if it has one.

    Args:
        prediction: of :func:`alignparts.naming.inference.closed_vocabulary`.
        calibration: the one that made it.
        category: confidence of the category, :func:`alignparts.naming.inference.category_confidence`.
    """
    if calibration.evidence is None or not prediction.parts:
        return prediction
    parts = prediction.parts
    labeled = prediction.point_part[prediction.point_part >= 0]
    known = [np.nan if part.mahalanobis is None else part.mahalanobis for part in parts]
    found = calibration.evidence.probability(
        signs(
            np.array([part.soft for part in parts]), np.array(known), np.full(len(parts), category),
            np.array([part.partness for part in parts]), np.array([part.mask_confidence for part in parts]),
            np.bincount(labeled, minlength=len(parts)) / max(len(labeled), 1),
        )
    )  # fmt: skip
    return replace(
        prediction,
        parts=[
            replace(part, confidence=one, accepted=calibration.accepts(one, part.mahalanobis))
            for part, one in zip(parts, found.tolist(), strict=True)
        ],
    )


def _fitted(judged: Judged, beta: float, ridge: float, category: bool) -> tuple[float, Calibration]:
    start, limits = [np.log(PAPER.tau), PAPER.alpha, beta], [np.log(TAUS), (0, 1), BETAS]
    if category:
        start, limits = [*start, start[0]], [*limits, limits[0]]
    objective = Objective(
        judged.cosines, judged.mahalanobis(ridge), judged.categories if category else None, judged.right
    )
    found = minimize(objective, np.array(start), jac=True, method="L-BFGS-B", bounds=limits)
    tau, alpha, slope, *rest = (float(f"{value:.5g}") for value in _values(found.x))
    calibration = Calibration(
        tau=tau, alpha=alpha, beta=slope, ridge=ridge, tau_category=rest[0] if rest else None
    )
    return float(found.fun), calibration


def _values(x: Float64[np.ndarray, " values"]) -> list[float]:
    """Both temperatures are searched for on a logarithmic scale."""
    return [float(np.exp(x[0])), float(x[1]), float(x[2]), *(float(np.exp(one)) for one in x[3:])]


@dataclass(frozen=True)
class Objective:
    """Mean log loss of Eq. 40, and its gradient by log tau, alpha, beta and log tau_category.

    Attributes:
        cosines: of Eq. 20, the given name first, -inf for none.
        mahalanobis: of Eq. 18, NaN for none.
        categories: of Eq. 16, the found category first; None leaves it out.
        right: whether names are right.
    """

    cosines: Float64[np.ndarray, "parts candidates"]
    mahalanobis: Float64[np.ndarray, " parts"]
    categories: Float64[np.ndarray, "parts categories"] | None
    right: Bool[np.ndarray, " parts"]

    def __call__(self, x: Float64[np.ndarray, " values"]) -> tuple[float, Float64[np.ndarray, " values"]]:
        """The loss and its gradient."""
        alpha, beta = x[1], x[2]
        soft, soft_slope = _first(self.cosines, x[0])
        known = ~np.isnan(self.mahalanobis)
        offset = np.where(known, self.mahalanobis - 0.5, 0.0)
        near = expit(beta * offset)
        weight = np.where(known, alpha, 1.0)
        said = weight * soft + (1 - weight) * near
        slopes = [weight * soft_slope, known * (soft - near), (1 - weight) * near * (1 - near) * offset]
        if self.categories is not None:
            sure, sure_slope = _first(self.categories, x[3])
            slopes = [*(sure * one for one in slopes), said * sure_slope]
            said = sure * said
        kept = np.clip(said, SMALLEST, 1 - SMALLEST)
        loss = -np.log(np.where(self.right, kept, 1 - kept)).mean()
        inner = np.where(self.right, -1 / kept, 1 / (1 - kept)) * (kept == said) / len(said)
        return float(loss), np.array([float(inner @ one) for one in slopes])


def _first(
    cosines: Float64[np.ndarray, "parts candidates"], log_tau: float
) -> tuple[Float64[np.ndarray, " parts"], Float64[np.ndarray, " parts"]]:
    """Softmax of the first column at a temperature, and its derivative by the temperature's logarithm."""
    scaled = cosines / np.exp(log_tau)
    share = softmax(scaled, axis=1)
    mean = np.where(share > 0, share * np.where(np.isfinite(scaled), scaled, 0.0), 0.0).sum(axis=1)
    return share[:, 0], share[:, 0] * (mean - scaled[:, 0])
