"""Rows of Figures 4 to 9 from shapes and what methods make of them.

Figures 4 (methods), 5 (ablation) and 7 (unseen categories) are rows of :func:`shape_row`, Figure 6 of
:func:`closeup_row`, Figure 8 of :func:`transfer_row`, Figure 9 of :func:`query_rows`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import Surface
from alignparts.evaluation.experiments.cosegmentation import transfer_accuracy
from alignparts.evaluation.experiments.retrieval import Masks, masks_of, query_iou
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.methods import Segments
from alignparts.model.metrics import confusion, iou_matrix, shape_metrics
from alignparts.naming.prediction import Prediction
from alignparts.ontology.vocabulary import words
from alignparts.pictures.figures import CAMERA
from alignparts.pictures.gallery import Panel, Row
from alignparts.report.mesh_painting import Canvas
from alignparts.report.selection import smallest_part

TRUTH = "ground truth"
CLOSE, AROUND = 1.5, 2.8
"""A close-up shows so many radii of its part, and keeps what lies within so many radii of what it shows."""
LEAST_RADIUS = 0.1
"""Of what a close-up shows, in the model frame."""
CELL = 4.0
"""Side of the squares within which the nearest point hides the others, in distances between neighbors."""

Found = Segments | Prediction


def borrowed_names(
    segment: Int[np.ndarray, " n"], truth: Int[np.ndarray, " n"], names: Sequence[str]
) -> list[str]:
    """Whose color every segment of a method without names takes: one part a segment, at most one a part.

    The assignment has the largest total IoU. It does not depend on how segments are numbered.

    Args:
        segment: of every point, -1 unlabeled.
        truth: ground-truth part of every point, -1 unlabeled.
        names: of the parts.

    Returns:
        A name a segment; "" where it overlaps no part that is left for it.
    """
    count = int(segment.max(initial=-1)) + 1
    iou = iou_matrix(confusion(segment, truth, count, len(names)))
    # By the first point rather than by number, so that ties fall alike under any numbering.
    order = sorted(range(count), key=lambda one: int(np.argmax(segment == one)))
    borrowed = [""] * count
    for part, column in zip(*linear_sum_assignment(-iou[:, order]), strict=True):
        if iou[part, order[column]] > 0:
            borrowed[order[column]] = names[part]
    return borrowed


def shape_row(title: str, shape: Labeled, found: Mapping[str, Found], surface: Surface | None = None) -> Row:
    """What methods make of one shape, the ground truth last (Figures 4, 5 and 7).

    Args:
        title: of the row.
        shape: with its ground truth.
        found: segments of the shape's points, by what the column is called.
        surface: its mesh, where it has one.

    Raises:
        AlignPartsError: segments are not those of the shape's points.
    """
    return Row(title, _panels(shape, found, Canvas(shape, surface)))


def closeup_row(shape: Labeled, found: Mapping[str, Found], surface: Surface | None = None) -> Row:
    """The smallest ground-truth part: where it is, and what methods make of its surroundings (Figure 6).

    Of several instances the one with the most points is shown. The camera is that of all pictures; the shape
    is turned by quarters about the vertical until the most of the part is in sight.

    Raises:
        AlignPartsError: segments are not those of the shape's points, or no point is labeled.
    """
    part, count, labeled = smallest_part(shape)
    inside = shape.truth == part
    if "instance" in shape.arrays:
        instance = shape.arrays["instance"].astype(np.int64)
        values, counts = np.unique(instance[inside], return_counts=True)
        inside &= instance == values[counts.argmax()]
    points = shape.arrays["points"].astype(np.float64)
    place = points[inside]
    center = (place.min(axis=0) + place.max(axis=0)) / 2
    radius = max(CLOSE * float(np.linalg.norm(place - center, axis=1).max()), LEAST_RADIUS)
    turn = max(range(4), key=lambda one: (_in_sight(_turned(points, one), inside), -one))
    whole = _panels(shape, {}, Canvas(shape, surface))[0]
    whole = replace(
        whole,
        title=f"whole shape, {TRUTH}",
        body=_turned(whole.body, turn),
        mark=(tuple(_turned(center, turn).tolist()), radius),
    )
    canvas = Canvas(shape, surface, (center, AROUND * radius))
    close = _turned((canvas.body - center) / radius, turn).astype(np.float32)
    panels = [replace(one, body=close, zoom=1 / radius) for one in _panels(shape, found, canvas)]
    for number, segments in enumerate(found.values()):
        panels[number] = replace(panels[number], note=_note_of_part(segments, shape, part))
    share = f"{count:,} of {labeled:,} labeled points ({count / labeled:.1%})"
    return Row(f"{words(shape.category)}: {words(shape.names[part])}, {share}", [whole, *panels])


def transfer_row(
    title: str,
    source: Labeled,
    target: Labeled,
    found: Mapping[str, Found],
    source_surface: Surface | None = None,
    target_surface: Surface | None = None,
) -> Row:
    """A source, and how its target is labeled in several ways (Figure 8).

    Args:
        title: of the row.
        source: the shape whose labels are carried; its ground truth is the first panel.
        target: the shape that gets them; its ground truth is the last panel.
        found: named segments of the target's points, by what the column is called.
        source_surface: mesh of the source, where it has one.
        target_surface: mesh of the target, where it has one.

    Raises:
        AlignPartsError: segments have no names, or are not those of the target's points.
    """
    first = _panels(source, {}, Canvas(source, source_surface))[0]
    panels = _panels(target, found, Canvas(target, target_surface))
    for number, (label, segments) in enumerate(found.items()):
        right = transfer_accuracy(segments, target.truth, target.names, source.present)
        note = f"{right['transfer']:.0%} of points right" if "transfer" in right else "no shared part"
        panels[number] = replace(panels[number], title=label, note=note)
    return Row(
        title, [replace(first, title="source"), *panels[:-1], replace(panels[-1], title=f"target, {TRUTH}")]
    )


def query_rows(
    title: str,
    shape: Labeled,
    answers: Mapping[str, Masks],
    surface: Surface | None = None,
    most: int | None = None,
) -> list[Row]:
    """Every query for a part of one shape: the points that methods return, the part itself last (Figure 9).

    Args:
        title: of the shape; the query is added.
        shape: with its ground truth; the queries are its present parts, in this order.
        answers: points (q, n) that every query returns, by what the column is called.
        surface: its mesh, where it has one.
        most: only the queries for so many of its largest parts.

    Raises:
        AlignPartsError: answers are not those of the shape's points and parts.
    """
    truth = masks_of(Segments(shape.truth, shape.names), shape.present)
    canvas, counted = Canvas(shape, surface), shape.truth >= 0
    chosen = np.sort(np.argsort(-truth.sum(axis=1), kind="stable")[:most])
    exact, rows = canvas.truth(), []
    for label, masks in answers.items():
        if masks.shape != truth.shape:
            raise AlignPartsError(
                f"'{label}': answers {masks.shape} for {len(shape.present)} queries and "
                f"{len(shape.truth)} points of {shape.shape_id}"
            )
    for query in chosen.tolist():
        name = shape.present[query]
        wanted = [index for index, one in enumerate(shape.names) if one == name]
        panels = []
        for label, masks in answers.items():
            note = f"IoU {query_iou(masks[[query]], truth[[query]], counted):.2f}"
            part = canvas.carry(np.where(masks[query], 0, -1), 1)
            panels.append(Panel(label, canvas.body, part, [name], note, rest="not returned"))
        last = Panel(TRUTH, canvas.body, np.where(np.isin(exact, wanted), 0, -1), [name], rest="other parts")
        rows.append(Row(f"{title}: “{words(name)}”", [*panels, last], legend=False))
    return rows


def _panels(shape: Labeled, found: Mapping[str, Found], canvas: Canvas) -> list[Panel]:
    panels = []
    for label, segments in found.items():
        if len(segments.point_part) != len(shape.truth):
            raise AlignPartsError(
                f"'{label}': {len(segments.point_part)} labels, "
                f"but {shape.shape_id} has {len(shape.truth)} points"
            )
        names = segments.names
        shown = borrowed_names(segments.point_part, shape.truth, shape.names) if names is None else names
        scores = shape_metrics(
            segments.point_part, len(shown) if names is None else names, shape.truth, shape.names
        )
        ending = "no names" if names is None else f"LA {scores['la_miou']:.2f}"
        part = canvas.carry(segments.point_part, len(shown))
        note = f"mIoU {scores['miou']:.2f}, {ending}"
        panels.append(Panel(label, canvas.body, part, shown, note, named=names is not None))
    return [*panels, Panel(TRUTH, canvas.body, canvas.truth(), shape.names)]


def _note_of_part(segments: Found, shape: Labeled, part: int) -> str:
    """IoU of the segment that overlaps a part most, and what it is called where that is wrong."""
    count = int(segments.point_part.max(initial=-1)) + 1
    if not count:
        return "IoU 0.00"
    iou = iou_matrix(confusion(segments.point_part, shape.truth, count, len(shape.names)))[part]
    best = int(iou.argmax())
    called = shape.names[part] if segments.names is None else segments.names[best]
    wrong = f", called {words(called)}" if called != shape.names[part] and iou[best] > 0 else ""
    return f"IoU {iou[best]:.2f}{wrong}"


def _turned(points: np.ndarray, quarters: int) -> np.ndarray:
    """Turned about the vertical."""
    for _ in range(quarters % 4):
        points = np.stack([points[..., 2], points[..., 1], -points[..., 0]], axis=-1)
    return points


def _in_sight(points: Float[np.ndarray, "n 3"], wanted: np.ndarray) -> int:
    """How many of the wanted points nothing else hides, seen from far away in the camera's direction."""
    ahead = -np.array(CAMERA) / np.linalg.norm(CAMERA)
    right = np.cross(ahead, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    plane = np.stack([points @ right, points @ np.cross(right, ahead)], axis=1)
    side = CELL * float(np.median(cKDTree(points).query(points, k=2)[0][:, 1]))
    if not 0 < side < np.inf:
        return int(wanted.sum())
    cell = np.unique(np.rint(plane / side).astype(np.int64), axis=0, return_inverse=True)[1].reshape(-1)
    depth = points @ ahead
    nearest = np.full(cell.max() + 1, np.inf)
    np.minimum.at(nearest, cell, depth)
    return int((wanted & (depth < nearest[cell] + 2 * side)).sum())
