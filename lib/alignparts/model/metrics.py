"""Metrics of a named segmentation (section 10).

One predicted segment may serve several ground-truth parts: all three metrics take, for each
ground-truth part, the predicted segment that overlaps it most, whoever else took it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64, Int, Int64

from alignparts.core.errors import AlignPartsError

TextSimilarity = Callable[[Sequence[str], Sequence[str]], np.ndarray]
"""Cosines (a, b) of two lists of names."""


def confusion(
    predicted: Int[np.ndarray, " n"], truth: Int[np.ndarray, " m"], segments: int, parts: int
) -> Int64[np.ndarray, "parts segments_and_rest"]:
    """Count points by ground-truth part (row) and predicted segment (column); the last column is unlabeled.

    Points without a ground-truth label are left out, so that they count on neither side.

    Raises:
        AlignPartsError: the two differ in length, or an index is beyond its list.
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
        pred_names: name of every segment; or their number, where segments have no names.
        gt_part: ground-truth part of every point, -1 unlabeled.
        gt_names: name of every ground-truth part; those without a point are left out.
        text_similarity: cosines of names, for rLA-mIoU.

    Returns:
        ``miou``: mean over parts of the best IoU over segments (ties: the lowest segment).
        With names also ``la_miou``: the same segment scores only if the names are equal; and ``label_iou``,
        Find3D's own: IoU of the points of each name, over the names with a non-empty union.
        With ``text_similarity`` also ``rla_miou``: IoU times the cosine of the two names, negative cosines
        as 0, equal names as 1, so that it lies between ``la_miou`` and ``miou``.

    Raises:
        AlignPartsError: no point has a ground-truth label, or the labels do not fit the names.
    """
    names = None if isinstance(pred_names, int) else list(pred_names)
    segments = pred_names if isinstance(pred_names, int) else len(pred_names)
    counts = confusion(pred_part, gt_part, segments, len(gt_names))
    present = np.flatnonzero(counts.sum(axis=1))
    if not len(present):
        raise AlignPartsError("metrics: no point has a ground-truth label")
    iou = iou_matrix(counts)[present]
    if not segments:
        iou = np.zeros((len(present), 1))
    best = iou.argmax(axis=1)
    score = iou[np.arange(len(present)), best]
    result = {"miou": float(score.mean())}
    if names is None:
        return result
    if not names:
        result |= {"la_miou": 0.0, "label_iou": 0.0}
        return result | ({"rla_miou": 0.0} if text_similarity is not None else {})
    true_names = [gt_names[index] for index in present.tolist()]
    equal = np.array([name == names[index] for name, index in zip(true_names, best, strict=True)])
    result["la_miou"] = float((score * equal).mean())
    if text_similarity is not None:
        cosine = np.clip(text_similarity(true_names, names), 0, 1)[np.arange(len(present)), best]
        result["rla_miou"] = float((score * np.where(equal, 1.0, cosine)).mean())
    result["label_iou"] = label_iou(pred_part, names, gt_part, gt_names)
    return result


def label_iou(
    pred_part: Int[np.ndarray, " n"],
    pred_names: Sequence[str],
    gt_part: Int[np.ndarray, " n"],
    gt_names: Sequence[str],
) -> float:
    """Return Find3D's metric: for every ground-truth name the IoU of the points given that name.

    Mean over the names whose union is not empty; points without a ground-truth label are left out.
    """
    names = list(dict.fromkeys(gt_names))
    number = {name: index for index, name in enumerate(names)}
    true_of = np.array([number[name] for name in gt_names], dtype=np.int64)
    pred_of = np.array([number.get(name, -1) for name in pred_names], dtype=np.int64)
    truth = np.where(gt_part < 0, -1, true_of[np.maximum(gt_part, 0)])
    predicted = np.full(len(truth), -1)
    if len(pred_of):
        predicted = np.where(pred_part < 0, -1, pred_of[np.maximum(pred_part, 0)])
    counts = confusion(predicted, truth, len(names), len(names))
    inside = np.diag(counts[:, :-1])
    union = counts.sum(axis=1) + counts[:, :-1].sum(axis=0) - inside
    return float((inside[union > 0] / union[union > 0]).mean()) if (union > 0).any() else 0.0
