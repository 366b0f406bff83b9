"""Confidence of a predicted name (Eqs. 18, 20 and 40), and its calibration."""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
from jaxtyping import Float, Float64
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file
from scipy.special import expit, logit, softmax

from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError

CALIBRATION = "calibration.json"
STATISTICS = "statistics.safetensors"
PREDICTORS = ("soft", "distance", "category", "partness", "mask", "share")
"""Order of the weights: log-odds of Eq. 20, of the category's softmax, of the partness and of the mask's mean
probability; logarithms of d² (Eq. 18) and of the part's share of the labeled points."""
EDGE = 1e-3
"""Distance that probabilities keep from 0 and 1."""
NEAR, FAR = 1e-2, 700.0
"""Bounds of d²: its exponential fits a float. A label without training partlets counts as far."""

Label = tuple[str, str]
"""Canonical (category, part)."""


S = TypeVar("S", bound="Settings")


class Settings(BaseModel, frozen=True, extra="forbid"):
    """Frozen settings in a JSON file of their own; an unknown key is an error."""

    stage: ClassVar[str]  # of dvc.yaml, which writes the file

    @classmethod
    def load(cls: type[S], path: Path) -> S:
        """Read the settings.

        Raises:
            AlignPartsError: the file cannot be read or is not valid.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "(whole file)"
            raise AlignPartsError(f"{path}: {key}: {first['msg']}; run: dvc repro {cls.stage}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise AlignPartsError(f"{path}: cannot be read ({error}); run: dvc repro {cls.stage}") from None

    def save(self, path: Path) -> None:
        """Write the settings as JSON, atomically."""
        write_text(path, json.dumps(self.model_dump(), indent=2) + "\n")


@dataclass(frozen=True)
class Evidence:
    """All that the model says about some parts; probabilities except ``share``, that of the labeled points.

    ``soft`` is Eq. 20, ``mahalanobis`` Eq. 18 (NaN for a label without training partlets), ``category`` the
    softmax of Eq. 16 (1 where it is given), ``mask_confidence`` the mean mask probability over the points.
    """

    soft: Float64[np.ndarray, " parts"]
    mahalanobis: Float64[np.ndarray, " parts"]
    category: Float64[np.ndarray, " parts"]
    partness: Float64[np.ndarray, " parts"]
    mask_confidence: Float64[np.ndarray, " parts"]
    share: Float64[np.ndarray, " parts"]

    def predictors(self) -> Float64[np.ndarray, "parts predictors"]:
        """Return the columns of :data:`PREDICTORS`."""
        soft, mahalanobis, category, partness, mask, share = astuple(self)
        with np.errstate(divide="ignore"):
            squared = np.nan_to_num(-np.log(mahalanobis), nan=FAR, posinf=FAR)
        odds = logit(np.clip([soft, category, partness, mask], EDGE, 1 - EDGE))
        near, size = np.log(np.clip(squared, NEAR, FAR)), np.log(np.clip(share, EDGE, 1))
        return np.column_stack([odds[0], near, *odds[1:], size])


class EvidenceWeights(BaseModel, frozen=True, extra="forbid"):
    """A fitted logistic regression over all that the model says about a part, beyond the paper.

    Eq. 40 combines the softmax over names with the distance to the name's training partlets; the regression
    also weighs the certainty of the category and of the mask. The weights stand in the order of
    :data:`PREDICTORS`; the bias is the log-odds where all predictors are 0.
    """

    weights: tuple[float, ...] = Field(min_length=len(PREDICTORS), max_length=len(PREDICTORS))
    bias: float

    def probability(
        self, predictors: Float64[np.ndarray, "parts predictors"]
    ) -> Float64[np.ndarray, " parts"]:
        """Return the probability that a name is right."""
        return np.asarray(expit(self.bias + predictors @ np.array(self.weights)))


class Promise(BaseModel, frozen=True, extra="forbid"):
    """Threshold above which parts are accepted without review, with the error rate promised for them.

    Attributes:
        above: parts with a higher confidence are accepted; 1 accepts none.
        error: promised bound on the share of wrong names among the accepted parts of a shape, on average.
        certainty: probability that a calibration keeps its promise.
        shapes: number of shapes that the threshold was tested on.
    """

    above: float = Field(ge=0, le=1)
    error: float = Field(gt=0, lt=1)
    certainty: float = Field(gt=0, lt=1)
    shapes: int = Field(ge=1)


class Calibration(Settings):
    """Parameters that turn cosines and distances into confidences; the defaults are the paper's.

    Attributes:
        tau: temperature of Eq. 20.
        alpha: weight of Eq. 20 in Eq. 40.
        beta: slope of the Mahalanobis confidence in Eq. 40.
        ridge: epsilon of Eq. 39, as a share of the mean variance (section 9.1).
        review_below: parts with a lower confidence are sent to a person (section 9.2).
        accept_mahalanobis: parts above this Mahalanobis confidence are accepted (section 3.3), unless there
            is a promise.
        promise: replaces ``accept_mahalanobis``.
        tau_category: beyond the paper: where the model chooses the category, its softmax (Eq. 16) at this
            temperature multiplies every confidence; None leaves it out.
        evidence: beyond the paper: a logistic regression that replaces Eq. 40.
    """

    stage = "confidence"

    tau: float = Field(0.07, gt=0)
    alpha: float = Field(0.5, ge=0, le=1)
    beta: float = Field(1.0, ge=0)
    ridge: float = Field(1e-3, gt=0)
    review_below: float = Field(0.5, ge=0, le=1)
    accept_mahalanobis: float = Field(0.8, ge=0, le=1)
    promise: Promise | None = None
    tau_category: float | None = Field(None, gt=0)
    evidence: EvidenceWeights | None = None

    def category_confidence(
        self, cosines: Float[np.ndarray, "shapes categories"]
    ) -> Float64[np.ndarray, " shapes"]:
        """Return the softmax of the best category of every shape (Eq. 16); 1 without ``tau_category``."""
        if self.tau_category is None:
            return np.ones(len(cosines))
        return soft_confidence(cosines, self.tau_category).max(axis=1)

    def confidence(self, evidence: Evidence) -> Float64[np.ndarray, " parts"]:
        """Return the confidence of parts: the logistic regression, or else Eq. 40 times the category's.

        Eq. 40 falls back on Eq. 20 alone where there is no Mahalanobis confidence (NaN).
        """
        if self.evidence is not None:
            return self.evidence.probability(evidence.predictors())
        near = expit(self.beta * (evidence.mahalanobis - 0.5))
        fused = self.alpha * evidence.soft + (1 - self.alpha) * near
        return evidence.category * np.where(np.isnan(near), evidence.soft, fused)

    def accepts(self, confidence: float, mahalanobis: float | None) -> bool:
        """Return whether a part is accepted without human review.

        Without a promise it takes a Mahalanobis confidence. Call it for names of the closed vocabulary alone:
        other names are the caller's, and nothing that was measured holds for them.
        """
        if self.promise is not None:
            return confidence > self.promise.above
        return mahalanobis is not None and mahalanobis > self.accept_mahalanobis


PAPER = Calibration()
"""Values of sections 3.3 and 9."""


@dataclass(frozen=True)
class Statistics:
    """Mean raw embedding per label and shared covariance of the training partlets (Eqs. 38 and 39).

    The ridge is the epsilon of Eq. 39, as a share of the mean variance.
    """

    labels: tuple[Label, ...]
    mean: Float[np.ndarray, "labels d_t"]
    covariance: Float[np.ndarray, "d_t d_t"]
    ridge: float = PAPER.ridge

    @classmethod
    def load(cls, folder: Path, ridge: float = PAPER.ridge) -> "Statistics":
        """Read ``statistics.safetensors`` and its labels from a model folder.

        Raises:
            AlignPartsError: a file is missing or does not fit the other.
        """
        path = folder / STATISTICS
        try:
            tensors, pairs = load_file(path), json.loads((folder / "statistics.json").read_text())["labels"]
            labels = tuple((str(category), str(part)) for category, part in pairs)
            mean, covariance = tensors["mean"], tensors["covariance"]
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise AlignPartsError(
                f"{path}: cannot be read ({error}); training writes it, run: dvc repro train"
            ) from None
        if len(labels) != len(mean):
            raise AlignPartsError(f"{path}: expected 'mean' ({len(labels)}, d_t), got {mean.shape}")
        return cls(labels, mean, covariance, ridge)

    def mahalanobis(self, partlet: Float[np.ndarray, " d_t"], label: Label) -> float | None:
        """Return Eq. 18, exp(-d²) of a raw partlet from a label's mean; None for an unknown label."""
        squared = float(self.squared(partlet, label, [self.ridge])[0])
        return None if np.isnan(squared) else float(np.exp(-squared))

    def squared(
        self, partlet: Float[np.ndarray, " d_t"], label: Label, ridges: Sequence[float]
    ) -> Float64[np.ndarray, " ridges"]:
        """Return d² of Eq. 18 at several ridges; NaN for a label without training partlets."""
        if label not in self.labels:
            return np.full(len(ridges), np.nan)
        row = self.labels.index(label)
        variance, axes = self._axes
        offset = axes.T @ (partlet.astype(np.float64) - self.mean[row].astype(np.float64))
        added = np.asarray(ridges) * max(float(variance.mean()), 1e-12)
        return (offset**2 / (variance + added[:, None])).sum(axis=1)

    @cached_property
    def _axes(self) -> tuple[np.ndarray, np.ndarray]:
        return np.linalg.eigh(self.covariance.astype(np.float64))


def soft_confidence(cosines: Float[np.ndarray, "k a"], tau: float) -> Float64[np.ndarray, "k a"]:
    """Return Eq. 20 for every candidate: the softmax of cosine / tau over the candidates."""
    return softmax(cosines.astype(np.float64) / tau, axis=1)
