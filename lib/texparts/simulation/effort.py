"""Measure the simulated effort per object, by the start of the work and by the order of the queue.

The annotator is :class:`texparts.simulation.annotator.SimulatedAnnotator`; the objects are embedded ones,
whose truth is known. Section 13 of the paper states minutes of its own human annotators: see :data:`PAPER`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from alignparts.core.config.texparts import Order
from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.evaluation.intervals import interval, relative_gain
from texparts.annotation.annotation import Annotation
from texparts.annotation.geometry import Shape, Shapes
from texparts.queue.rank import sort_queue, uncertainty
from texparts.simulation.annotator import ALL_TOOLS, SimulatedAnnotator, Tool
from texparts.simulation.cost import CostModel, Tally
from texparts.simulation.truth import Truth, from_clusters, judge, scratch

PAPER = {"ratio": (5.0, 8.0), "scratch_minutes": (15.0, 25.0), "model_minutes": (3.0, 5.0)}
"""Section 13: from scratch over model-assisted, and the minutes per object behind it, least and most."""
OURS = "ours"
SEEN, UNSEEN, ALL = "seen", "unseen", "all"
ORDERS: tuple[Order, ...] = ("confident", "uncertain")
COLORS = {ALL: "#666666", SEEN: "#0072B2", UNSEEN: "#E69F00", "confident": "#0072B2", "uncertain": "#D55E00"}


class Start(NamedTuple):
    """Starting point of the work: a label for figures, and the tools to paint with.

    ``begin`` returns the annotations to choose from; the one with least work counts.
    """

    label: str
    begin: Callable[[Shape, Annotation], Sequence[Annotation]]
    tools: tuple[Tool, ...] = ALL_TOOLS


STARTS = {
    "brush": Start("from scratch, brush alone", lambda shape, _: [scratch(shape)], ("brush",)),
    "scratch": Start("from scratch, all tools", lambda shape, _: [scratch(shape)]),
    "clusters": Start("from clusters", lambda shape, _: [from_clusters(shape, n) for n in shape.clusters]),
    OURS: Start("from our prediction", lambda _, prediction: [prediction]),
}
"""Starts by name. Clusters are flattered: the number that turns out best is taken, unknown beforehand."""


def measure_effort(
    root: Path,
    truths: Mapping[str, Truth],
    cost: CostModel,
    unseen: Collection[str],
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Let the simulated annotator do every object from every start.

    Args:
        root: folder that the prediction stage wrote.
        truths: truth by object id.
        cost: costs of the actions.
        unseen: canonical names of the categories that the model was not trained on.
        workers: number of processes.
        scheduler: address of a Dask scheduler.

    Returns:
        One row per object and start: ``object_id``, ``category``, ``test_set``, ``start``, ``parts`` (true
        ones), the fields of :class:`texparts.simulation.cost.Tally`, ``iou`` (mean over the true parts at the
        end), ``right`` (nothing is left to correct), ``confidence``, ``uncertainty``.
    """
    jobs = [(root, object_id, truth, cost) for object_id, truth in sorted(truths.items())]
    done = map_shapes(_work, jobs, workers=workers, scheduler=scheduler, description="effort")
    objects = pd.DataFrame([row for rows in done for row in rows])
    objects.insert(2, "test_set", np.where(objects.category.isin(list(unseen)), UNSEEN, SEEN))
    return objects


def _work(job: tuple[Path, str, Truth, CostModel]) -> list[dict[str, Any]]:
    """Work on one object from every start."""
    root, object_id, truth, cost = job
    shape = Shapes(root).shape(object_id)
    about, prediction = shape.folder.about(), shape.folder.prediction()
    rows = []
    for name, start in STARTS.items():
        tries = []
        for begin in start.begin(shape, prediction):
            done = SimulatedAnnotator(cost, shape, begin, truth, start.tools).work()
            tries.append((Tally().plus(*(step.tally for step in done.steps)), done.annotation))
        tally, end = min(tries, key=lambda attempt: attempt[0].seconds)
        judgment = judge(end, truth, shape.areas)
        rows.append({
            "object_id": object_id, "category": truth.category, "start": name, "parts": len(truth.names),
            **cost.open_object().plus(tally, cost.submit())._asdict(), "iou": float(judgment.iou.mean()),
            "right": judgment.right(cost.quality), "confidence": about.confidence,
            "uncertainty": uncertainty(about),
        })  # fmt: skip
    return rows


