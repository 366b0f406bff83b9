"""Beyond the paper: all that the model says about a part, as one probability that its name is right.

Eq. 40 knows the softmax over names and the distance to the name's training partlets. A person also looks at
whether the category is certain, and whether the mask is: a logistic regression weighs all six.
"""

import numpy as np
from jaxtyping import Float64
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import expit, logit

SIGNS = ("soft", "distance", "category", "partness", "mask", "share")
"""The order of weights: log-odds of Eq. 20, of the category's softmax, of the partness and of the mask's mean
probability; logarithms of d² (Eq. 18) and of the part's share of the labeled points."""
EDGE = 1e-3
"""Probabilities are kept that far from 0 and 1."""
NEAR, FAR = 1e-2, 700.0
"""Bounds of d², whose exponential a float can hold; a label that training never saw counts as far."""


class Evidence(BaseModel):
    """A logistic regression over :data:`SIGNS`.

    Attributes:
        weights: by sign.
        bias: log-odds where all signs are 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: tuple[float, ...] = Field(min_length=len(SIGNS), max_length=len(SIGNS))
    bias: float

    def probability(self, signs: Float64[np.ndarray, "parts signs"]) -> Float64[np.ndarray, " parts"]:
        """That a name is right."""
        return np.asarray(expit(self.bias + signs @ np.array(self.weights)), np.float64)


def signs(
    soft: Float64[np.ndarray, " parts"],
    mahalanobis: Float64[np.ndarray, " parts"],
    category: Float64[np.ndarray, " parts"],
    partness: Float64[np.ndarray, " parts"],
    mask: Float64[np.ndarray, " parts"],
    share: Float64[np.ndarray, " parts"],
) -> Float64[np.ndarray, "parts signs"]:
    """The signs of some parts, all but the last two of them probabilities.

    Args:
        soft: Eq. 20.
        mahalanobis: Eq. 18; NaN for a label that training never saw.
        category: softmax of Eq. 16; 1 where the category is given.
        partness: of the partlet.
        mask: mean mask probability over the part's points.
        share: of the labeled points.
    """
    with np.errstate(divide="ignore"):
        squared = np.nan_to_num(-np.log(mahalanobis), nan=FAR, posinf=FAR)
    columns = [
        _odds(soft), np.log(np.clip(squared, NEAR, FAR)), _odds(category), _odds(partness), _odds(mask),
        np.log(np.clip(share, EDGE, 1)),
    ]  # fmt: skip
    return np.column_stack(columns).astype(np.float64)


def _odds(probability: Float64[np.ndarray, " parts"]) -> Float64[np.ndarray, " parts"]:
    return np.asarray(logit(np.clip(probability, EDGE, 1 - EDGE)), np.float64)
