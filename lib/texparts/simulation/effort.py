"""How much work an annotator has with an object, by what it begins from: raw actions and seconds.

The annotator is :class:`texparts.simulation.simulated.SimulatedAnnotator`; the objects are embedded ones,
whose truth is known. Section 13 of the paper states minutes of its own annotators: see :data:`PAPER`.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.evaluation import intervals
from alignparts.evaluation.intervals import Interval
from alignparts.ontology.vocabulary import Vocabulary
from texparts.annotation.annotation import Annotation
from texparts.annotation.geometry import Shape, Shapes
from texparts.queue.rank import uncertainty
from texparts.raw.synthetic import TexVerseLike
from texparts.simulation.cost import CostModel, Tool
from texparts.simulation.simulated import ALL_TOOLS, SimulatedAnnotator
from texparts.simulation.truth import Truth, from_clusters, judge, scratch, truth_of, unchecked, without_names

PAPER = {"ratio": (5.0, 8.0), "scratch_minutes": (15.0, 25.0), "model_minutes": (3.0, 5.0)}
"""Section 13: from scratch over model-assisted, and the minutes an object behind it, least and most."""
OURS = "ours"
SEEN, UNSEEN, ALL = "seen", "unseen", "all"
LOOKS = ("look at the object", "look at parts")
COUNTS = ("clicks", "keys", "strokes", "seconds", "looking")


@dataclass(frozen=True)
class Start:
    """What work may begin from.

    Attributes:
        label: for readers.
        begin: annotations to choose from, of which the annotator takes the one with least work.
        tools: to paint with.
    """

    label: str
    begin: Callable[[Shape, Annotation], Sequence[Annotation]]
    tools: tuple[Tool, ...] = ALL_TOOLS


STARTS = {
    "brush": Start("from scratch, brush alone", lambda shape, _: [scratch(shape)], ("brush",)),
    "pieces": Start(
        "from scratch, brush and pieces", lambda shape, _: [scratch(shape)], ("brush", "component")
    ),
    "scratch": Start("from scratch, all tools", lambda shape, _: [scratch(shape)]),
    "clusters": Start(
        "from clusters", lambda shape, _: [from_clusters(shape, count) for count in shape.clusters]
    ),
    "masks": Start("our masks without names", lambda _, prediction: [without_names(prediction)]),
    "checked": Start("ours, every part looked at", lambda _, prediction: [unchecked(prediction)]),
    OURS: Start("ours", lambda _, prediction: [prediction]),
}
"""By name. No learned model helps in the first two; in the third the clusters do, as painting tools.
For the clusters the number that turns out best is taken, which nobody knows before: it flatters them."""


@dataclass(frozen=True)
class Effort:
    """Work with all objects.

    Attributes:
        objects: a row an object and start: ``object_id``, ``category``, ``test_set``, ``start``, ``parts``
            (true ones), :data:`COUNTS`, ``actions`` (clicks, keys and strokes together), ``iou`` (mean over
            the true parts at the end), ``right`` (whether all is as it should be), ``confidence``,
            ``uncertainty``.
        actions: a row an object, start and action: ``times`` and ``seconds``. :data:`LOOKS` and "hand in" are
            among the actions: an object's rows add up to its seconds.
    """

    objects: pd.DataFrame
    actions: pd.DataFrame


@dataclass(frozen=True)
class _Job:
    root: Path
    object_id: str
    truth: Truth
    cost: CostModel
    starts: tuple[str, ...]


def measure_effort(
    root: Path,
    object_ids: Iterable[str],
    folder: TexVerseLike,
    vocabulary: Vocabulary,
    cost: CostModel,
    unseen: Collection[str],
    *,
    starts: Collection[str] = tuple(STARTS),
    workers: int = 1,
    scheduler: str | None = None,
) -> Effort:
    """Let the simulated annotator do every object from every start.

    Args:
        root: where the prediction wrote.
        object_ids: of the queue.
        folder: the embedded objects and their truth.
        vocabulary: whose names are canonical.
        cost: what actions cost.
        unseen: canonical names of the categories that the model has not seen.
        starts: of :data:`STARTS`.
        workers: processes.
        scheduler: address of a Dask scheduler.

    Raises:
        AlignPartsError: an object without truth, an unknown start, or a file that cannot be read.
    """
    unknown = sorted(set(starts) - set(STARTS))
    if unknown:
        raise AlignPartsError(f"starts: {', '.join(unknown)}; expected some of {', '.join(STARTS)}")
    chosen = tuple(name for name in STARTS if name in starts)
    jobs = [
        _Job(root, object_id, truth_of(folder, object_id, vocabulary), cost, chosen)
        for object_id in sorted(object_ids)
    ]
    done = map_shapes(_worked, jobs, workers=workers, scheduler=scheduler, description="effort")
    objects, actions = [], []
    for job, (rows, parts) in zip(jobs, done, strict=True):
        test_set = UNSEEN if job.truth.category in unseen else SEEN
        about = {"object_id": job.object_id, "category": job.truth.category, "test_set": test_set}
        objects += [{**about, **row} for row in rows]
        actions += [{**about, **row} for row in parts]
    return Effort(pd.DataFrame(objects), pd.DataFrame(actions))


def ratio_table(
    objects: pd.DataFrame,
    base: str = OURS,
    units: Sequence[str] = ("seconds", "actions", "clicks", "keys"),
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How many times the work of one start that of the others is, with 95 % intervals over the objects.

    Args:
        objects: of :class:`Effort`.
        base: the start to divide by.
        units: columns.
        resamples: bootstrap samples, of objects in pairs.
        seed: of the resampling.

    Returns:
        ``test_set`` (all, seen, unseen), ``start``, ``unit``, ``statistic`` ("sums": ratio of the sums;
        "geometric": geometric mean of the objects' ratios), ``value``, ``low``, ``high``, ``n``.

    Raises:
        AlignPartsError: an object lacks a start.
    """
    rows = []
    for name, own in _sets(objects):
        for unit in units:
            wide = own.pivot(index="object_id", columns="start", values=unit)
            if base not in wide or wide.isna().any(axis=None):
                raise AlignPartsError(f"effort: expected every object from every start, '{base}' among them")
            below = wide[base].to_numpy(np.float64)
            for start in [one for one in STARTS if one in wide and one != base]:
                above = wide[start].to_numpy(np.float64)
                gain = intervals.relative_gain(above, below, resamples=resamples, seed=seed)
                logs = intervals.interval(np.log(above / below), resamples=resamples, seed=seed)
                sums = Interval(gain.value + 1, gain.low + 1, gain.high + 1, gain.n)
                each = Interval(math.exp(logs.value), math.exp(logs.low), math.exp(logs.high), logs.n)
                rows += [_row(name, start, unit, "sums", sums), _row(name, start, unit, "geometric", each)]
    return pd.DataFrame(rows)


