"""What is right and wrong of an object at one moment of a simulated annotator's work."""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64

from texparts.annotation.geometry import Shape
from texparts.simulation.brush import Brush
from texparts.simulation.cost import CostModel
from texparts.simulation.desk import Desk
from texparts.simulation.truth import Truth


class Scene:
    """What stays the same of an object.

    Attributes:
        area: of every face, 1 in all.
    """

    def __init__(self, shape: Shape, cost: CostModel) -> None:
        self.shape = shape
        self._cost = cost
        area = shape.areas.astype(np.float64)
        self.area: Float64[np.ndarray, " faces"] = area / max(float(area.sum()), 1e-300)
        self._pieces: dict[bytes, Int64[np.ndarray, " n"]] = {}
        self._regions: dict[int, Int64[np.ndarray, " faces"]] = {}

    @cached_property
    def brush(self) -> Brush:
        """On this object."""
        return Brush(self._cost, self.shape, self.regions(0))

    def regions(self, clusters: int) -> Int64[np.ndarray, " faces"]:
        """Which cluster of so many every face is in; 0: which piece of the mesh."""
        if clusters not in self._regions:
            everything = np.arange(len(self.shape.faces))
            self._regions[clusters] = self.regions_of(everything, clusters)
        return self._regions[clusters]

    def regions_of(self, chosen: Int[np.ndarray, " n"], clusters: int) -> Int64[np.ndarray, " n"]:
        """The same among some faces, numbered from 0; pieces are those of these faces alone."""
        if clusters:
            return np.unique(self.shape.clusters[clusters][chosen], return_inverse=True)[1].reshape(-1)
        key = chosen.tobytes()
        if key not in self._pieces:
            self._pieces[key] = self.shape.components(chosen).astype(np.int64)
        return self._pieces[key]


class Situation:
    """An object at one moment.

    Tables have a row a part, in the order of ``ids``, and one for unlabeled faces; a column a true part, and
    one for faces that are to be unlabeled.

    Attributes:
        true: column of every face.
        row: row of every face.
        share: area by row and column.
        owner: by true part, the part that has its name; the best one where several have it.
        owned: the other way round.
        failing: true parts that are not good enough; never the last column.
        kept: area of the faces that are right, by face.
        needed: area of the faces that are wrong in a failing part, or of one, by face.
    """

    def __init__(self, desk: Desk, scene: Scene, truth: Truth) -> None:
        self.desk, self.scene, self.cost = desk, scene, desk.cost
        self.names, self.rest = truth.names, len(truth.names)
        self.true = np.where(truth.face_part < 0, self.rest, truth.face_part).astype(np.int64)
        parts = desk.annotation.parts
        self.ids = [part.id for part in parts]
        table = np.full(desk.annotation.next_id + 1, len(parts), np.int64)  # -1 is the last place
        table[self.ids] = np.arange(len(parts))
        self.row = table[desk.annotation.face_part]
        self.share = self.table(self.row, len(parts) + 1, scene.area)
        self.owner: dict[int, int] = {}
        for place, part in enumerate(parts):
            if part.name in truth.names:
                one = truth.names.index(part.name)
                if one not in self.owner or self.share[place, one] > self.held(self.owner[one], one):
                    self.owner[one] = part.id
        self.owned = {part: one for one, part in self.owner.items()}
        said = np.array([self.owned.get(part, -1) for part in self.ids] + [self.rest])[self.row]
        correct = said == self.true
        self.failing = self._failing(said, correct)
        concerned = self.failing[self.true] | ((said >= 0) & self.failing[said])
        self.kept = np.where(correct, scene.area, 0.0)
        self.needed = np.where(~correct & concerned, scene.area, 0.0)

    def table(
        self, row: Int64[np.ndarray, " n"], rows: int, weight: Float64[np.ndarray, " n"],
        true: Int64[np.ndarray, " n"] | None = None,
    ) -> Float64[np.ndarray, "rows columns"]:  # fmt: skip
        """Weight of faces (all of them, unless ``true`` is given) by row and true part."""
        column = self.true if true is None else true
        width = self.rest + 1
        return np.bincount(row * width + column, weight, rows * width).reshape(rows, width)

    def held(self, part: int, one: int) -> float:
        """Area of a true part within a part."""
        return float(self.share[self.ids.index(part), one])

    def lost(self, part: int) -> float:
        """Area that is right as long as the part is what it is."""
        one = self.owned.get(part)
        return 0.0 if one is None else self.held(part, one)

    def _failing(
        self, said: Int64[np.ndarray, " faces"], correct: Bool[np.ndarray, " faces"]
    ) -> Bool[np.ndarray, " columns"]:
        area, width = self.scene.area, self.rest + 1
        true = np.bincount(self.true, area, width)
        owned = np.bincount(said[said >= 0], area[said >= 0], width)
        inside = np.bincount(self.true[correct], area[correct], width)
        iou = inside / np.maximum(true + owned - inside, 1e-300)
        has = np.array([one in self.owner for one in range(self.rest)] + [True])
        failing = (true > 0) & ((iou < self.cost.quality) | ~has)
        failing[self.rest] = False
        return failing