def mean_table(objects: pd.DataFrame, *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Return the mean work per object by ``test_set`` (all, seen, unseen) and ``start``.

    Beside the ``n`` and means of :func:`measure_effort`, ``low`` and ``high`` bound the seconds at 95 %.
    """
    rows: list[dict[str, Any]] = []
    for (test_set, start), group in _with_all(objects).groupby(["test_set", "start"], sort=False):
        seconds = interval(group.seconds.to_numpy(np.float64), resamples=resamples, seed=seed)
        means: dict[Any, float] = group[[*Tally._fields, "iou", "right"]].astype(float).mean().to_dict()
        bounds = {"low": seconds.low, "high": seconds.high}
        rows.append({"test_set": test_set, "start": start, "n": len(group), **means, **bounds})
    return pd.DataFrame(rows)


def ratio_table(objects: pd.DataFrame, *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Divide the summed seconds of each start by those from our prediction, with 95 % intervals over objects.

    The columns are ``test_set``, ``start``, ``value``, ``low``, ``high``, ``n``.
    """
    rows = []
    for test_set, chosen in _with_all(objects).groupby("test_set", sort=False):
        wide = chosen.pivot(index="object_id", columns="start", values="seconds")
        if OURS not in wide or wide.isna().any(axis=None):
            raise AlignPartsError(f"effort: expected every object from every start, '{OURS}' among them")
        ours = wide[OURS].to_numpy(np.float64)
        for start in (name for name in STARTS if name in wide and name != OURS):
            gain = relative_gain(wide[start].to_numpy(np.float64), ours, resamples=resamples, seed=seed)
            rows.append((test_set, start, 1 + gain.value, 1 + gain.low, 1 + gain.high, gain.n))
    return pd.DataFrame(rows, columns=["test_set", "start", "value", "low", "high", "n"])


def order_table(objects: pd.DataFrame, *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Return the seconds until half of the objects are done, as a share of those of a random order.

    Work from our prediction counts. The columns are ``order``, ``value``, ``low``, ``high`` (95 % interval
    over the objects) and ``n``. All orders take equally long in the end.
    """
    ours = _ours(objects)
    choice = np.random.default_rng(seed).integers(len(ours), size=(resamples, len(ours)))
    rows = []
    for order in ORDERS:
        # In the order of the queue, a resample is done in the order of its indices.
        seconds = sort_queue(ours, order).seconds.to_numpy(np.float64)
        low, high = np.percentile(_first_half(seconds[np.sort(choice, axis=1)]), [2.5, 97.5]).tolist()
        rows.append((order, float(_first_half(seconds)), low, high, len(ours)))
    return pd.DataFrame(rows, columns=["order", "value", "low", "high", "n"])


def draw_effort(means: pd.DataFrame, ratios: pd.DataFrame) -> Figure:
    """Draw the seconds of :func:`mean_table`, and :func:`ratio_table` beside the paper's 5 to 8."""
    sets = [name for name in (SEEN, UNSEEN) if (means.test_set == name).any()] or [ALL]
    place = {name: index for index, name in enumerate(STARTS)}
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    left, right = axes = figure.subplots(1, 2, sharey=True)
    for axis, table in zip(axes, (means.rename(columns={"seconds": "value"}), ratios), strict=True):
        for lane, name in enumerate(sets):
            rows = table[table.test_set == name]
            at = rows.start.map(place) + (lane - (len(sets) - 1) / 2) * 0.3
            spread, label = [rows.value - rows.low, rows.high - rows.value], f"{name}, {rows.n.max()} objects"
            axis.errorbar(rows.value, at, xerr=spread, fmt="o", color=COLORS[name], capsize=2, label=label)
            for x, y in zip(rows.value, at, strict=True):
                axis.annotate(f"{x:.3g}", (x, y), (0, 4), textcoords="offset points", ha="center", fontsize=7)
    right.axvspan(*PAPER["ratio"], color="#CC79A7", alpha=0.25, lw=0, label="paper: 5–8 times")
    right.axvline(1, color="black", lw=0.8, ls=":")
    left.set_yticks(range(len(STARTS)), [start.label for start in STARTS.values()])
    left.set_ylim(len(STARTS) - 0.5, -0.5)
    _finish(left, "seconds per object of a practiced and faultless annotator")
    _finish(right, "seconds / seconds from our prediction (sum over sum)")
    return figure


def draw_orders(objects: pd.DataFrame) -> Figure:
    """Draw the objects done against the minutes of work from our prediction, per order of the queue."""
    ours = _ours(objects)
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axis = figure.subplots()
    for order in ORDERS:
        minutes = np.concatenate([[0.0], sort_queue(ours, order).seconds.cumsum() / 60])
        axis.plot(minutes, np.arange(len(minutes)), color=COLORS[order], label=f"{order} first")
    axis.plot([0, ours.seconds.sum() / 60], [0, len(ours)], color=COLORS[ALL], ls="--", label="random, mean")
    axis.set(ylabel="objects done", ylim=(0, None))
    _finish(axis, "minutes of work from our prediction")
    return figure


def _finish(axis: Axes, label: str) -> None:
    axis.set(xlabel=label, xlim=(0, None), axisbelow=True)
    axis.grid(lw=0.4, alpha=0.6)
    axis.legend(fontsize=8, loc="lower right")


def _with_all(objects: pd.DataFrame) -> pd.DataFrame:
    """Return all objects as test set "all"; then, if there are both, seen and unseen categories apart."""
    tables = [objects.assign(test_set=ALL)]
    if objects.test_set.nunique() > 1:
        tables.append(objects.sort_values("test_set", kind="stable"))  # "seen" before "unseen"
    return pd.concat(tables)


def _ours(objects: pd.DataFrame) -> pd.DataFrame:
    ours = objects[objects.start == OURS] if len(objects) else objects
    if ours.empty:
        raise AlignPartsError(f"effort: no object from the start '{OURS}'")
    return ours


def _first_half(seconds: Float64[np.ndarray, "*samples n"]) -> Float64[np.ndarray, "*samples"]:
    """Return the mean seconds of the first half of the objects over the mean of all."""
    half = max(1, round(seconds.shape[-1] / 2))
    return np.asarray(seconds[..., :half].mean(axis=-1) / seconds.mean(axis=-1))
