"""Count a person's work in the review, in clicks, keys, brush strokes and seconds.

Seconds follow the keystroke-level model (Card, Moran & Newell, "The Keystroke-Level Model for User
Performance Time with Interactive Systems", CACM 23(7), 1980): the errorless execution of a practiced user is
a sum of the operators K, P, B, H, D and M. Those of each action are read off the review's pages (``web/``).
"""

from typing import NamedTuple

from alignparts.core.config.texparts import EffortParams


class Tally(NamedTuple):
    """Amount of work.

    Attributes:
        clicks: presses of the mouse button, turns of the view included.
        keys: pressed keys, each key of a chord counted.
        strokes: brush strokes, single dabs included.
        seconds: total time, looking and thinking included.
        looking: seconds spent on checking that something is right.
    """

    clicks: int = 0
    keys: int = 0
    strokes: int = 0
    seconds: float = 0.0
    looking: float = 0.0

    def plus(self, *others: "Tally") -> "Tally":
        """Return the sum, field by field."""
        return Tally(*map(sum, zip(self, *others, strict=True)))


class CostModel(EffortParams):
    """Operators of the block ``texparts.effort``, combined into the actions of the review."""

    def press(self, keys: int = 1) -> Tally:
        """Press keys: n K."""
        return Tally(keys=keys, seconds=keys * self.key)

    def click(self, clicks: int = 1) -> Tally:
        """Click on targets, or turn the view: n (P + 2 B)."""
        return Tally(clicks=clicks, seconds=clicks * (self.point + 2 * self.button))

    def decide(self) -> Tally:
        """Prepare a decision: M."""
        return Tally(seconds=self.think)

    def look(self, turns: int) -> Tally:
        """Turn the view n times and judge: n (P + 2 B) + M."""
        seconds = self.click(turns).seconds + self.think
        return Tally(clicks=turns, seconds=seconds, looking=seconds)

    def open_object(self) -> Tally:
        """Look at a new object."""
        return self.look(self.object_turns)

    def submit(self) -> Tally:
        """Hand an object in: M and Ctrl+Enter."""
        return self.decide().plus(self.press(2))

    def name(self) -> Tally:
        """Open the dialog, search a name and take it: K, M H, letters, M, Enter, H."""
        return self.press(self.letters + 2).plus(Tally(seconds=2 * self.think + 2 * self.home))

    def category(self, name: str) -> Tally:
        """Type a category in full, since its dialog has no search: M, Y, H, Ctrl+A, letters, Enter, H."""
        return self.decide().plus(self.press(4 + len(name)), Tally(seconds=2 * self.home))

    def stroke(self, segments: int, length: float) -> Tally:
        """Draw a stroke of so many straight pieces and a length in longest sides: P, B, D, B."""
        drawn = self.draw_segment * segments + self.draw_cm * self.screen_cm * length
        return Tally(strokes=1, seconds=self.point + 2 * self.button + drawn)
