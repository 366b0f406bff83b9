"""A simulated annotator: brings an annotation to the truth with the review's own tools, greedily.

At every moment it makes the move that puts most area right, less what it spoils, in a second of the cost
model. It knows the truth and makes no mistakes; what hides behind other faces costs it nothing to reach.
"""

from collections.abc import Collection, Iterator

from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import Annotation
from texparts.annotation.geometry import Shape
from texparts.simulation import moves
from texparts.simulation.cost import CostModel, Tool
from texparts.simulation.desk import Desk, Step
from texparts.simulation.moves import Move
from texparts.simulation.situation import Scene, Situation
from texparts.simulation.truth import Truth, truth_of

__all__ = ["ALL_TOOLS", "SimulatedAnnotator", "Step", "Truth", "truth_of"]

ALL_TOOLS: tuple[Tool, ...] = ("brush", "component", "cluster")
LEAST = 1e-9
"""Share of the object's area that is worth a move."""


class SimulatedAnnotator:
    """Works on objects.

    Args:
        cost: what actions cost, and what is enough.
    """

    def __init__(self, cost: CostModel) -> None:
        self.cost = cost

    def steps(
        self, shape: Shape, start: Annotation, truth: Truth, tools: Collection[Tool] = ALL_TOOLS
    ) -> list[Step]:
        """The edits that bring ``start`` to the truth, or as near as the tools get.

        Looking at the object before and handing it in after are not among them.

        Args:
            shape: the mesh.
            start: where to begin.
            truth: where to get.
            tools: to paint with; without "component" or "cluster" nothing is split by them either.

        Raises:
            AlignPartsError: truth and annotation are of another mesh.
        """
        return self.work(shape, start, truth, tools).steps

    def work(
        self, shape: Shape, start: Annotation, truth: Truth, tools: Collection[Tool] = ALL_TOOLS
    ) -> Desk:
        """The same, with the annotation at the end.

        Raises:
            AlignPartsError: truth and annotation are of another mesh.
        """
        if not len(shape.faces) == len(start.face_part) == len(truth.face_part):
            raise AlignPartsError(
                f"simulated annotator: {len(start.face_part)} labels and {len(truth.face_part)} true ones "
                f"for {len(shape.faces)} faces"
            )
        # A new one: the brush remembers where it was tried, on which what comes next must not depend.
        scene = Scene(shape, self.cost)
        desk = Desk(self.cost, shape, start)
        if start.category != truth.category:
            desk.category(truth.category)
        here = Situation(desk, scene, truth)
        while (move := self._best(here, tools)) is not None:
            move.do()
            here = Situation(desk, scene, truth)
        surplus = [part for part in here.ids if part not in here.owned]
        if surplus:
            desk.delete(surplus)
        desk.accept()
        return desk

    @staticmethod
    def _best(here: Situation, tools: Collection[Tool]) -> Move | None:
        """The move of the highest rate; the first of equal ones."""
        best: Move | None = None

        def rated(found: Iterator[Move]) -> None:
            nonlocal best
            for move in found:
                if move.gain > LEAST and (best is None or move.rate > best.rate):
                    best = move

        if not here.failing.any():
            return None
        rated(moves.renames(here))
        rated(moves.merges(here))
        counts = [0] if "component" in tools else []
        counts += list(here.scene.shape.clusters) if "cluster" in tools else []
        for count in counts:
            rated(moves.clicks(here, "cluster" if count else "component", count))
        # Costly to work out, so only where they can still win.
        for count in counts:
            rated(moves.splits(here, count, best.rate if best else 0.0))
        if "brush" in tools:
            rated(moves.strokes(here, best.rate if best else 0.0))
        return best
