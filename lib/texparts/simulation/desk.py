"""The review as a simulated annotator works in it: every edit with the actions that it takes there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from texparts.annotation.annotation import UNLABELED, Annotation, apply
from texparts.annotation.edits import Accept, Add, Category, Change, Delete, Merge, Paint, Rename, runs_of
from texparts.annotation.geometry import Shape
from texparts.simulation.cost import CostModel, Hands, Tally, Tool


@dataclass(frozen=True)
class Step:
    """One edit and what it took; the fields of :class:`texparts.simulation.cost.Tally`.

    Attributes:
        edit: as the review stores it.
        action: accept, rename, merge, split, delete, add, category; or paint by brush, piece or cluster.
        clicks: and so on, see there.
    """

    edit: Change
    action: str
    clicks: int
    keys: int
    strokes: int
    seconds: float
    looking: float

    @property
    def tally(self) -> Tally:
        """What it took."""
        return Tally(self.clicks, self.keys, self.strokes, self.seconds, self.looking)


class Desk:
    """An object that is being worked on.

    Attributes:
        annotation: as it is now.
        hands: what is selected, and which tool is on.
        steps: so far.
    """

    def __init__(self, cost: CostModel, shape: Shape, start: Annotation) -> None:
        self.cost, self.shape, self.annotation = cost, shape, start
        self._unseen = {part.id for part in start.parts if not part.accepted}
        self.hands = Hands(selected=self.open[:1])  # the review selects the first part to check
        self.steps: list[Step] = []

    def category(self, name: str) -> None:
        """Say what the object is."""
        self._do("category", Category(category=name), self.cost.category(name))

    def rename(self, part: int, name: str) -> None:
        """R, and the search for the name."""
        chosen, self.hands = self.select([part])
        cost = self.cost
        self._do("rename", Rename(part=part, name=name), cost.decide(), chosen, cost.press(), cost.name())

    def merge(self, parts: Sequence[int]) -> None:
        """M: all go to the first one."""
        chosen, hands = self.select(parts)
        self.hands = replace(hands, selected=(parts[0],))
        edit = Merge(parts=tuple(parts), into=parts[0])
        self._do("merge", edit, self.cost.decide(), chosen, self.cost.press())

    def split(self, part: int, clusters: int) -> list[int]:
        """S where ``clusters`` is 0, else K; returns the part and the new ones."""
        chosen, hands = self.select([part])
        if clusters:
            found, hands = hands.granularity(self.cost, clusters)
            chosen = chosen.plus(found)
        self.hands = hands
        edit = self.shape.split(self.annotation, part, "cluster" if clusters else "component", clusters)
        first = self.annotation.next_id
        self._do("split", edit, self.cost.decide(), chosen, self.cost.press())
        return [part, *range(first, self.annotation.next_id)]

    def delete(self, parts: Sequence[int]) -> None:
        """X, once for all of them."""
        parts = self.together(parts)
        chosen, hands = self.select(parts)
        self.hands = replace(hands, selected=())
        tally = self.cost.decide().plus(chosen, self.cost.press())
        for part in parts:
            self._do("delete", Delete(part=part), tally)
            tally = Tally()

    def add(self, name: str) -> int:
        """N, and the search for the name; the new part is selected, and the brush is on."""
        part, cost = self.annotation.next_id, self.cost
        self.hands = replace(self.hands, selected=(part,), tool="brush", erase=False)
        self._do("add", Add(name=name), cost.decide(), cost.press(), cost.name())
        return part

    def take(self, part: int, tool: Tool, setting: float) -> Tally:
        """Get ready to paint a part, or to erase (-1); returns what that takes, for :meth:`paint`."""
        chosen = Tally()
        if part != UNLABELED:
            chosen, self.hands = self.select([part])
        taken, self.hands = self.hands.take(self.cost, tool, setting, part == UNLABELED)
        return self.cost.decide().plus(chosen, taken)

    def paint(
        self,
        part: int,
        faces: Int[np.ndarray, " n"],
        normals: Float[np.ndarray, "k 3"],
        before: Tally,
        stroke: Tally | None = None,
    ) -> None:
        """Give faces to a part, or take them away (-1), with the tool that is on.

        Args:
            part: that :meth:`take` has selected.
            faces: of the piece, the cluster or the stroke.
            normals: one of them is to be turned towards the viewer, the first one if none is.
            before: what :meth:`take` took.
            stroke: of the brush; None: a click.
        """
        turned, self.hands = self.hands.face(self.cost, normals)
        what = {"component": "piece"}.get(self.hands.tool, self.hands.tool)
        done = stroke if stroke is not None else self.cost.click()
        self._do(f"paint by {what}", Paint(part=part, faces=runs_of(faces)), before, turned, done)

    def accept(self) -> None:
        """A for every part that is still to be checked; each brings the next one up."""
        waiting = self.open
        for index, part in enumerate(waiting):
            chosen = self.cost.press() if self.hands.selected != (part,) else Tally()
            self._do("accept", Accept(parts=(part,)), chosen, self.cost.press())
            self.hands = replace(self.hands, selected=waiting[index + 1 : index + 2])

    @property
    def listed(self) -> tuple[int, ...]:
        """Parts in the order of the review's list: those to check first, the least confident first."""
        parts = sorted(self.annotation.parts, key=lambda part: (part.accepted, part.confidence, part.id))
        return tuple(part.id for part in parts)

    @property
    def open(self) -> tuple[int, ...]:
        """Parts to check, in this order."""
        return tuple(part for part in self.listed if not self.annotation.part(part).accepted)

    def select(self, parts: Sequence[int]) -> tuple[Tally, Hands]:
        """What it takes to select parts, the first one first, and how it is after."""
        return self.hands.select(self.cost, tuple(parts), self.listed)

    def together(self, parts: Sequence[int]) -> tuple[int, ...]:
        """Parts in the order of the list: to select where none has to be the first."""
        return tuple(part for part in self.listed if part in parts)

    def _do(self, action: str, edit: Change, *tallies: Tally) -> None:
        """Apply an edit; a part that was to be checked is looked at when it is first touched."""
        touched = set(getattr(edit, "parts", ())) | {getattr(edit, "part", UNLABELED)}
        looks = [self.cost.look(self.cost.part_turns) for _ in touched & self._unseen]
        self._unseen -= touched
        self.annotation = apply(self.annotation, edit)
        self.steps.append(Step(edit, action, **Tally().plus(*tallies, *looks)._asdict()))
