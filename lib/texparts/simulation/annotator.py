"""Simulated annotator: brings an annotation to the truth with the review's own edits.

It knows the truth, makes no mistakes and works in a fixed order: category, then names and merges of the
parts at hand, then painting by whole pieces and clusters where that gains area, and by brush for the rest.
Occlusion costs it nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import UNLABELED, Annotation, apply
from texparts.annotation.edits import Accept, Add, Category, Change, Delete, Merge, Paint, Rename, runs_of
from texparts.annotation.geometry import Shape
from texparts.simulation.brush import Brush
from texparts.simulation.cost import CostModel, Tally
from texparts.simulation.truth import Truth, judge

Tool = Literal["brush", "component", "cluster"]
ALL_TOOLS: tuple[Tool, ...] = ("brush", "component", "cluster")
LEAST_GAIN = 1e-9
"""Least share of the object's area for which a click is worth it."""
PLACES, TRIED = 192, 32
"""Places on the whole object, and more of them per stroke on what is wrong, at which the brush is tried."""


@dataclass(frozen=True)
class Step:
    """One edit and its cost.

    Attributes:
        edit: as the review stores it.
        action: accept, rename, merge, delete, add, category, or "paint by" brush, component or cluster.
        tally: work of the edit.
    """

    edit: Change
    action: str
    tally: Tally


class _Clicks(NamedTuple):
    """A series of clicks on whole regions for one true part."""

    rate: float
    tool: Tool
    setting: float
    column: int
    regions: list[int]


