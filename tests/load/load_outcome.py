"""Settings and results of a load test."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from alignparts.core.atomic import write_text


class Measure(NamedTuple):
    """One row of a table of measures: ``value`` over ``n`` observations."""

    measure: str
    value: float
    unit: str
    n: int


def write_measures(path: Path, rows: Sequence[Measure]) -> None:
    """Write a CSV of the columns measure, value, unit, n."""
    write_text(path, pd.DataFrame(list(rows)).to_csv(index=False, lineterminator="\n"))


@dataclass(frozen=True)
class Load:
    """Settings of a load test.

    Attributes:
        annotators: at once.
        seconds: of work.
        kills: of the server, evenly spread over the time.
        objects: in the queue.
        faces: of an object, about.
        pause: mean seconds between two edits of one annotator.
        edits: mean number of edits on an object.
        seed: of the scripts.
    """

    annotators: int = 20
    seconds: float = 300.0
    kills: int = 0
    objects: int = 400
    faces: int = 20_000
    pause: float = 2.0
    edits: int = 12
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """Results of a load test.

    Attributes:
        lost: edits and submissions that were acknowledged and are not in the database.
        doubled: edits in the database that nobody was told of, or more than one task on an object.
        misplaced: edits that differ from what was sent, or stand in another order; states that differ from
            the last one that the annotator was given.
        edits: acknowledged.
        submitted: objects handed in.
        seconds: of every answered request, by kind.
        retries: requests that had to be sent again.
        refused: answers that no script expects, with their number.
        killed: times.
        idle: seconds of requests to the server before the load.
    """

    lost: int
    doubled: int
    misplaced: int
    edits: int
    submitted: int
    seconds: dict[str, list[float]]
    retries: int
    refused: Counter[str]
    killed: int
    idle: Sequence[float] = ()

    def percentile(self, percent: int, kind: str | None = None) -> float:
        """Of the response time in seconds, of one kind of request or of all."""
        kinds = [kind] if kind else list(self.seconds)
        return float(np.percentile([one for key in kinds for one in self.seconds[key]], percent))

    @property
    def clean(self) -> bool:
        """Nothing went wrong."""
        return not (self.lost or self.doubled or self.misplaced or self.refused)


def lines(load: Load, outcome: Outcome) -> list[str]:
    """The outcome for people."""
    shown = [
        f"{load.annotators} annotators, {load.seconds:g} s, {outcome.killed} kills of the server: "
        f"{outcome.edits} edits acknowledged, {outcome.submitted} objects handed in, "
        f"{outcome.retries} requests sent again"
    ]
    for kind in [*sorted(outcome.seconds), None]:
        count = len(outcome.seconds[kind]) if kind else sum(map(len, outcome.seconds.values()))
        p50, p95, p99, longest = (1e3 * outcome.percentile(percent, kind) for percent in (50, 95, 99, 100))
        shown.append(
            f"  {kind or 'all':7s} {count:6d} requests, ms: "
            f"p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f}, max {longest:.0f}"
        )
    alone = 1e3 * float(np.percentile(outcome.idle, 95))
    shown.append(f"  idle server p95 {alone:.0f} ms: ratio {1e3 * outcome.percentile(95) / alone:.1f}")
    shown += [f"  refused {count}x {what}" for what, count in outcome.refused.items()]
    shown.append(f"  lost {outcome.lost}, doubled {outcome.doubled}, misplaced {outcome.misplaced}")
    return shown


def measures(load: Load, outcome: Outcome) -> list[Measure]:
    """The outcome as a table."""
    run = f"{outcome.killed} kills"
    rows = [
        Measure(f"{run}: annotators", load.annotators, "", 1),
        Measure(f"{run}: work", load.seconds, "s", 1),
    ]
    counts = {
        "edits acknowledged": outcome.edits, "objects handed in": outcome.submitted,
        "requests sent again": outcome.retries, "lost": outcome.lost, "doubled": outcome.doubled,
        "misplaced": outcome.misplaced, "refused": outcome.refused.total(),
    }  # fmt: skip
    rows += [Measure(f"{run}: {name}", value, "", outcome.edits) for name, value in counts.items()]
    for kind in [*sorted(outcome.seconds), None]:
        count = len(outcome.seconds[kind]) if kind else sum(map(len, outcome.seconds.values()))
        for percent in (50, 95, 99):
            value = round(1e3 * outcome.percentile(percent, kind), 1)
            rows.append(Measure(f"{run}: {kind or 'all'} p{percent}", value, "ms", count))
    return rows
