"""Beyond the paper: a logistic regression over all that the model says about a part.

Eq. 40 combines the softmax over names with the distance to the name's training partlets. A person also looks
at the certainty of the category and of the mask: the regression weighs all six.
"""

from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import Float64
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import expit, logit

PREDICTORS = ("soft", "distance", "category", "partness", "mask", "share")
"""Order of the weights: log-odds of Eq. 20, of the category's softmax, of the partness and of the mask's mean
probability; logarithms of d² (Eq. 18) and of the part's share of the labeled points."""
EDGE = 1e-3
"""Distance that probabilities keep from 0 and 1."""
NEAR, FAR = 1e-2, 700.0
"""Bounds of d²: its exponential fits a float. A label without training partlets counts as far."""


@dataclass(frozen=True)
class Evidence:
    """All that the model says about some parts; probabilities except ``share``.

    Attributes:
        soft: Eq. 20.
        mahalanobis: Eq. 18; NaN for a label without training partlets.
        category: softmax of Eq. 16; 1 where the category is given.
        partness: partness of the partlet.
        mask_confidence: mean mask probability over the points of the part.
        share: share of the labeled points.
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


class EvidenceWeights(BaseModel):
    """A fitted logistic regression.

    Attributes:
        weights: one per predictor, in the order of :data:`PREDICTORS`.
        bias: log-odds where all predictors are 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: tuple[float, ...] = Field(min_length=len(PREDICTORS), max_length=len(PREDICTORS))
    bias: float

    def probability(
        self, predictors: Float64[np.ndarray, "parts predictors"]
    ) -> Float64[np.ndarray, " parts"]:
        """Return the probability that a name is right."""
        return np.asarray(expit(self.bias + predictors @ np.array(self.weights)))
