"""How far a predicted name can be trusted (Eqs. 18, 20 and 40)."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, softmax

from alignparts.errors import AlignPartsError

TAU = 0.07
ALPHA = 0.5
BETA = 1.0
REVIEW_BELOW = 0.5
"""A part whose confidence is lower goes to a person (section 9.2)."""
RIDGE = 1e-3
"""Added to the covariance's diagonal, as a share of its mean variance (section 9.1)."""

Label = tuple[str, str]
"""Canonical (category, part)."""


@dataclass(frozen=True)
class Statistics:
    """Where the partlets of every training label lie (Eqs. 38 and 39).

    Attributes:
        labels: (category, part) of every row of ``mean``.
        mean: raw partlet embeddings' mean of every label.
        covariance: one, shared by all labels.
    """

    labels: tuple[Label, ...]
    mean: Float[np.ndarray, "labels d_t"]
    covariance: Float[np.ndarray, "d_t d_t"]

    @classmethod
    def load(cls, folder: Path) -> "Statistics":
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
        return cls(labels, tensors["mean"], tensors["covariance"])

    @cached_property
    def _row(self) -> dict[Label, int]:
        return {label: row for row, label in enumerate(self.labels)}

    @cached_property
    def _factor(self) -> tuple[np.ndarray, bool]:
        covariance = self.covariance.astype(np.float64)
        ridge = RIDGE * max(float(np.trace(covariance)) / len(covariance), 1e-12)
        return cho_factor(covariance + ridge * np.eye(len(covariance)), lower=True)

    def mahalanobis(self, partlet: Float[np.ndarray, " d_t"], label: Label) -> float | None:
        """Eq. 18: exp(-d²) of a raw partlet from a label's mean; None for a label never trained on."""
        row = self._row.get(label)
        if row is None:
            return None
        offset = partlet.astype(np.float64) - self.mean[row].astype(np.float64)
        return float(np.exp(-offset @ cho_solve(self._factor, offset)))


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


def pooled_confidence(confidence: Float[np.ndarray, " k"], points: Int[np.ndarray, " k"]) -> float:
    """Confidence of a part that several partlets make up: the mean, weighted by their points."""
    return float(np.average(confidence, weights=np.maximum(points, 1)))