class SimulatedAnnotator:
    """Works on one object.

    Columns number the true parts in the truth's order; the last column stands for faces to be unlabeled.

    Args:
        cost: costs of the actions, and the least IoU of a part that is right.
        shape: mesh of the object.
        start: annotation to begin from.
        truth: annotation to reach.
        tools: tools to paint with; the brush is always available.

    Attributes:
        annotation: present annotation.
        steps: edits so far; looking at the object before and handing it in after are not among them.

    Raises:
        AlignPartsError: truth and annotation are of another mesh.
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
            raise AlignPartsError(
                f"simulated annotator: {len(start.face_part)} labels and {len(truth.face_part)} true ones "
                f"for {len(shape.faces)} faces"
            )
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
        self._regions: dict[tuple[Tool, float], Int[np.ndarray, " faces"]] = {}
        if "component" in tools:
            self._regions["component", 0.0] = shape.components(np.arange(len(shape.faces)))
        if "cluster" in tools:
            self._regions |= {("cluster", float(count)): label for count, label in shape.clusters.items()}

    def work(self) -> "SimulatedAnnotator":
        """Make all edits; returns the annotator itself."""
        if self.annotation.category != self.truth.category:
            edit = Category(category=self.truth.category)
            self._do("category", edit, self.cost.category(self.truth.category))
        self._sort_parts()
        self._add_missing()
        while (clicks := self._best_clicks()) is not None:
            self._click(clicks)
        while (needed := self._needed()).any():
            self._stroke(needed)
        for part in self._open():
            self._do("accept", Accept(parts=(part,)), self.cost.press())
        return self

    def _sort_parts(self) -> None:
        """Give every part the name that most of its area has; merge parts of one name, delete the others."""
        ids = [part.id for part in self.annotation.parts]
        table = np.full(self.annotation.next_id + 1, len(ids), np.int64)
        table[ids] = np.arange(len(ids))
        cells = table[self.annotation.face_part] * (self._rest + 1) + self._true
        shares = np.bincount(cells, self._area, (len(ids) + 1) * (self._rest + 1)).reshape(len(ids) + 1, -1)
        groups: dict[int, list[tuple[float, int]]] = {}
        for part, share in zip(ids, shares[:-1], strict=True):
            column = int(share.argmax()) if share.any() else self._rest
            groups.setdefault(column, []).append((-float(share[column]), part))
        for column, group in sorted(groups.items()):
            parts = [part for _, part in sorted(group)]
            if column == self._rest:
                for part in parts:
                    self._do("delete", Delete(part=part), self._select(part), self.cost.press())
                continue
            name = self.truth.names[column]
            parts.sort(key=lambda part: self.annotation.part(part).name != name)
            if len(parts) > 1:
                edit = Merge(parts=tuple(parts), into=parts[0])
                self._do("merge", edit, self._select(*parts), self.cost.press(2))  # Ctrl held, M
            if self.annotation.part(parts[0]).name != name:
                self._do("rename", Rename(part=parts[0], name=name), self._select(parts[0]), self.cost.name())

    def _add_missing(self) -> None:
        """Add the true parts that no part stands for yet, without faces; the review takes the brush then."""
        present = {part.name for part in self.annotation.parts}
        for column in np.unique(self._true[(self._true < self._rest) & (self._area > 0)]).tolist():
            name = self.truth.names[column]
            if name not in present:
                self._selected, self._tool = self.annotation.next_id, "brush"
                self._do("add", Add(name=name), self.cost.decide(), self.cost.name())

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

    def _best_clicks(self) -> _Clicks | None:
        """Return the clicks on regions that put most area right per second; None where none gains any."""
        needed = self._needed()
        right = self._labeled() == self._true
        best: _Clicks | None = None
        for (tool, setting), label in self._regions.items() if needed.any() else ():
            cells = label.astype(np.int64) * (self._rest + 1) + self._true
            size = (int(label.max()) + 1) * (self._rest + 1)
            gain, kept = (
                np.bincount(cells, np.where(mask, self._area, 0), size).reshape(-1, self._rest + 1)
                for mask in (needed, right)
            )
            gain -= kept.sum(axis=1, keepdims=True) - kept
            for column in range(self._rest + 1):
                order = np.argsort(-gain[:, column], kind="stable")
                order = order[gain[order, column] > LEAST_GAIN]
                if not len(order):
                    continue
                ready = self._ready(self._part_of(column), tool, setting).seconds
                seconds = ready + self.cost.click().seconds * np.arange(1, len(order) + 1)
                rates = gain[order, column].cumsum() / seconds
                most = int(rates.argmax())
                if best is None or rates[most] > best.rate:
                    best = _Clicks(float(rates[most]), tool, setting, column, order[: most + 1].tolist())
        return best

    def _click(self, clicks: _Clicks) -> None:
        """Paint whole regions, a click each."""
        label = self._regions[clicks.tool, clicks.setting]
        for region in clicks.regions:
            faces = np.flatnonzero(label == region)
            self._paint(clicks.column, faces, clicks.tool, clicks.setting, self.cost.click())

    def _stroke(self, needed: Bool[np.ndarray, " faces"]) -> None:
        """Draw the brush stroke that gains most per second, for one of the true parts that lack most area."""
        lacking = np.bincount(self._true[needed], self._area[needed], self._rest + 1)
        kept = np.where(self._labeled() == self._true, -self._area, 0)
        dab, worth, best = self.cost.stroke(0, 0.0), kept, (-np.inf, 0, 0.0)
        for column in np.argsort(-lacking, kind="stable")[:2].tolist():
            if not lacking[column]:
                break
            self._brush.try_at(self._spread(np.flatnonzero(needed & (self._true == column)), TRIED))
            gain = np.where(self._true == column, np.where(needed, self._area, 0), kept)
            for radius in self.cost.radii:
                seconds = self._ready(self._part_of(column), "brush", radius).plus(dab).seconds
                rate = float(self._brush.gains(gain, radius).max()) / seconds
                if rate > best[0]:
                    best, worth = (rate, column, radius), gain
        _, column, radius = best
        faces, segments, length = self._brush.stroke(worth, radius, self.cost.stroke_discs)
        if worth[faces].sum() <= LEAST_GAIN:  # too narrow a place: the narrowest brush, with care
            radius = min(self.cost.radii)
            faces, segments, length = self._brush.stroke(np.maximum(worth, 0), radius, self.cost.stroke_discs)
            faces = faces[self._true[faces] == column]
        self._paint(column, faces, "brush", radius, self.cost.stroke(segments, length))

    def _spread(self, faces: Int[np.ndarray, " n"], most: int) -> Int[np.ndarray, " k"]:
        """Return some of the faces, spread evenly over their area."""
        total = self._area[faces].cumsum()
        places = total.searchsorted(total[-1] * (np.arange(most) + 0.5) / most)
        return faces[np.unique(places.clip(max=len(faces) - 1))]

    def _paint(
        self, column: int, faces: Int[np.ndarray, " n"], tool: Tool, setting: float, done: Tally
    ) -> None:
        """Give faces to a true part, or erase them, after selecting part and tool and turning the view."""
        part, normals = self._part_of(column), self._brush.normals[faces]
        ready = self._ready(part, tool, setting)
        if not (normals @ self._view > 0).any():
            ready = ready.plus(self.cost.click() if self._view.any() else Tally())
            self._view = normals[0]
        self._tool, self._erasing, self._settings[tool] = tool, part == UNLABELED, setting
        self._selected = self._selected if self._erasing else part
        self._do(f"paint by {tool}", Paint(part=part, faces=runs_of(faces)), ready, done)

    def _ready(self, part: int, tool: Tool, setting: float) -> Tally:
        """Return the cost of the way to painting a part (-1: to erasing): M, part, tool and its setting."""
        erase, changed = part == UNLABELED, setting != self._settings[tool]
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
        if column == self._rest:
            return UNLABELED
        name = self.truth.names[column]
        return next((part.id for part in self.annotation.parts if part.name == name), UNLABELED)

    def _open(self) -> list[int]:
        """Return the parts to check in the order of the review's list, the least confident first."""
        parts = sorted(self.annotation.parts, key=lambda part: (part.confidence, part.id))
        return [part.id for part in parts if not part.accepted]

    def _do(self, action: str, edit: Change, *tallies: Tally) -> None:
        """Apply an edit; an unaccepted part is looked at when it is first touched."""
        touched = set(getattr(edit, "parts", ())) | {getattr(edit, "part", UNLABELED)}
        looks = [self.cost.look(self.cost.part_turns) for _ in touched & self._unseen]
        self._unseen -= touched
        self.annotation = apply(self.annotation, edit)
        self.steps.append(Step(edit, action, Tally().plus(*tallies, *looks)))

    @cached_property
    def _brush(self) -> Brush:
        brush = Brush(self.shape, self.cost.radii)
        brush.try_at(self._spread(np.arange(len(self._true)), PLACES))
        return brush
