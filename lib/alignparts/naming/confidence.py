"""How far a predicted name can be trusted (Eqs. 18, 20 and 40)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, Int
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, softmax

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError
from alignparts.naming.logistic import Evidence

TAU = 0.07
ALPHA = 0.5
BETA = 1.0
REVIEW_BELOW = 0.5
"""A part whose confidence is lower goes to a person (section 9.2)."""
RIDGE = 1e-3
"""Added to the covariance's diagonal, as a share of its mean variance (section 9.1)."""
ACCEPT_MAHALANOBIS = 0.8
"""A part whose Mahalanobis confidence is higher needs nobody (section 3.3)."""
CALIBRATION = "calibration.json"

Label = tuple[str, str]
"""Canonical (category, part)."""


class Promise(BaseModel):
    """From which confidence on parts are accepted without a person, and what is promised for them.

    Attributes:
        above: parts with a higher confidence are accepted; 1 accepts none.
        error: of the accepted parts of a shape, at most this share has a wrong name, on average over shapes.
        certainty: how often a calibration that makes this promise keeps it.
        shapes: that it was calibrated on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    above: float = Field(ge=0, le=1)
    error: float = Field(gt=0, lt=1)
    certainty: float = Field(gt=0, lt=1)
    shapes: int = Field(ge=1)


class Calibration(BaseModel):
    """What turns cosines and distances into confidences; the defaults are the paper's values.

    Attributes:
        tau: temperature of Eq. 20.
        alpha: weight of Eq. 20 in Eq. 40.
        beta: slope of the Mahalanobis confidence in Eq. 40.
        ridge: epsilon of Eq. 39, as a share of the mean variance.
        review_below: parts with a lower confidence go to a person.
        accept_mahalanobis: parts with a higher Mahalanobis confidence need nobody, where nothing is promised.
        promise: takes the place of ``accept_mahalanobis``; None: nothing is promised.
        tau_category: beyond the paper: where the model finds the category, every confidence is multiplied by
            that of the category, the softmax of Eq. 16 at this temperature; None: it is not.
        evidence: beyond the paper: takes the place of Eq. 40; None: it does not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tau: float = Field(TAU, gt=0)
    alpha: float = Field(ALPHA, ge=0, le=1)
    beta: float = Field(BETA, ge=0)
    ridge: float = Field(RIDGE, gt=0)
    review_below: float = Field(REVIEW_BELOW, ge=0, le=1)
    accept_mahalanobis: float = Field(ACCEPT_MAHALANOBIS, ge=0, le=1)
    promise: Promise | None = None
    tau_category: float | None = Field(None, gt=0)
    evidence: Evidence | None = None

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read a ``calibration.json``.

        Raises:
            AlignPartsError: it cannot be read or is not valid.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise AlignPartsError(f"{path}: cannot be read ({error}); run: dvc repro confidence") from None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "(whole file)"
            raise AlignPartsError(f"{path}: {key}: {first['msg']}; run: dvc repro confidence") from None

    def save(self, path: Path) -> None:
        """Write it as JSON, atomically."""
        text = json.dumps(self.model_dump(), indent=2) + "\n"
        write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))

    def accepts(self, confidence: float, mahalanobis: float | None) -> bool:
        """Whether a part needs nobody.

        Never in the open vocabulary (no Mahalanobis confidence): its names are the caller's, and nothing that
        was measured on the vocabulary's names holds for them.
        """
        if mahalanobis is None:
            return False
        if self.promise is not None:
            return confidence > self.promise.above
        return mahalanobis > self.accept_mahalanobis


PAPER = Calibration()
"""Sections 3.3 and 9."""


