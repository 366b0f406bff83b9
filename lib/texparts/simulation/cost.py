"""What a person's work in the review costs: clicks, keys, strokes and seconds.

Seconds are those of the keystroke-level model (Card, Moran & Newell, "The Keystroke-Level Model for User
Performance Time with Interactive Systems", CACM 23(7), 1980): a practiced user's errorless execution is a sum
of operators K, P, B, H, D and M. Which of them an action takes is read off the review's own pages (``web/``).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from alignparts.core.config.texparts import EffortParams

Tool = Literal["orbit", "brush", "component", "cluster"]


class Tally(NamedTuple):
    """What was done.

    Attributes:
        clicks: presses of the mouse button, those that turn the view among them.
        keys: pressed, each of a chord.
        strokes: of the brush, single dabs among them.
        seconds: all of it, with the time to look and to think.
        looking: those of them that go into looking whether something is right.
    """

    clicks: int = 0
    keys: int = 0
    strokes: int = 0
    seconds: float = 0.0
    looking: float = 0.0

    def plus(self, *others: "Tally") -> "Tally":
        """The sum, field by field."""
        return Tally(*(sum(values) for values in zip(self, *others, strict=True)))


class CostModel(EffortParams):
    """Operators of the block ``texparts.effort``, combined into the actions of the review."""

    def press(self, keys: int = 1) -> Tally:
        """Keys: n K."""
        return Tally(keys=keys, seconds=keys * self.key)

    def click(self, clicks: int = 1) -> Tally:
        """Clicks on a target each: n (P + 2 B). A turn of the view, a drag, costs the same."""
        return Tally(clicks=clicks, seconds=clicks * (self.point + 2 * self.button))

    def decide(self) -> Tally:
        """M."""
        return Tally(seconds=self.think)

    def look(self, turns: int) -> Tally:
        """Turn the view and judge what is seen: n (P + 2 B) + M."""
        turned = self.click(turns)
        seconds = turned.seconds + self.think
        return turned._replace(seconds=seconds, looking=seconds)

    def open_object(self) -> Tally:
        """Look at an object that has just come."""
        return self.look(self.object_turns)

    def submit(self) -> Tally:
        """Hand it in: M and Ctrl+Enter."""
        return self.decide().plus(self.press(2))

    def name(self) -> Tally:
        """Search a name and take it, in the dialog that is open: M H, letters, M, Enter, H."""
        typed = self.press(self.letters + 1)
        return typed._replace(seconds=typed.seconds + 2 * self.think + 2 * self.home)

    def category(self, name: str) -> Tally:
        """Y, H, Ctrl+A, the category in full (the dialog knows no search), Enter, H."""
        return self.decide().plus(self.press(4 + len(name)), Tally(seconds=2 * self.home))

    def stroke(self, segments: int, length: float) -> Tally:
        """A stroke: P, B, D over its straight pieces, B.

        Args:
            segments: 0 is a single dab.
            length: in the object's longest sides.
        """
        drawn = self.draw_segment * segments + self.draw_cm * self.screen_cm * length
        return Tally(strokes=1, seconds=self.point + 2 * self.button + drawn)


@dataclass(frozen=True)
class Hands:
    """What is selected and which tool is on: an action costs what leads to it from here.

    Attributes:
        selected: parts; the first one is open.
        tool: of the 3D view.
        erase: whether painting takes faces away from their part.
        radius: of the brush, a share of the longest side.
        clusters: granularity of the cluster tool and of "split clusters".
        view: towards the viewer; None: not yet known, anything can be seen.
    """

    selected: tuple[int, ...] = ()
    tool: Tool = "orbit"
    erase: bool = False
    radius: float = 0.05
    clusters: int = 8
    view: Float[np.ndarray, " 3"] | None = None

    def select(
        self, cost: CostModel, parts: tuple[int, ...], listed: Sequence[int] = ()
    ) -> tuple[Tally, "Hands"]:
        """Parts of the list, a click each and Ctrl held for several; nothing where they are selected.

        Args:
            cost: what it costs.
            parts: the first one is open after.
            listed: the list; neighbors in it that begin with the first part take Shift and two clicks.
        """
        if parts == self.selected:
            return Tally(), self
        row = list(listed).index(parts[0]) if parts[0] in listed else 0
        runs = [_begins(listed[row:], parts), _begins(listed[row::-1], parts)]
        clicks = len(parts) - max(0, max(runs) - 2)
        more = cost.press(int(len(parts) > 1) + int(max(runs) > 2 and len(parts) > max(runs)))
        return cost.click(clicks).plus(more), replace(self, selected=parts)

    def granularity(self, cost: CostModel, clusters: int) -> tuple[Tally, "Hands"]:
        """The drop-down list of cluster numbers: open it, choose."""
        if clusters == self.clusters:
            return Tally(), self
        return cost.click(2), replace(self, clusters=clusters)

    def take(self, cost: CostModel, tool: Tool, setting: float, erase: bool) -> tuple[Tally, "Hands"]:
        """A painting tool.

        Args:
            cost: what it costs.
            tool: "brush", "component" or "cluster".
            setting: radius of the brush, or number of clusters.
            erase: whether it is to erase.
        """
        done, hands = Tally(), self
        if hands.tool != tool or (hands.erase and not erase):
            done, hands = done.plus(cost.press()), replace(hands, tool=tool, erase=False)
        if erase and not hands.erase:
            done, hands = done.plus(cost.press()), replace(hands, erase=True)
        if tool == "brush" and setting != hands.radius:
            # A drag of the slider: to its knob, and to where it is to be.
            done = done.plus(cost.click(), Tally(seconds=cost.point))
            hands = replace(hands, radius=setting)
        elif tool == "cluster":
            chosen, hands = hands.granularity(cost, int(setting))
            done = done.plus(chosen)
        return done, hands

    def face(self, cost: CostModel, normals: Float[np.ndarray, "n 3"]) -> tuple[Tally, "Hands"]:
        """See one at least of some faces: a turn of the view, unless one is turned towards the viewer.

        What hides it is left out of account.
        """
        if self.view is not None and (normals @ self.view > 0).any():
            return Tally(), self
        turned = Tally() if self.view is None else cost.click()
        return turned, replace(self, view=normals[0])


def _begins(listed: Sequence[int], parts: Collection[int]) -> int:
    """How many of a list's first are among these."""
    return sum(1 for _ in takewhile(lambda part: part in parts, listed))
