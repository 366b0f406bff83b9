"""Table 1: what each method can do, asked of its implementation."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.methods import Given, Method, Segments
from alignparts.evaluation.scoring_methods import Entrant
from alignparts.model.metrics import confusion, iou_matrix

YES, NO = "yes", "no"
CLUSTERING = ("sklearn.cluster", "alignparts.evaluation.baselines.partfield_mpnet.soft_kmeans")
"""Modules that solve an optimization problem for every shape."""
UNHEARD = ("zig", "zag")
"""Names that no training has seen."""
COVERS = 0.95
"""Share of the points that a complete decomposition puts into parts."""
ALIKE = 0.999
"""Share of the points that keep their segment, and its name, where the order of points has no say."""


class Probe(NamedTuple):
    """What a method did when it was asked: the property, whether it has it, and what was seen."""

    metric: str
    value: str
    seen: str


def probe(entrant: Entrant, shapes: Sequence[Labeled], seed: int = 0) -> list[Probe]:
    """Ask a method for every property of the paper's Table 1.

    Args:
        entrant: the method, and what Table 2 tells it.
        shapes: to ask about.
        seed: of the order of points.

    Raises:
        AlignPartsError: there is no shape.
    """
    if not shapes:
        raise AlignPartsError("Table 1: no shape to probe the methods on")
    told = [entrant.method.predict(shape.arrays, entrant.given(shape)) for shape in shapes]
    named = all(one.names is not None for one in told)
    vectors = [0 if one.features is None else len(one.features) for one in told]
    found = [
        _decomposition(entrant, shapes),
        Probe("named parts", _mark(named), f"{sum(len(one.names or ()) for one in told)} names"),
        _vocabulary(entrant.method, shapes[0]),
        _order(entrant, shapes, told, seed),
        Probe("part-level features", _mark(all(vectors)), f"{sum(vectors)} vectors"),
    ]
    with clustering_calls() as called:
        entrant.method.predict(shapes[0].arrays, entrant.given(shapes[0]))
    modules = ", ".join(sorted({name.rsplit(".", 1)[-1].strip("_") for name in called}))
    return [*found, Probe("feed-forward", _mark(not called), f"clusters by {modules}" if called else "none")]


def table1(entrants: Sequence[Entrant], shapes: Sequence[Labeled], seed: int = 0) -> pd.DataFrame:
    """One row a method and property: ``method``, ``metric``, ``value`` (yes or no) and what was ``seen``."""
    rows = [(one.method.label, *found) for one in entrants for found in probe(one, shapes, seed)]
    return pd.DataFrame(rows, columns=["method", *Probe._fields])


@contextmanager
def clustering_calls() -> Iterator[set[str]]:
    """Which modules of `CLUSTERING` the block calls a function of."""
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


def _decomposition(entrant: Entrant, shapes: Sequence[Labeled]) -> Probe:
    """Whether it takes a shape apart without being told which parts there are."""
    name, shares = "complete decomposition", []
    for shape in shapes:
        try:
            found = entrant.method.predict(shape.arrays, replace(entrant.given(shape), names=None))
        except AlignPartsError as error:
            return Probe(name, NO, f"without names: {error}")
        shares.append(float((found.point_part >= 0).mean()))
    return Probe(name, _mark(min(shares) >= COVERS), f"{np.mean(shares):.1%} of the points in a part")


def _vocabulary(method: Method, shape: Labeled) -> Probe:
    """Whether it takes names that nobody trained it with."""
    number = len(shape.present)
    names = method.predict(shape.arrays, Given(names=UNHEARD, parts=number)).names
    taken = names is not None and set(names) <= set(UNHEARD)
    return Probe("open vocabulary", _mark(taken), ", ".join(dict.fromkeys(names or ())) or "no names")


def _order(entrant: Entrant, shapes: Sequence[Labeled], told: Sequence[Segments], seed: int) -> Probe:
    """Whether another order of the points gives the same segments and names."""
    same = []
    for shape, before in zip(shapes, told, strict=True):
        order = np.random.default_rng(seed).permutation(len(shape.truth))
        arrays = {name: values[order] for name, values in shape.arrays.items()}
        shuffled = entrant.method.predict(arrays, entrant.given(shape))
        back = np.empty_like(shuffled.point_part)
        back[order] = shuffled.point_part
        same.append(_agreement(before, replace(shuffled, point_part=back)))
    share = min(same)
    return Probe(
        "permutation invariant", _mark(share >= ALIKE), f"{share:.1%} of the points stay as they were"
    )


def _agreement(first: Segments, second: Segments) -> float:
    """Share of the points in the same segment, by name or, without names, by largest overlap."""
    if first.names is not None and second.names is not None:
        one, other = (np.array([*(found.names or ()), ""])[found.point_part] for found in (first, second))
        return float((one == other).mean())
    sizes = [int(found.point_part.max(initial=-1)) + 1 for found in (first, second)]
    counts = confusion(second.point_part, first.point_part, sizes[1], sizes[0])
    chosen = iou_matrix(counts).argmax(axis=1)
    return float(counts[np.arange(sizes[0]), chosen].sum() / len(first.point_part))


def _mark(has: bool) -> str:
    return YES if has else NO
