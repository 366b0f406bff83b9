"""Methods of Tables 1 to 4: their interface, the information each is given, the folders of trained ones."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from alignparts.core import ledger
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.ground_truth import Labeled
from alignparts.model.stage import Stage
from alignparts.naming.prediction import Prediction

OURS = "ALIGN-Parts"
GIVEN = "ALIGN-Parts, category given"
DESCRIBED = "ALIGN-Parts, descriptions given"
FILLED = "ALIGN-Parts, every point labeled"
MESH_AWARE = "ALIGN-Parts, mesh-aware labels"
LEARNED = "learned backbone"
"""Words that stand in the names of the release model's rows."""
PARTFIELD = "PartField"
PARTFIELD_PATCHES = "PartField, on patches"
FIND3D, MPNET = "Find3D", "PartField+MPNet"

Told = Literal["category", "names", "descriptions", "parts"]


@dataclass(frozen=True)
class Given:
    """Information that a method gets besides the shape; None where it gets none.

    Attributes:
        category: canonical name of the category.
        names: names that parts may get; all of them canonical, or all of them a user's own.
        parts: true number of parts.
    """

    category: str | None = None
    names: tuple[str, ...] | None = None
    parts: int | None = None


@runtime_checkable
class Method(Protocol):
    """A method under comparison; ``label`` is its name in tables."""

    label: str

    def predict(self, arrays: Mapping[str, np.ndarray], given: Given) -> Prediction:
        """Segment one shape, and name the segments where the method can.

        The arrays are those of the feature store at the points to label: ``points`` (n, 3), ``normals``
        (n, 3), ``colors`` (n, 3) in 0..1, ``geometry`` (n, d_g), ``appearance`` (n, d_a). Raises
        AlignPartsError if an array is missing, or the method needs more information than it is given.
        """
        ...


@dataclass(frozen=True)
class Entrant:
    """A method under one information setting.

    Attributes:
        method: the method itself.
        told: information besides the shape: its category, the names of its parts, their descriptions, their
            number. In held-out categories every entrant gets the names.
        name: name in tables; the method's label by default.
        eligible: predicate of the shapes that the entrant is scored on; all by default.
        finds_category: score the predicted category on seen categories.
    """

    method: Method
    told: tuple[Told, ...] = ()
    name: str = ""
    eligible: Callable[[Labeled], bool] | None = None
    finds_category: bool = False

    @property
    def label(self) -> str:
        """Return the name in tables."""
        return self.name or self.method.label

    def given(self, shape: Labeled) -> Given:
        """Return the information on a shape."""
        category = "descriptions" in self.told or ("category" in self.told and not shape.heldout)
        return Given(
            category=shape.category if category else None,
            names=tuple(shape.present) if "names" in self.told or shape.heldout else None,
            parts=len(shape.present) if "parts" in self.told else None,
        )

    def predict(self, shape: Labeled) -> Prediction:
        """Return the method's prediction for a shape; errors are those of :meth:`Method.predict`."""
        return self.method.predict(shape.arrays, self.given(shape))


def answers(entrants: Sequence[Entrant], shape: Labeled) -> dict[str, Prediction]:
    """Return the prediction of every entrant for a shape, by label."""
    return {entrant.label: entrant.predict(shape) for entrant in entrants}


def folder_of(models: Path, group: str, *item: str | int) -> Path:
    """Return the folder of a trained item: ``models/group/item``, the item's values joined by hyphens."""
    return models / group / "-".join(map(str, item))


def finished(
    folder: Path, stage: str, train: Callable[[], object] | None = None, mark: str = "config.json"
) -> Path:
    """Return the folder of a trained item, training it first where the file ``mark`` is missing.

    ``stage`` is the stage of dvc.yaml that trains the item. Raises AlignPartsError with that command where
    the item is missing and ``train`` is None.
    """
    if train is not None and not (folder / mark).is_file():
        train()
    if not (folder / mark).is_file():
        raise AlignPartsError(f"{folder}: no {mark}, it is not trained; run: dvc repro {stage}")
    return folder


def run_item(stage: str, train: Callable[..., object], *kinds: type) -> None:
    """Train the item of the command line (values of these ``kinds``), and record its cost under ``stage``."""
    words = sys.argv[1:]
    inputs = Stage.start()
    with ledger.record(stage, "-".join(words)):
        train(*(kind(word) for kind, word in zip(kinds, words, strict=True)), inputs)
