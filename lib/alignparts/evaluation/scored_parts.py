"""Predicted parts beside the truth: whether a name is right, and what every confidence of it needs.

A predicted part is judged by the ground-truth part that most of its labeled points belong to (ties: the
first): its name is right if that part has it. That is what a person sees who is shown the part and its name.
Parts without a labeled point are not judged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float64, Int64

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.ground_truth import Labeled, labeled_shapes
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.metrics import confusion, iou_matrix
from alignparts.naming.confidence import Calibration, Statistics, fused_confidences, soft_confidence
from alignparts.naming.inference import (
    category_candidates,
    category_cosines,
    closed_vocabulary,
    forward,
    part_cosines,
)
from alignparts.naming.logistic import signs
from alignparts.naming.prediction import Candidate, Encode, Partlets, Prediction
from alignparts.ontology.vocabulary import Vocabulary

COLUMNS = ["shape_id", "test_set", "category", "predicted_category", "name", "truth", "right", "iou",
           "points", "share", "partness", "mask_confidence"]  # fmt: skip
RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Epsilons of Eq. 39 (shares of the mean variance) that a calibration may choose from."""


@dataclass(frozen=True)
class Judged:
    """Predicted parts, one a row.

    Attributes:
        table: :data:`COLUMNS`; names and categories are canonical, ``right``: ``name`` is ``truth``.
        cosines: with every candidate name, the given one first, -inf where a category has fewer.
        categories: cosines of the shape with every category (Eq. 16), the found one first.
        squared: d² of Eq. 18 at every one of :data:`RIDGES`, NaN for a label that training never saw.
    """

    table: pd.DataFrame
    cosines: Float64[np.ndarray, "parts candidates"]
    categories: Float64[np.ndarray, "parts categories"]
    squared: Float64[np.ndarray, "parts ridges"]

    @property
    def right(self) -> Bool[np.ndarray, " parts"]:
        """Whether names are right."""
        return self.table.right.to_numpy(bool)

    @property
    def shapes(self) -> list[str]:
        """Ids of the shapes, in alphabetical order."""
        return sorted(set(self.table.shape_id))

    def take(self, rows: Bool[np.ndarray, " parts"]) -> "Judged":
        """Some of the parts."""
        return Judged(
            self.table[rows].reset_index(drop=True), self.cosines[rows], self.categories[rows],
            self.squared[rows],
        )  # fmt: skip

    def of(self, shape_ids: Iterable[str]) -> "Judged":
        """The parts of some shapes."""
        return self.take(self.table.shape_id.isin(set(shape_ids)).to_numpy())

    def soft(self, tau: float) -> Float64[np.ndarray, " parts"]:
        """Eq. 20."""
        return soft_confidence(self.cosines, tau)[:, 0]

    def mahalanobis(self, ridge: float) -> Float64[np.ndarray, " parts"]:
        """Eq. 18; NaN for a label that training never saw.

        Raises:
            AlignPartsError: the ridge is none of :data:`RIDGES`.
        """
        if ridge not in RIDGES:
            raise AlignPartsError(f"ridge {ridge:g}: expected one of {', '.join(f'{r:g}' for r in RIDGES)}")
        return np.exp(-self.squared[:, RIDGES.index(ridge)])

    def signs(self, calibration: Calibration) -> Float64[np.ndarray, "parts signs"]:
        """What a fitted evidence is weighed from."""
        category = np.ones(len(self.table))
        if calibration.tau_category is not None:
            category = soft_confidence(self.categories, calibration.tau_category)[:, 0]
        own = [self.table[name].to_numpy(np.float64) for name in ("partness", "mask_confidence", "share")]
        return signs(self.soft(calibration.tau), self.mahalanobis(calibration.ridge), category, *own)

    def confidence(self, calibration: Calibration) -> Float64[np.ndarray, " parts"]:
        """What :meth:`alignparts.naming.pipeline.NamedPartsPipeline.decode` says with this calibration."""
        soft, mahalanobis = self.soft(calibration.tau), self.mahalanobis(calibration.ridge)
        if calibration.evidence is not None:
            return calibration.evidence.probability(self.signs(calibration))
        fused = fused_confidences(soft, mahalanobis, calibration.alpha, calibration.beta)
        if calibration.tau_category is None:
            return fused
        return fused * soft_confidence(self.categories, calibration.tau_category)[:, 0]


