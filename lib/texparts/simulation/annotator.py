"""Simulate an annotator, who brings an annotation to the truth with the review's own edits.

It knows the truth, makes no mistakes and works in a fixed order: category, then names and merges of the parts
at hand, then painting: a click on a whole piece or cluster where that gains area, else a brush stroke.
"""

from collections.abc import Collection
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from scipy.spatial.distance import cdist

from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import UNLABELED, Annotation, apply
from texparts.annotation.edits import Accept, Add, Category, Change, Delete, Merge, Paint, Rename, runs_of
from texparts.annotation.geometry import Shape
from texparts.simulation.cost import CostModel, Tally
from texparts.simulation.truth import Truth, judge

Tool = Literal["brush", "component", "cluster"]
ALL_TOOLS: tuple[Tool, ...] = ("brush", "component", "cluster")
LEAST_GAIN = 1e-9
"""Least share of the object's area for which a click is worth it."""
PLACES = 64
"""Places at which the brush is tried, spread over the faces to be painted."""


class Step(NamedTuple):
    """One edit, as the review stores it, and its cost."""

    edit: Change
    tally: Tally


class _Painting(NamedTuple):
    """A click or brush stroke that gives faces to the true part of a column."""

    column: int
    faces: Int[np.ndarray, " n"]
    tool: Tool
    setting: float
    tally: Tally


