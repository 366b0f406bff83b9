"""Table 1: the properties of each method, probed on its implementation."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.ground_truth import Labeled, at_rows
from alignparts.evaluation.methods import Entrant, Given, Method
from alignparts.model.metrics import confusion, iou_matrix
from alignparts.naming.prediction import Prediction

CLUSTERING = ("sklearn.cluster", "alignparts.evaluation.baselines.partfield_mpnet.soft_kmeans")
"""Modules that solve an optimization problem for every shape."""
UNHEARD = ("zig", "zag")
"""Names that no training has seen."""
COVERS = 0.95
"""Share of the points that a complete decomposition puts into parts."""
ALIKE = 0.999
"""Share of the points that a permutation-invariant method gives the same segment and name."""


class Probe(NamedTuple):
    """Result of one probe: the property, "yes" or "no", and the evidence that was seen."""

    metric: str
    value: str
    seen: str


def probe(entrant: Entrant, shapes: Sequence[Labeled], seed: int = 0) -> list[Probe]:
    """Probe a method for every property of the paper's Table 1; ``seed`` is that of the order of points."""
    predictions = [entrant.predict(shape) for shape in shapes]
    names = sum(len(prediction.parts) for prediction in predictions if prediction.named)
    vectors = [0 if prediction.vectors is None else len(prediction.vectors) for prediction in predictions]
    with clustering_calls() as called:
        entrant.predict(shapes[0])
    modules = ", ".join(sorted({name.rsplit(".", 1)[-1].strip("_") for name in called}))
    return [
        _decomposition(entrant, shapes),
        _probe("named parts", all(prediction.named for prediction in predictions), f"{names} names"),
        _vocabulary(entrant.method, shapes[0]),
        _order(entrant, shapes, predictions, seed),
        _probe("part-level features", all(vectors), f"{sum(vectors)} vectors"),
        _probe("feed-forward", not called, f"clusters by {modules}" if called else "none"),
    ]


def table1(entrants: Sequence[Entrant], shapes: Sequence[Labeled], seed: int = 0) -> pd.DataFrame:
    """Return one row per method and property: ``method``, ``metric``, ``value`` (yes or no), ``seen``."""
    rows = [(entrant.label, *result) for entrant in entrants for result in probe(entrant, shapes, seed)]
    return pd.DataFrame(rows, columns=["method", *Probe._fields])


@contextmanager
def clustering_calls() -> Iterator[set[str]]:
    """Record the modules of `CLUSTERING` of which the block calls a function."""
    called: set[str] = set()

    def watch(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_globals.get("__name__", "")
        if event == "call" and name.startswith(CLUSTERING):
            called.add(name)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield called
    finally:
        sys.setprofile(before)


def _probe(metric: str, has: bool, seen: str) -> Probe:
    return Probe(metric, "yes" if has else "no", seen)


def _decomposition(entrant: Entrant, shapes: Sequence[Labeled]) -> Probe:
    """Probe segmentation without the names of the parts."""
    name, shares = "complete decomposition", []
    for shape in shapes:
        try:
            prediction = entrant.method.predict(shape.arrays, replace(entrant.given(shape), names=None))
        except AlignPartsError as error:
            return _probe(name, False, f"without names: {error}")
        shares.append(float((prediction.point_part >= 0).mean()))
    return _probe(name, min(shares) >= COVERS, f"{np.mean(shares):.1%} of the points in a part")


def _vocabulary(method: Method, shape: Labeled) -> Probe:
    """Probe naming with names outside the training vocabulary."""
    prediction = method.predict(shape.arrays, Given(names=UNHEARD, parts=len(shape.present)))
    names = prediction.names if prediction.named else []
    taken = prediction.named and set(names) <= set(UNHEARD)
    return _probe("open vocabulary", taken, ", ".join(dict.fromkeys(names)) or "no names")


def _order(entrant: Entrant, shapes: Sequence[Labeled], before: Sequence[Prediction], seed: int) -> Probe:
    """Probe for the same segments and names in another order of the points."""
    shares = []
    for shape, prediction in zip(shapes, before, strict=True):
        order = np.random.default_rng(seed).permutation(len(shape.truth))
        shuffled = entrant.predict(replace(shape, arrays=at_rows(shape.arrays, order)))
        shares.append(
            _agreement(prediction, replace(shuffled, point_part=shuffled.point_part[order.argsort()]))
        )
    share = min(shares)
    return _probe("permutation invariant", share >= ALIKE, f"{share:.1%} of the points stay as they were")


def _agreement(first: Prediction, second: Prediction) -> float:
    """Return the share of the points in the same segment, by name or, without names, by largest overlap."""
    if first.named and second.named:
        names, others = (np.array([*either.names, ""])[either.point_part] for either in (first, second))
        return float((names == others).mean())
    counts = confusion(second.point_part, first.point_part, len(second.parts), len(first.parts))
    chosen = iou_matrix(counts).argmax(axis=1)
    return float(counts[np.arange(len(first.parts)), chosen].sum() / len(first.point_part))
