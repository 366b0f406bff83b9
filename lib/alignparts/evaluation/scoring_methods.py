"""Any methods on the test shapes: what each is told, what it finds, how it scores."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from alignparts.core.parallel import map_shapes
from alignparts.evaluation.baselines.partfield_clustering import (
    COUNTS,
    Kind,
    estimate_count,
    label_of,
    partitions,
)
from alignparts.evaluation.ground_truth import Labeled, labeled_shapes
from alignparts.evaluation.methods import Given, Method, Segments
from alignparts.evaluation.scoring import Score, similarity_of
from alignparts.features.store import FeatureStore
from alignparts.model.metrics import TextSimilarity, shape_metrics
from alignparts.naming.prediction import Encode, Prediction

Told = Literal["category", "names", "parts"]
BEST_OVER_K = "miou_best_over_k"


@dataclass(frozen=True)
class Entrant:
    """A method, and what it is told besides the shape: the category, the names of its parts, their number."""

    method: Method
    told: tuple[Told, ...] = ()

    def given(self, shape: Labeled) -> Given:
        """What the method may know of a shape; in unseen categories always the names."""
        names = tuple(shape.present) if "names" in self.told or shape.heldout else None
        return Given(
            category=shape.category if "category" in self.told and not shape.heldout else None,
            names=names,
            parts=true_count(shape) if "parts" in self.told else None,
        )


def answers(entrants: Sequence[Entrant], shape: Labeled) -> dict[str, Segments]:
    """What every method makes of a shape, by label."""
    return {one.method.label: one.method.predict(shape.arrays, one.given(shape)) for one in entrants}


def score(
    found: Segments | Prediction, shape: Labeled, similarity: TextSimilarity | None = None
) -> dict[str, float]:
    """:func:`metrics.shape_metrics` of what a method found; without names, of its segments."""
    names = int(found.point_part.max(initial=-1)) + 1 if found.names is None else found.names
    return shape_metrics(found.point_part, names, shape.truth, shape.names, similarity)


@dataclass
class MethodEvaluation:
    """Scores, and the segments behind them by method and shape."""

    scores: list[Score] = field(default_factory=list)
    segments: dict[str, dict[str, Segments]] = field(default_factory=dict)


def evaluate_methods(
    store: FeatureStore,
    entrants: Sequence[Entrant],
    encode: Encode,
    *,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
    ids: Sequence[str] | None = None,
) -> MethodEvaluation:
    """Every entrant on the same points of the same shapes as :func:`scoring.evaluate_corpus`.

    Args:
        store: features and ground truth of every shape.
        entrants: methods with different labels.
        encode: the text encoder's ``encode``, for rLA-mIoU.
        points: points a shape.
        seed: of the subset.
        splits: which shapes.
        ids: of these, those to take; all by default.

    Raises:
        AlignPartsError: no shape of these splits, or what a method raises.
    """
    result, similarity = MethodEvaluation(), similarity_of(encode)
    for shape in labeled_shapes(store, splits, points, seed, ids):
        for entrant in entrants:
            label = entrant.method.label
            found = entrant.method.predict(shape.arrays, entrant.given(shape))
            values = score(found, shape, similarity)
            result.scores.append(Score(shape.shape_id, shape.test_set, shape.category, label, values))
            result.segments.setdefault(label, {})[shape.shape_id] = found
    return result


def partfield_scores(
    store: FeatureStore,
    kinds: Sequence[Kind] = ("k-means", "agglomerative"),
    *,
    counts: Sequence[int] = COUNTS,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
    workers: int = 1,
) -> list[Score]:
    """PartField's field by both of its clusterings: at the true number of parts, at an estimated one, best.

    A shape is cut once for every number of clusters, whoever asks for it. "best over k", PartField's own
    protocol, is an oracle: it chooses the number by the truth.

    Returns:
        Methods :func:`partfield_clustering.label_of` (``miou`` at the true number, and
        best over k; ``miou`` at the estimated number).
    """
    shapes = list(labeled_shapes(store, splits, points, seed))
    cut = partial(_cut, kinds=kinds, counts=counts, seed=seed)
    found = map_shapes(cut, shapes, workers=workers, description="PartField")
    return [score for scores in found for score in scores]


def _cut(shape: Labeled, kinds: Sequence[Kind], counts: Sequence[int], seed: int) -> list[Score]:
    scores, features = [], shape.arrays["geometry"]
    for kind in kinds:
        partition = partitions(features, shape.arrays["points"], kind, seed=seed)
        cuts = {count: partition(count) for count in sorted({1, *counts, true_count(shape)})}
        miou = {
            count: shape_metrics(cut, int(cut.max()) + 1, shape.truth, shape.names)["miou"]
            for count, cut in cuts.items()
        }
        estimated = estimate_count(features, cuts.__getitem__, counts, seed=seed)
        best = max(miou[count] for count in counts)
        for method, values in (
            (label_of(kind), {"miou": miou[true_count(shape)], BEST_OVER_K: best}),
            (label_of(kind, estimated=True), {"miou": miou[estimated]}),
        ):
            scores.append(Score(shape.shape_id, shape.test_set, shape.category, method, values))
    return scores


def true_count(shape: Labeled) -> int:
    """Number of ground-truth parts that hold a point."""
    return len(shape.present)
