"""Measure the agreement of two annotations of one object."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import Float, Int

from alignparts.core.errors import AlignPartsError
from alignparts.model.metrics import shape_metrics
from texparts.annotation.annotation import Annotation


@dataclass(frozen=True)
class Agreement:
    """Agreement of two annotations of one object in figures.

    Attributes:
        same: share of the area to which both give the same name (or none).
        kappa: Cohen's kappa of the names over the area: ``same`` corrected for chance.
        miou: mIoU, mean of both directions.
        la_miou: LA-mIoU, mean of both directions.
    """

    same: float
    kappa: float
    miou: float
    la_miou: float


def agreement(first: Annotation, second: Annotation, areas: Float[np.ndarray, " faces"]) -> Agreement:
    """Compare two annotations of the same faces; unlabeled counts as a name of its own.

    Cohen's kappa weights every face by its area; it is 1 where both give one and the same name to everything,
    for which it is not defined. mIoU and LA-mIoU count faces. Different meshes raise AlignPartsError.
    """
    if len(first.face_part) != len(second.face_part) or len(areas) != len(first.face_part):
        raise AlignPartsError(
            f"agreement: {len(first.face_part)} faces against {len(second.face_part)}; expected one mesh"
        )
    from sklearn.metrics import cohen_kappa_score  # seconds that a restarted server would wait for

    names = sorted({part.name for part in (*first.parts, *second.parts)})
    a, b = (
        np.array([*(names.index(part.name) for part in annotation.parts), -1])[_rows(annotation)]
        for annotation in (first, second)
    )
    total = float(areas.sum())
    weights = areas / total if total > 0 else np.full(len(areas), 1 / max(len(areas), 1))
    same = float(weights[a == b].sum())
    kappa = 1.0 if (a == b).all() else float(cohen_kappa_score(a, b, sample_weight=weights))
    forth, back = _scores(first, second), _scores(second, first)
    miou, la_miou = ((x + y) / 2 for x, y in zip(forth, back, strict=True))
    return Agreement(min(same, 1.0), kappa, miou, la_miou)


def mean_agreement(pairs: Sequence[Agreement]) -> Agreement | None:
    """Return the mean of each figure; None without pairs."""
    return Agreement(*np.mean([astuple(pair) for pair in pairs], axis=0).tolist()) if pairs else None


def _scores(truth: Annotation, predicted: Annotation) -> tuple[float, float]:
    if (truth.face_part < 0).all():
        nothing = float((predicted.face_part < 0).all())
        return nothing, nothing
    guessed, true = ([part.name for part in annotation.parts] for annotation in (predicted, truth))
    scores = shape_metrics(_rows(predicted), guessed, _rows(truth), true)
    return scores["miou"], scores["la_miou"]


def _rows(annotation: Annotation) -> Int[np.ndarray, " faces"]:
    """Return the part of every face as a row of ``annotation.parts``; -1 without one."""
    table = np.full(annotation.next_id + 1, -1, np.int64)
    table[[part.id for part in annotation.parts]] = np.arange(len(annotation.parts))
    return table[annotation.face_part]
