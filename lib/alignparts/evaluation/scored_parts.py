"""Predicted parts with the truth of their names, and all that their confidence depends on.

A predicted part is matched with the ground-truth part that most of its labeled points belong to (ties: the
first); its name is right if that part has it. Parts without a labeled point are left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float64

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.ground_truth import Labeled, labeled_shapes
from alignparts.features.store import FeatureStore
from alignparts.model.backbone.learned import Model, load_model
from alignparts.model.metrics import confusion, iou_matrix
from alignparts.naming import inference
from alignparts.naming.confidence import STATISTICS, Calibration, Evidence, Label, Statistics, soft_confidence
from alignparts.naming.prediction import Encode, Labels
from alignparts.naming.segments import part_cosines
from alignparts.ontology.vocabulary import Vocabulary

RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Epsilons of Eq. 39 (shares of the mean variance) that a calibration may choose from."""


@dataclass(frozen=True)
class ScoredParts:
    """Predicted parts.

    Attributes:
        table: one row per part: ``shape_id``, ``test_set``, ``category`` and ``predicted_category``, ``name``
            and ``truth`` (all canonical), ``right``, ``iou``, ``share`` of the labeled points, ``partness``,
            ``mask_confidence``; and per part an array of ``cosines`` with the candidate names, the given name
            first, of ``categories`` (cosines of Eq. 16, falling), and of ``squared`` (d² of Eq. 18 at
            :data:`RIDGES`, NaN for a label without training partlets).
    """

    table: pd.DataFrame

    @property
    def right(self) -> Bool[np.ndarray, " parts"]:
        """Return True where a name is right."""
        return self.table.right.to_numpy(bool)

    @property
    def shapes(self) -> list[str]:
        """Return the ids of the shapes in alphabetical order."""
        return sorted(set(self.table.shape_id))

    def of(self, shape_ids: Iterable[str]) -> "ScoredParts":
        """Select the parts of some shapes."""
        return ScoredParts(self.table[self.table.shape_id.isin(set(shape_ids))].reset_index(drop=True))

    def matrix(self, column: str) -> Float64[np.ndarray, "parts values"]:
        """Return a column of arrays as a matrix, -inf where a row of cosines is shorter than others."""
        rows = self.table[column].tolist()
        lengths = np.array([len(row) for row in rows])
        matrix = np.full((len(rows), lengths.max(initial=0)), np.nan if column == "squared" else -np.inf)
        matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = np.concatenate(rows)
        return matrix

    def mahalanobis(self, ridge: float) -> Float64[np.ndarray, " parts"]:
        """Return Eq. 18 at one of :data:`RIDGES`; NaN for a label without training partlets."""
        return np.exp(-self.matrix("squared")[:, RIDGES.index(ridge)])

    def evidence(self, calibration: Calibration) -> Evidence:
        """Return the input of the calibration."""
        columns = ("partness", "mask_confidence", "share")
        return Evidence(
            soft=soft_confidence(self.matrix("cosines"), calibration.tau)[:, 0],
            mahalanobis=self.mahalanobis(calibration.ridge),
            category=calibration.category_confidence(self.matrix("categories")),
            **{name: self.table[name].to_numpy(np.float64) for name in columns},
        )

    def confidence(self, calibration: Calibration) -> Float64[np.ndarray, " parts"]:
        """Return the confidence of the pipeline with this calibration."""
        return calibration.confidence(self.evidence(calibration))


def concatenated(several: Iterable[ScoredParts | None]) -> ScoredParts:
    """Join scored parts; None counts as no parts. Raises AlignPartsError if there are none."""
    tables = [parts.table for parts in several if parts is not None]
    if not tables:
        raise AlignPartsError("no scored parts: no shape has a predicted part with labeled points")
    return ScoredParts(pd.concat(tables, ignore_index=True))


@dataclass(frozen=True)
class PartScorer:
    """The closed vocabulary as the pipeline runs it, with the category chosen by the model (Eq. 16).

    ``labels`` is the rule by which points get their part; without statistics of training partlets there is no
    Eq. 18.
    """

    model: Model
    statistics: Statistics | None
    encode: Encode
    vocabulary: Vocabulary
    labels: Labels = "points"

    @classmethod
    def load(
        cls, folder: Path, encode: Encode, vocabulary: Vocabulary, labels: Labels = "points"
    ) -> "PartScorer":
        """Load the model in a folder."""
        statistics = Statistics.load(folder) if (folder / STATISTICS).is_file() else None
        return cls(load_model(folder), statistics, encode, vocabulary, labels)

    def score(self, shape: Labeled) -> ScoredParts | None:
        """Name and score the parts of one shape; None where no part has a labeled point."""
        partlets = inference.forward(self.model, shape.arrays)
        categories = inference.category_cosines(partlets, self.encode, self.vocabulary).astype(np.float64)
        category = self.vocabulary.categories[int(categories.argmax())]
        candidates = inference.category_candidates(self.vocabulary, category)
        prediction = inference.closed_vocabulary(
            partlets, self.encode, candidates, category=category, labels=self.labels
        )
        counts = confusion(prediction.point_part, shape.truth, len(prediction.parts), len(shape.names))
        inside, iou = counts[:, :-1], iou_matrix(counts)
        matched = np.flatnonzero(inside.sum(axis=0)).tolist()
        if not matched:
            return None
        parts = [prediction.parts[index] for index in matched]
        names, truths = [part.name for part in parts], inside.argmax(axis=0)[matched].tolist()
        true_names = [shape.names[truth] for truth in truths]
        vectors = np.asarray(prediction.vectors)[matched]
        labeled = prediction.point_part[prediction.point_part >= 0]
        cosines = part_cosines(vectors, self.encode, candidates).astype(np.float64)
        others = np.array(names)[:, None] != np.array([candidate.name for candidate in candidates])
        given_first = np.take_along_axis(cosines, others.argsort(axis=1, kind="stable"), axis=1)
        labels = zip(vectors, names, strict=True)
        table = {
            "shape_id": shape.shape_id, "test_set": shape.test_set, "category": shape.category,
            "predicted_category": category, "name": names, "truth": true_names,
            "right": np.array(names) == np.array(true_names), "iou": iou[truths, matched],
            "share": np.bincount(labeled)[matched] / len(labeled),
            "partness": [part.partness for part in parts],
            "mask_confidence": [part.mask_confidence for part in parts], "cosines": list(given_first),
            "categories": [-np.sort(-categories)] * len(parts),
            "squared": [self._squared(z, (category, name)) for z, name in labels],
        }  # fmt: skip
        return ScoredParts(pd.DataFrame(table))

    def _squared(self, partlet: np.ndarray, label: Label) -> Float64[np.ndarray, " ridges"]:
        if self.statistics is None:
            return np.full(len(RIDGES), np.nan)
        return self.statistics.squared(partlet, label, RIDGES)

    def corpus(
        self,
        store: FeatureStore,
        splits: Sequence[str],
        points: int,
        seed: int = 0,
        ids: Sequence[str] | None = None,
    ) -> ScoredParts:
        """Score the parts of :func:`ground_truth.labeled_shapes`; AlignPartsError if there is none."""
        with torch.inference_mode():
            return concatenated(map(self.score, labeled_shapes(store, splits, points, seed, ids)))
