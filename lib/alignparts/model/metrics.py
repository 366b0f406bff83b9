"""Metrics of a named segmentation (section 10).

All three metrics take, for each ground-truth part, the predicted segment that overlaps it most; a segment may
serve several parts.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64, Int, Int64

from alignparts.core.errors import AlignPartsError

TextSimilarity = Callable[[Sequence[str], Sequence[str]], np.ndarray]
"""Function from two lists of names to their cosines (a, b)."""


def confusion(
    predicted: Int[np.ndarray, " n"], truth: Int[np.ndarray, " m"], segments: int, parts: int
) -> Int64[np.ndarray, "parts segments_and_rest"]:
    """Count points by ground-truth part (row) and predicted segment (column); the last column is unlabeled.

    Points without a ground-truth label are left out, so that they count on neither side.

    Raises:
        AlignPartsError: the two label arrays differ in length, or an index is beyond its list of names.
    """
    if len(predicted) != len(truth):
        raise AlignPartsError(f"metrics: {len(predicted)} predicted labels for {len(truth)} points")
    if len(truth) and (truth.max() >= parts or predicted.max() >= segments):
        raise AlignPartsError("metrics: a label is beyond its list of names")
    labeled = truth >= 0
    column = np.where(predicted < 0, segments, predicted)[labeled].astype(np.int64)
    flat = truth[labeled].astype(np.int64) * (segments + 1) + column
    return np.bincount(flat, minlength=parts * (segments + 1)).reshape(parts, segments + 1)


def iou_matrix(counts: Int64[np.ndarray, "parts segments_and_rest"]) -> Float64[np.ndarray, "parts segments"]:
    """Return the intersection over union of every part with every segment; 0 where the union is empty."""
    inside = counts[:, :-1]
    union = counts.sum(axis=1, keepdims=True) + inside.sum(axis=0, keepdims=True) - inside
    return inside / np.maximum(union, 1)


def shape_metrics(
    pred_part: Int[np.ndarray, " n"],
    pred_names: Sequence[str] | int,
    gt_part: Int[np.ndarray, " m"],
    gt_names: Sequence[str],
    text_similarity: TextSimilarity | None = None,
) -> dict[str, float]:
    """Return the metrics of one shape.

    Args:
        pred_part: predicted segment of every point, -1 unlabeled.
        pred_names: name of every segment; the number of segments if they have no names.
        gt_part: ground-truth part of every point, -1 unlabeled.
        gt_names: name of every ground-truth part; those without a point are left out.
        text_similarity: cosines of names, for rLA-mIoU.

    Returns:
        ``miou``: mean over parts of the best IoU over segments (ties: the lowest segment).
        With names also ``la_miou``, where that segment scores only if the names are equal, and
        :func:`label_iou`. With ``text_similarity`` also ``rla_miou``: IoU times the cosine of the two names,
        negative cosines as 0, equal names as 1, so that it lies between ``la_miou`` and ``miou``.

    Raises:
        AlignPartsError: no point has a ground-truth label, or the labels do not fit the names.
    """
    names = None if isinstance(pred_names, int) else list(pred_names)
    segments = pred_names if isinstance(pred_names, int) else len(pred_names)
    counts = confusion(pred_part, gt_part, segments, len(gt_names))
    present = np.flatnonzero(counts.sum(axis=1))
    if not len(present):
        raise AlignPartsError("metrics: no point has a ground-truth label")
    iou = iou_matrix(counts)[present] if segments else np.zeros((len(present), 1))
    rows, best = np.arange(len(present)), iou.argmax(axis=1)
    score = iou[rows, best]
    result = {"miou": float(score.mean())}
    if names is None:
        return result
    true_names = [gt_names[part] for part in present.tolist()]
    equal = np.array([names[at : at + 1] == [name] for name, at in zip(true_names, best, strict=True)])
    result["la_miou"] = float((score * equal).mean())
    if text_similarity is not None:
        cosine = np.clip(text_similarity(true_names, names), 0, 1)[rows, best] if names else 0.0
        result["rla_miou"] = float((score * np.where(equal, 1.0, cosine)).mean())
    result["label_iou"] = label_iou(pred_part, names, gt_part, gt_names)
    return result


def label_iou(
    pred_part: Int[np.ndarray, " n"],
    pred_names: Sequence[str],
    gt_part: Int[np.ndarray, " n"],
    gt_names: Sequence[str],
) -> float:
    """Return Find3D's metric: the mean over ground-truth names of the IoU of the points given that name.

    Names whose union is empty are left out, and so are points without a ground-truth label.
    """
    names = list(dict.fromkeys(gt_names))
    number = {name: index for index, name in enumerate(names)}
    true_of = np.array([*(number[name] for name in gt_names), -1])  # -1 at the end: unlabeled
    pred_of = np.array([*(number.get(name, -1) for name in pred_names), -1])
    counts = confusion(pred_of[pred_part], true_of[gt_part], len(names), len(names))
    occurs = (counts.sum(axis=1) > 0) | (counts[:, :-1].sum(axis=0) > 0)
    return float(np.diag(iou_matrix(counts))[occurs].mean()) if occurs.any() else 0.0
