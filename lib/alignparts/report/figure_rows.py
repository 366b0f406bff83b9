"""Rows of Figures 4 to 9 from shapes and the predictions of methods.

Figures 4 (methods), 5 (ablation) and 7 (unseen categories) are rows of :func:`shape_row`, Figure 6 of
:func:`closeup_row`, Figure 8 of :func:`transfer_row`, Figure 9 of :func:`query_rows`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from alignparts.corpus.mesh.render import draw_views
from alignparts.corpus.mesh.surface import Surface
from alignparts.evaluation.experiments.cosegmentation import transfer_accuracy
from alignparts.evaluation.experiments.modes import Masks, masks_of, query_iou
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.scoring import score
from alignparts.model.metrics import confusion, iou_matrix
from alignparts.naming.prediction import Prediction
from alignparts.ontology.vocabulary import words
from alignparts.pictures import figures
from alignparts.pictures.gallery import Panel, Row
from alignparts.report.mesh_painting import Canvas
from alignparts.report.selection import smallest_part

TRUTH = "ground truth"
CLOSE, AROUND = 1.5, 2.8
"""Half width of a close-up in radii of its part; radius of what is drawn in half widths."""
LEAST_RADIUS = 0.1
"""Smallest half width of a close-up in the model frame."""
QUARTER = np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]])
"""Quarter turn about the up axis, for row vectors."""


def borrowed_names(
    segment: Int[np.ndarray, " n"], truth: Int[np.ndarray, " n"], names: Sequence[str]
) -> list[str]:
    """Return the ground-truth part whose color each unnamed segment borrows, "" where there is no match.

    The one-to-one assignment has the largest total IoU and does not depend on how segments are numbered.
    Segments and parts are numbers per point, -1 unlabeled.
    """
    count = int(segment.max(initial=-1)) + 1
    iou = iou_matrix(confusion(segment, truth, count, len(names)))
    # By the first point rather than by number, so that ties fall alike under any numbering.
    order = sorted(range(count), key=lambda number: int(np.argmax(segment == number)))
    borrowed = [""] * count
    for part, column in zip(*linear_sum_assignment(-iou[:, order]), strict=True):
        if iou[part, order[column]] > 0:
            borrowed[order[column]] = names[part]
    return borrowed


def shape_row(
    title: str, shape: Labeled, outputs: Mapping[str, Prediction], surface: Surface | None = None
) -> Row:
    """Return the outputs of methods for one shape, by the title of their panel, the ground truth last.

    Figures 4, 5 and 7. Without a mesh, points are drawn.
    """
    return Row(title, _panels(shape, outputs, Canvas(shape, surface)))


def closeup_row(shape: Labeled, outputs: Mapping[str, Prediction], surface: Surface | None = None) -> Row:
    """Return a shape with its smallest ground-truth part marked, and close-ups of all outputs (Figure 6).

    Of several instances the one with the most points is shown. The camera is that of all pictures; the shape
    is turned by quarters about the up axis until most of the part is in sight.
    """
    part, count, labeled = smallest_part(shape)
    inside = shape.truth == part
    if "instance" in shape.arrays:
        instance = shape.arrays["instance"].astype(np.int64)
        values, counts = np.unique(instance[inside], return_counts=True)
        inside &= instance == values[counts.argmax()]
    place = shape.arrays["points"].astype(np.float64)[inside]
    center = (place.min(axis=0) + place.max(axis=0)) / 2
    reach = float(np.linalg.norm(place - center, axis=1).max())
    radius = max(CLOSE * reach, LEAST_RADIUS)
    whole = _panels(shape, {}, Canvas(shape, surface))[0]
    centers = whole.body.reshape(len(whole.body), -1, 3).mean(axis=1)
    wanted = (whole.part == part) & (np.linalg.norm(centers - center, axis=1) < max(reach, 0.02))
    turn = max(range(4), key=lambda quarters: _in_sight(_turned(whole.body, quarters), wanted))
    mark = (tuple(_turned(center, turn).tolist()), radius)
    whole = replace(whole, title=f"whole shape, {TRUTH}", body=_turned(whole.body, turn), mark=mark)
    canvas = Canvas(shape, surface, (center, AROUND * radius))
    close = _turned((canvas.body - center) / radius, turn)
    notes = [*(_note_of_part(segments, shape, part) for segments in outputs.values()), ""]
    panels = [
        replace(panel, body=close, zoom=1 / radius, note=note)
        for panel, note in zip(_panels(shape, outputs, canvas), notes, strict=True)
    ]
    share = f"{count:,} of {labeled:,} labeled points ({count / labeled:.1%})"
    return Row(f"{words(shape.category)}: {words(shape.names[part])}, {share}", [whole, *panels])


def transfer_row(
    title: str,
    source: Labeled,
    target: Labeled,
    outputs: Mapping[str, Prediction],
    source_surface: Surface | None = None,
    target_surface: Surface | None = None,
) -> Row:
    """Return a source, and its target as several methods label it, the ground truth last (Figure 8).

    The outputs are named segments of the target's points, by the title of their panel. Without meshes, points
    are drawn.

    Raises:
        AlignPartsError: segments have no names.
    """
    first = _panels(source, {}, Canvas(source, source_surface))[0]
    *panels, last = _panels(target, outputs, Canvas(target, target_surface))
    row = [replace(first, title="source")]
    for panel, segments in zip(panels, outputs.values(), strict=True):
        right = transfer_accuracy(segments, target.truth, target.names, source.present)
        note = f"{right['transfer']:.0%} of points right" if "transfer" in right else "no shared part"
        row.append(replace(panel, note=note))
    return Row(title, [*row, replace(last, title=f"target, {TRUTH}")])


def query_rows(
    title: str,
    shape: Labeled,
    answers: Mapping[str, Masks],
    surface: Surface | None = None,
    most: int | None = None,
) -> list[Row]:
    """Return one row per query for a part: the points that methods return, the part itself last (Figure 9).

    The queries are the shape's present parts in order, or the ``most`` largest of them. A method answers with
    the points (q, n) of every query, by the title of its panel. Without a mesh, points are drawn.
    """
    truth = masks_of(Prediction.of_names(shape.truth, shape.names), shape.present)
    canvas, counted = Canvas(shape, surface), shape.truth >= 0
    chosen = np.sort(np.argsort(-truth.sum(axis=1), kind="stable")[:most])
    exact, rows = canvas.truth(), []
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


def _panels(shape: Labeled, outputs: Mapping[str, Prediction], canvas: Canvas) -> list[Panel]:
    panels = []
    for label, segments in outputs.items():
        named, scores = segments.named, score(segments, shape)
        shown = segments.names if named else borrowed_names(segments.point_part, shape.truth, shape.names)
        part = canvas.carry(segments.point_part, len(shown))
        note = f"mIoU {scores['miou']:.2f}, " + (f"LA {scores['la_miou']:.2f}" if named else "no names")
        panels.append(Panel(label, canvas.body, part, shown, note, named=named))
    return [*panels, Panel(TRUTH, canvas.body, canvas.truth(), shape.names)]


def _note_of_part(segments: Prediction, shape: Labeled, part: int) -> str:
    """Return the IoU of the segment that overlaps a part most, and its name where that is wrong."""
    count = int(segments.point_part.max(initial=-1)) + 1
    if not count:
        return "IoU 0.00"
    iou = iou_matrix(confusion(segments.point_part, shape.truth, count, len(shape.names)))[part]
    best = int(iou.argmax())
    called = segments.names[best] if segments.named else shape.names[part]
    wrong = f", called {words(called)}" if called != shape.names[part] and iou[best] > 0 else ""
    return f"IoU {iou[best]:.2f}{wrong}"


def _turned(points: Float[np.ndarray, "*n 3"], quarters: int) -> Float[np.ndarray, "*n 3"]:
    """Return points turned about the up axis."""
    return (points @ np.linalg.matrix_power(QUARTER, quarters)).astype(points.dtype)


def _in_sight(body: Float[np.ndarray, "n *corner 3"], wanted: Bool[np.ndarray, " n"]) -> int:
    """Return the number of pixels that show a wanted point or triangle, from the camera of all pictures."""
    # Large balls close the gaps between points, through which hidden ones would show.
    surface = figures.solid(body, zoom=3.0)
    face = draw_views(surface, surface.vertices, figures.camera(), 240).face
    return int(wanted[face[face >= 0] * len(body) // len(surface.faces)].sum())