def concatenated(parts: Sequence[Judged]) -> Judged:
    """Several as one.

    Raises:
        AlignPartsError: there is none.
    """
    if not parts:
        raise AlignPartsError("no judged parts: no shape has a predicted part with labeled points")
    widest = max(one.cosines.shape[1] for one in parts)
    padded = [
        np.pad(one.cosines, ((0, 0), (0, widest - one.cosines.shape[1])), constant_values=-np.inf)
        for one in parts
    ]
    return Judged(
        pd.concat([one.table for one in parts], ignore_index=True), np.concatenate(padded),
        np.concatenate([one.categories for one in parts]), np.concatenate([one.squared for one in parts]),
    )  # fmt: skip


@dataclass(frozen=True)
class Judge:
    """The closed vocabulary as the pipeline runs it, with the category found by the model (Eq. 16).

    Attributes:
        model: trained.
        statistics: of its training.
        encode: the text encoder's ``encode``.
        vocabulary: to choose the category and the names from.
        fill: give points that Eq. 22 leaves unlabeled the best mask's name all the same.
    """

    model: torch.nn.Module
    statistics: Statistics
    encode: Encode
    vocabulary: Vocabulary
    fill: bool = False

    @classmethod
    def load(cls, models: Path, encode: Encode, vocabulary: Vocabulary, fill: bool = False) -> "Judge":
        """With the model in ``models/alignparts``."""
        folder = models / "alignparts"
        model = AlignParts.from_pretrained(str(folder)).eval()
        return cls(model, Statistics.load(folder), encode, vocabulary, fill)

    def judge(self, shape: Labeled) -> Judged | None:
        """The parts of one shape; None where no predicted part has a labeled point."""
        partlets = forward(self.model, shape.arrays, next(self.model.parameters()).device)
        categories = category_cosines(partlets, self.encode, self.vocabulary)
        found = self.vocabulary.categories[int(categories.argmax())]
        candidates = category_candidates(self.vocabulary, found)
        prediction = closed_vocabulary(partlets, self.encode, candidates, category=found, fill=self.fill)
        if not prediction.parts:
            return None
        counts = confusion(prediction.point_part, shape.truth, len(prediction.parts), len(shape.names))
        inside, iou = counts[:, :-1], iou_matrix(counts)
        judged = np.flatnonzero(inside.sum(axis=0))
        if not len(judged):
            return None
        points = np.bincount(
            prediction.point_part[prediction.point_part >= 0], minlength=len(prediction.parts)
        )
        rows = []
        for index in judged.tolist():
            part, truth = prediction.parts[index], int(inside[:, index].argmax())
            rows.append(
                (shape.shape_id, shape.test_set, shape.category, found, part.name, shape.names[truth],
                 part.name == shape.names[truth], float(iou[truth, index]),
                 int(points[index]), float(points[index] / points.sum()), part.partness, part.mask_confidence)
            )  # fmt: skip
        return Judged(
            pd.DataFrame(rows, columns=COLUMNS),
            self._cosines(partlets, prediction, candidates, judged),
            np.tile(-np.sort(-categories.astype(np.float64)), (len(judged), 1)),
            self._squared(partlets, prediction, judged),
        )  # fmt: skip

    def corpus(
        self, store: FeatureStore, splits: Sequence[str], points: int, seed: int = 0,
        ids: Sequence[str] | None = None,
    ) -> Judged:  # fmt: skip
        """The parts of all shapes of some splits (of these, where `ids` are given, only they).

        Raises:
            AlignPartsError: there is no such shape, or none has a part to judge.
        """
        shapes = labeled_shapes(store, splits, points, seed, ids)
        with torch.inference_mode():
            found = [self.judge(shape) for shape in shapes]
        return concatenated([one for one in found if one is not None])

    def _cosines(
        self, partlets: Partlets, prediction: Prediction, candidates: list[Candidate],
        judged: Int64[np.ndarray, " parts"],
    ) -> Float64[np.ndarray, "parts candidates"]:  # fmt: skip
        parts = [prediction.parts[index] for index in judged.tolist()]
        cosines = part_cosines(partlets, np.array([part.partlet for part in parts]), self.encode, candidates)
        names = [candidate.name for candidate in candidates]
        order = [sorted(range(len(names)), key=lambda one: names[one] != part.name) for part in parts]
        return np.take_along_axis(cosines.astype(np.float64), np.array(order), axis=1)

    def _squared(
        self, partlets: Partlets, prediction: Prediction, judged: Int64[np.ndarray, " parts"]
    ) -> Float64[np.ndarray, "parts ridges"]:
        parts = [prediction.parts[index] for index in judged.tolist()]
        return np.array([
            self.statistics.squared(
                partlets.embeddings[part.partlet], (prediction.category, part.name), RIDGES
            )
            for part in parts
        ])  # fmt: skip