@dataclass(frozen=True)
class Statistics:
    """Where the partlets of every training label lie (Eqs. 38 and 39).

    Attributes:
        labels: (category, part) of every row of ``mean``.
        mean: raw partlet embeddings' mean of every label.
        covariance: one, shared by all labels.
        ridge: epsilon, as a share of the mean variance.
    """

    labels: tuple[Label, ...]
    mean: Float[np.ndarray, "labels d_t"]
    covariance: Float[np.ndarray, "d_t d_t"]
    ridge: float = RIDGE

    @classmethod
    def load(cls, folder: Path, ridge: float = RIDGE) -> "Statistics":
        """Read ``statistics.safetensors`` and its labels from a model folder.

        Raises:
            AlignPartsError: a file is missing or does not fit the other.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        tensors_path, labels_path = folder / "statistics.safetensors", folder / "statistics.json"
        for path in (tensors_path, labels_path):
            if not path.is_file():
                raise AlignPartsError(f"{path}: no such file; training writes it, run: dvc repro train")
        try:
            tensors = load_file(tensors_path)
            content = json.loads(labels_path.read_text())
        except (SafetensorError, OSError, ValueError) as error:
            raise AlignPartsError(f"{tensors_path}: cannot be read: {error}") from None
        rows = content["labels"] if isinstance(content, dict) else content
        labels = tuple((str(category), str(part)) for category, part in rows)
        if "mean" not in tensors or "covariance" not in tensors or len(labels) != len(tensors["mean"]):
            raise AlignPartsError(f"{tensors_path}: expected 'mean' ({len(labels)}, d_t) and 'covariance'")
        return cls(labels, tensors["mean"], tensors["covariance"], ridge)

    @cached_property
    def _row(self) -> dict[Label, int]:
        return {label: row for row, label in enumerate(self.labels)}

    @cached_property
    def _factor(self) -> tuple[np.ndarray, bool]:
        covariance = self.covariance.astype(np.float64)
        ridge = self.ridge * max(float(np.trace(covariance)) / len(covariance), 1e-12)
        return cho_factor(covariance + ridge * np.eye(len(covariance)), lower=True)

    def mahalanobis(self, partlet: Float[np.ndarray, " d_t"], label: Label) -> float | None:
        """Eq. 18: exp(-d²) of a raw partlet from a label's mean; None for a label never trained on."""
        row = self._row.get(label)
        if row is None:
            return None
        offset = partlet.astype(np.float64) - self.mean[row].astype(np.float64)
        return float(np.exp(-offset @ cho_solve(self._factor, offset)))

    @cached_property
    def _axes(self) -> tuple[np.ndarray, np.ndarray]:
        return np.linalg.eigh(self.covariance.astype(np.float64))

    def squared(
        self, partlet: Float[np.ndarray, " d_t"], label: Label, ridges: Sequence[float]
    ) -> Float64[np.ndarray, " ridges"]:
        """d² of Eq. 18 with other ridges than the own one; NaN for a label never trained on."""
        row = self._row.get(label)
        if row is None:
            return np.full(len(ridges), np.nan)
        variance, axes = self._axes
        offset = axes.T @ (partlet.astype(np.float64) - self.mean[row].astype(np.float64))
        added = np.asarray(ridges) * max(float(variance.mean()), 1e-12)
        return (offset**2 / (variance + added[:, None])).sum(axis=1)


def soft_confidence(cosines: Float[np.ndarray, "k a"], tau: float = TAU) -> Float64[np.ndarray, "k a"]:
    """Eq. 20 for every candidate: softmax of cosine / tau over the candidates."""
    return softmax(cosines.astype(np.float64) / tau, axis=1)


def fused_confidence(
    soft: float, mahalanobis: float | None, alpha: float = ALPHA, beta: float = BETA
) -> float:
    """Eq. 40; without a Mahalanobis confidence (open vocabulary) it is Eq. 20 alone."""
    if mahalanobis is None:
        return soft
    return float(alpha * soft + (1 - alpha) * expit(beta * (mahalanobis - 0.5)))


def fused_confidences(
    soft: Float[np.ndarray, " n"], mahalanobis: Float[np.ndarray, " n"], alpha: float, beta: float
) -> Float64[np.ndarray, " n"]:
    """Eq. 40 of many parts; NaN stands for no Mahalanobis confidence."""
    both = alpha * soft + (1 - alpha) * expit(beta * (mahalanobis - 0.5))
    return np.where(np.isnan(mahalanobis), soft, both)


def pooled_confidence(confidence: Float[np.ndarray, " k"], points: Int[np.ndarray, " k"]) -> float:
    """Confidence of a part that several partlets make up: the mean, weighted by their points."""
    return float(np.average(confidence, weights=np.maximum(points, 1)))