def mean_table(objects: pd.DataFrame, *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Work an object: means by test set and start, and the 95 % interval of the seconds.

    Returns:
        ``test_set``, ``start``, ``n``, means of :data:`COUNTS`, ``actions`` and ``iou``, share ``right``,
        ``low``, ``high``.
    """
    rows: list[dict[str, Any]] = []
    for name, own in _sets(objects):
        for start in [one for one in STARTS if (own.start == one).any()]:
            chosen = own[own.start == start]
            seconds = intervals.interval(chosen.seconds.to_numpy(np.float64), resamples=resamples, seed=seed)
            means = {key: float(chosen[key].mean()) for key in (*COUNTS, "actions", "iou", "right")}
            bounds = {"low": seconds.low, "high": seconds.high}
            rows.append({"test_set": name, "start": start, "n": len(chosen), **means, **bounds})
    return pd.DataFrame(rows)


def _worked(job: _Job) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One object from every start: its rows of both tables."""
    shape = Shapes(job.root).shape(job.object_id)
    about, prediction = shape.folder.about(), shape.folder.prediction()
    annotator = SimulatedAnnotator(job.cost)
    opened, handed = job.cost.open_object(), job.cost.submit()
    objects, actions = [], []
    for name in job.starts:
        start = STARTS[name]
        desk = min(
            (
                annotator.work(shape, begun, job.truth, start.tools)
                for begun in start.begin(shape, prediction)
            ),
            key=lambda desk: sum(step.seconds for step in desk.steps),
        )
        total = opened.plus(handed, *(step.tally for step in desk.steps))
        end = judge(desk.annotation, job.truth, shape.areas)
        objects.append({
            "start": name, "parts": len(job.truth.names), **total._asdict(),
            "actions": total.clicks + total.keys + total.strokes, "iou": float(end.iou.mean()),
            "right": end.right(job.cost.quality), "confidence": about.confidence,
            "uncertainty": uncertainty(about),
        })  # fmt: skip
        took: dict[str, list[float]] = {
            LOOKS[0]: [opened.seconds],
            LOOKS[1]: [step.looking for step in desk.steps if step.looking],
        }
        for step in desk.steps:
            took.setdefault(step.action, []).append(step.seconds - step.looking)
        took["hand in"] = [handed.seconds]
        actions += [
            {"start": name, "action": action, "times": len(seconds), "seconds": sum(seconds)}
            for action, seconds in took.items()
        ]
    return objects, actions


def _sets(objects: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """All objects; and those of seen and unseen categories, where there are both."""
    yield ALL, objects
    if objects.test_set.nunique() > 1:
        yield from ((name, objects[objects.test_set == name]) for name in (SEEN, UNSEEN))


def _row(test_set: str, start: str, unit: str, statistic: str, one: Interval) -> dict[str, Any]:
    return {"test_set": test_set, "start": start, "unit": unit, "statistic": statistic, **asdict(one)}