class SimulatedAnnotator:
    """Works on one object.

    Columns number the true parts in the truth's order; the last column stands for faces to be unlabeled.

    Args:
        cost: costs of the actions, and the least IoU of a part that is right.
        shape: mesh of the object.
        start: annotation to begin from.
        truth: annotation to reach; AlignPartsError tells that it is of another mesh.
        tools: tools to paint with; the brush is always available.

    Attributes:
        annotation: present annotation.
        steps: edits so far; looking at the object before and handing it in after are not among them.
    """

    def __init__(
        self,
        cost: CostModel,
        shape: Shape,
        start: Annotation,
        truth: Truth,
        tools: Collection[Tool] = ALL_TOOLS,
    ) -> None:
        if not len(shape.faces) == len(start.face_part) == len(truth.face_part):
            labels = f"{len(start.face_part)} labels and {len(truth.face_part)} true ones"
            raise AlignPartsError(f"simulated annotator: {labels} for {len(shape.faces)} faces")
        self.cost, self.shape, self.annotation, self.truth = cost, shape, start, truth
        self.steps: list[Step] = []
        self._rest = len(truth.names)
        self._true = np.where(truth.face_part < 0, self._rest, truth.face_part).astype(np.int64)
        areas = shape.areas.astype(np.float64)
        self._area = areas / max(float(areas.sum()), 1e-300)
        self._unseen = {part.id for part in start.parts if not part.accepted}
        # The review selects the first part to check.
        self._selected, self._tool, self._erasing = next(iter(self._open()), UNLABELED), "", False
        self._settings = {"brush": 0.05, "component": 0.0, "cluster": 8.0}  # at first, on the review's page
        self._view = np.zeros(3)
        self._piece = shape.components(np.arange(len(shape.faces)))
        corners = shape.vertices[shape.faces].astype(np.float64)
        # In units of the object's longest side.
        self._middle = corners.mean(axis=1) / max(float(np.ptp(corners.reshape(-1, 3), axis=0).max()), 1e-30)
        self._regions: dict[tuple[Tool, float], Int[np.ndarray, " faces"]] = {}
        if "component" in tools:
            self._regions["component", 0.0] = self._piece
        if "cluster" in tools:
            self._regions |= {("cluster", float(count)): label for count, label in shape.clusters.items()}

    def work(self) -> "SimulatedAnnotator":
        """Make all edits; returns the annotator itself."""
        if self.annotation.category != self.truth.category:
            self._do(Category(category=self.truth.category), self.cost.category(self.truth.category))
        self._sort_parts()
        self._add_missing()
        while (needed := self._needed()).any():
            self._paint(self._best_click(needed) or self._stroke(needed))
        for part in self._open():
            self._do(Accept(parts=(part,)), self.cost.press())
        return self

    def _sort_parts(self) -> None:
        """Give every part the name that most of its area has; merge parts of one name, delete the others."""
        ids = [part.id for part in self.annotation.parts]
        cells = self.annotation.face_part.astype(np.int64) * (self._rest + 1) + self._true
        labeled, size = self.annotation.face_part >= 0, self.annotation.next_id * (self._rest + 1)
        shares = np.bincount(cells[labeled], self._area[labeled], size).reshape(-1, self._rest + 1)
        groups: dict[int, list[int]] = {}
        for part in ids:
            column = int(shares[part].argmax()) if shares[part].any() else self._rest
            groups.setdefault(column, []).append(part)
        for part in groups.pop(self._rest, []):
            self._do(Delete(part=part), self._select(part), self.cost.press())
        for column, parts in sorted(groups.items()):
            name = self.truth.names[column]
            # The part that has the name already, else the largest, takes the others in.
            parts.sort(
                key=lambda part: (self.annotation.part(part).name != name, -shares[part, column], part)
            )
            if len(parts) > 1:
                edit = Merge(parts=tuple(parts), into=parts[0])
                self._do(edit, self._select(*parts), self.cost.press(2))  # Ctrl held, M
            if self.annotation.part(parts[0]).name != name:
                self._do(Rename(part=parts[0], name=name), self._select(parts[0]), self.cost.name())

    def _add_missing(self) -> None:
        """Add the true parts that no part stands for yet, without faces; the review takes the brush then."""
        present = {part.name for part in self.annotation.parts}
        for column in np.unique(self._true[(self._true < self._rest) & (self._area > 0)]).tolist():
            name = self.truth.names[column]
            if name not in present:
                self._selected, self._tool = self.annotation.next_id, "brush"
                self._do(Add(name=name), self.cost.decide(), self.cost.name())

    def _labeled(self) -> Int[np.ndarray, " faces"]:
        """Return the column of the part that every face is in."""
        table = np.full(self.annotation.next_id + 1, self._rest, np.int64)
        for part in self.annotation.parts:
            table[part.id] = self.truth.names.index(part.name)
        return table[self.annotation.face_part]

    def _needed(self) -> Bool[np.ndarray, " faces"]:
        """Return the wrong faces of, or in, true parts below the least IoU."""
        iou = judge(self.annotation, self.truth, self.shape.areas).iou
        failing = np.append(iou < self.cost.quality, False)
        labeled = self._labeled()
        return (labeled != self._true) & (failing[self._true] | failing[labeled])

    def _best_click(self, needed: Bool[np.ndarray, " faces"]) -> _Painting | None:
        """Return the click on a region that puts most area right per second; None where none gains any."""
        right, best, most, columns = self._labeled() == self._true, None, 0.0, self._rest + 1
        for (tool, setting), label in self._regions.items():
            cells, size = label.astype(np.int64) * columns + self._true, (int(label.max()) + 1) * columns
            gain, lost = (
                np.bincount(cells, self._area * mask, size).reshape(-1, columns) for mask in (needed, right)
            )
            gain += lost - lost.sum(axis=1, keepdims=True)
            seconds = [self._ready(column, tool, setting).seconds for column in range(columns)]
            rates = np.where(gain > LEAST_GAIN, gain / (np.array(seconds) + self.cost.click().seconds), 0)
            if rates.max() > most:
                most = float(rates.max())
                region, column = map(int, np.unravel_index(rates.argmax(), rates.shape))
                best = _Painting(column, np.flatnonzero(label == region), tool, setting, self.cost.click())
        return best

    def _stroke(self, needed: Bool[np.ndarray, " faces"]) -> _Painting:
        """Return the brush stroke that gains most per second for the true part that lacks most area.

        A dab covers the faces within a radius, on the same side of the same piece. A stroke goes from the
        best dab to the best near it while that gains half as much as the first. Only the narrowest brush is
        led around faces of other parts that are right.
        """
        column = int(np.bincount(self._true[needed], self._area[needed], self._rest + 1).argmax())
        lacking = np.where(needed & (self._true == column), self._area, 0)
        worth = lacking - self._area * ((self._true != column) & (self._labeled() == self._true))
        total = lacking.cumsum()
        places = np.unique(total.searchsorted(total[-1] * (np.arange(PLACES) + 0.5) / PLACES))
        away = cdist(self._middle[places], self._middle)
        away[self.shape.normals[places] @ self.shape.normals.T <= 0] = np.inf
        away[self._piece[places, None] != self._piece] = np.inf
        away[np.arange(len(places)), places] = 0
        strokes: list[tuple[float, _Painting]] = []
        for radius in self.cost.radii:
            careful = radius == min(self.cost.radii)
            covers, left = (away <= radius) & (worth >= 0 if careful else True), worth.copy()
            path = [int((covers @ left).argmax())]
            least = max(float(left @ covers[path[0]]) / 2, 0)
            while len(path) < self.cost.stroke_discs:
                left[covers[path[-1]]] = 0
                gains = (covers @ left) * (away[path[-1], places] <= 2 * radius)
                if gains.max() <= least:
                    break
                path.append(int(gains.argmax()))
            covered = covers[path].any(axis=0)
            steps = np.linalg.norm(np.diff(self._middle[places[path]], axis=0), axis=1)
            tally = self.cost.stroke(len(steps), float(steps.sum()))
            seconds = self._ready(column, "brush", radius).plus(tally).seconds
            painting = _Painting(column, np.flatnonzero(covered), "brush", radius, tally)
            strokes.append((float(worth @ covered) / seconds, painting))
        return max(strokes, key=lambda stroke: stroke[0])[1]

    def _paint(self, painting: _Painting) -> None:
        """Give faces to a true part, or erase them, after selecting part and tool and turning the view."""
        column, faces, tool, setting, tally = painting
        part, normals = self._part_of(column), self.shape.normals[faces]
        ready = self._ready(column, tool, setting)
        if not (normals @ self._view > 0).any():
            ready = ready.plus(self.cost.click() if self._view.any() else Tally())
            self._view = normals[0]
        self._tool, self._erasing, self._settings[tool] = tool, part == UNLABELED, setting
        self._selected = self._selected if self._erasing else part
        self._do(Paint(part=part, faces=runs_of(faces)), ready, tally)

    def _ready(self, column: int, tool: Tool, setting: float) -> Tally:
        """Return the cost of getting ready to paint a true part, or to erase: M, part, tool, its setting."""
        part, changed = self._part_of(column), setting != self._settings[tool]
        erase = part == UNLABELED
        select, switch = not erase and part != self._selected, tool != self._tool or erase != self._erasing
        if not (select or switch or changed):
            return Tally()
        # A drag of the slider, or the drop-down list of cluster numbers, is two clicks.
        clicks = self.cost.click(int(select) + 2 * int(changed))
        return self.cost.decide().plus(self.cost.press(int(switch) + int(erase and switch)), clicks)

    def _select(self, *parts: int) -> Tally:
        """Select parts in the list, a click each unless selected; returns the cost with M."""
        clicks = len(parts) if parts != (self._selected,) else 0
        self._selected = parts[0]
        return self.cost.decide().plus(self.cost.click(clicks))

    def _part_of(self, column: int) -> int:
        """Return the part with the name of a true part, -1 for the last column."""
        names = (*self.truth.names, None)
        return next((part.id for part in self.annotation.parts if part.name == names[column]), UNLABELED)

    def _open(self) -> list[int]:
        """Return the parts to check in the order of the review's list, the least confident first."""
        parts = sorted(self.annotation.parts, key=lambda part: (part.confidence, part.id))
        return [part.id for part in parts if not part.accepted]

    def _do(self, edit: Change, *tallies: Tally) -> None:
        """Apply an edit; an unaccepted part is looked at when it is first touched."""
        touched = set(getattr(edit, "parts", ())) | {getattr(edit, "part", UNLABELED)}
        looks = [self.cost.look(self.cost.part_turns) for _ in touched & self._unseen]
        self._unseen -= touched
        self.annotation = apply(self.annotation, edit)
        self.steps.append(Step(edit, Tally().plus(*tallies, *looks)))
