"""Tables of scores: means over training seeds with bootstrap intervals, paired tests of claims.

Everything starts from scores: one row per method, training seed, shape and metric (:data:`COLUMNS`). A
shape's value is its mean over the seeds; intervals and tests are over shapes, the same ones for all methods.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
import pandas as pd
import scipy
from jaxtyping import Float

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.readers import KINDS
from alignparts.evaluation.ground_truth import HELDOUT
from alignparts.evaluation.intervals import DEFAULT, Bootstrap, Interval, interval, relative_gain
from alignparts.evaluation.methods import OURS, PARTFIELD
from alignparts.evaluation.tables import DIGITS, long_table, row

COLUMNS = ["method", "seed", "shape_id", "test_set", "category", "metric", "value"]
SETS = ("compat", "find3d", "partnet")
"""The paper's test sets, which come first."""
AVERAGE = "average"
"""Unweighted mean over the test sets of data sets."""
LABELS = {
    "miou": "mIoU",
    "la_miou": "LA-mIoU",
    "rla_miou": "rLA-mIoU",
    "label_iou": "label IoU",
    "category": "category accuracy",
    "miou_best_over_k": "mIoU, best over k",
}
"""Names of the metrics in tables."""


@dataclass(frozen=True)
class Claim:
    """A claim that one method is better than another on a metric."""

    better: str
    worse: str
    metric: str


def over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Return means over the seeds; AlignPartsError if a score is duplicated, or a seed lacks some shapes."""
    key = ["method", "test_set", "category", "shape_id", "metric"]
    twice = scores[scores.duplicated([*key, "seed"])]
    if len(twice):
        first = twice.iloc[0]
        raise AlignPartsError(
            f"scores: {first.method}, seed {first.seed}, {first.shape_id}: {first.metric} is duplicated"
        )
    means = scores.groupby(key, sort=False).agg(value=("value", "mean"), seeds=("seed", "size")).reset_index()
    trained = scores.groupby(["method", "metric"]).seed.nunique().rename("trained")
    short = means.join(trained, on=["method", "metric"]).query("seeds != trained")
    if len(short):
        first = short.iloc[0]
        raise AlignPartsError(
            f"scores: {first.method} has {first.metric} of {first.shape_id} for {first.seeds} of its "
            f"{first.trained} seeds; expected all of them"
        )
    return means


def score_table(
    scores: pd.DataFrame, *, sets: Sequence[str] | None = None, **bootstrap: Unpack[Bootstrap]
) -> pd.DataFrame:
    """Return a long table; the average is given for methods with all ``sets`` that any method has.

    By default the sets are those of data sets (:func:`data_sets`).
    """
    means, rows = over_seeds(scores), []
    known = [name for name in data_sets(scores) if sets is None or name in sets]
    order = dict.fromkeys([*known, *means.test_set])
    for (method, metric), group in means.groupby(["method", "metric"], sort=False):
        ordered = group.sort_values("shape_id").groupby("test_set").value
        values = {name: part.to_numpy() for name, part in ordered}
        samples = {name: [values[name]] for name in order if name in values}
        if known and all(name in values for name in known):
            samples[AVERAGE] = [values[name] for name in known]
        rows += [
            row(str(method), test_set, str(metric), interval(sample, **bootstrap), int(group.seeds.iloc[0]))
            for test_set, sample in samples.items()
        ]
    return long_table(rows)


def setting_table(
    scores: pd.DataFrame,
    setting: str,
    settings: Mapping[str, int | float] | None = None,
    *,
    method: str = OURS,
    sets: Sequence[str] | None = None,
    **bootstrap: Unpack[Bootstrap],
) -> pd.DataFrame:
    """Return :func:`score_table` for every value of a setting, with a column for the setting.

    Either ``scores`` have the column already; or they are of variants of one method, each with its own seeds,
    and ``settings`` holds the value by variant (others are left out), ``method`` the name of the curve.
    Raises AlignPartsError if a variant has no scores, and as :func:`over_seeds`.
    """
    if settings is not None:
        missing = [name for name in settings if name not in set(scores.method)]
        if missing:
            raise AlignPartsError(f"{setting}: no scores of '{missing[0]}'; train it, or leave it out")
        scores = scores[scores.method.isin(list(settings))]
        scores = scores.assign(**{setting: scores.method.map(dict(settings))}, method=method)
    tables = [
        score_table(group.drop(columns=setting), sets=sets, **bootstrap).assign(**{setting: value})
        for value, group in scores.groupby(setting)
    ]
    return pd.concat(tables, ignore_index=True)


def arranged(table: pd.DataFrame, **orders: Sequence[str]) -> pd.DataFrame:
    """Sort a table by columns, the first one outermost, each by a list of its values; others drop out."""
    for name, order in orders.items():
        table = table[table[name].isin(list(order))]
    places = {name: {value: place for place, value in enumerate(order)} for name, order in orders.items()}

    def place(column: pd.Series) -> pd.Series:
        return column.map(places[str(column.name)])

    return table.sort_values(list(orders), key=place, ignore_index=True, kind="stable")


def set_order(scores: pd.DataFrame) -> list[str]:
    """Return the test sets in the order of Table 2: the paper's, others, the average, held-out categories."""
    return [*SETS, *sorted({*scores.test_set} - {*SETS, AVERAGE, HELDOUT}), AVERAGE, HELDOUT]


def data_sets(scores: pd.DataFrame) -> list[str]:
    """Return the test sets that are data sets, in the order of Table 2."""
    present = {*scores.test_set} & {*KINDS}
    return [name for name in set_order(scores) if name in present]


def category_table(
    scores: pd.DataFrame, methods: Sequence[str] = (OURS, PARTFIELD), **bootstrap: Unpack[Bootstrap]
) -> pd.DataFrame:
    """Return a long table with categories as test sets, metrics by their names in tables."""
    chosen = scores[scores.method.isin(list(methods))]
    table = readable(score_table(chosen.assign(test_set=chosen.category), sets=(), **bootstrap))
    return arranged(table, test_set=sorted({*chosen.category}), method=methods, metric=list(LABELS.values()))


def gain(
    scores: pd.DataFrame, better: str = OURS, worse: str = PARTFIELD, **bootstrap: Unpack[Bootstrap]
) -> Interval:
    """Return the relative gain in mIoU of one method over another on all seen categories."""
    seen = scores[(scores.metric == "miou") & (scores.test_set != HELDOUT)]
    values = seen.pivot(index="shape_id", columns="method", values="value")[[better, worse]].dropna()
    return relative_gain(values[better].to_numpy(), values[worse].to_numpy(), **bootstrap)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return the same table with metrics by their names in tables."""
    return table.assign(metric=[LABELS.get(name, name) for name in table.metric])


def paired_table(
    scores: pd.DataFrame,
    claims: Sequence[Claim],
    sets: Sequence[str] | None = None,
    **bootstrap: Unpack[Bootstrap],
) -> pd.DataFrame:
    """Test claims on the average over ``sets``, on the shapes that both methods have.

    Returns one row per claim: ``difference`` (better - worse) with its bootstrap interval, ``p`` of a
    two-sided test that exchanges the methods within shapes, ``p_holm`` corrected over all rows, ``n`` shapes,
    and ``verdict``: "holds" where the interval lies above 0, "does not hold" where it lies below. Raises
    AlignPartsError if a method has no scores, or two have no common shape in one of the sets.
    """
    means, rows, settings = over_seeds(scores), [], DEFAULT | bootstrap
    sets = data_sets(scores) if sets is None else sets
    for claim in claims:
        groups = differences(means, claim, sets)
        mean = interval(groups, **bootstrap)
        p = exchange_test(groups, settings["resamples"], settings["seed"])
        rows.append({
            **vars(claim), "difference": round(mean.value, DIGITS), "low": round(mean.low, DIGITS),
            "high": round(mean.high, DIGITS), "p": p, "n": mean.n, "verdict": verdict(mean),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    if len(table):
        table.insert(7, "p_holm", holm(table.p.to_numpy()).round(DIGITS))
        table["p"] = table.p.round(DIGITS)
    return table


def differences(means: pd.DataFrame, claim: Claim, sets: Sequence[str]) -> list[np.ndarray]:
    """Return better minus worse for every common shape, one array per test set that either method has."""
    pair = [claim.better, claim.worse]
    chosen = (means.metric == claim.metric) & means.method.isin(pair) & means.test_set.isin(list(sets))
    values = means[chosen].pivot(index=["test_set", "shape_id"], columns="method", values="value")
    for method in pair:
        if method not in values:
            raise AlignPartsError(f"scores: '{method}' has no {claim.metric} on {', '.join(sets)}")
    groups = dict(iter((values[claim.better] - values[claim.worse]).groupby(level="test_set")))
    for name, group in groups.items():
        if not group.notna().any():
            raise AlignPartsError(
                f"scores: '{claim.better}' and '{claim.worse}' have no common shape of {name!s}"
            )
    return [groups[name].dropna().to_numpy() for name in sets if name in groups]


def exchange_test(groups: Sequence[Float[np.ndarray, " _"]], resamples: int = 1000, seed: int = 0) -> float:
    """Return the two-sided p of the mean of the groups' means, signs exchanged; exact where cheaper."""
    weighted = np.concatenate([group / len(group) / len(groups) for group in groups])
    if len(weighted) == 1:
        return 1.0  # either sign is as far from 0
    test = scipy.stats.permutation_test(
        (weighted, np.zeros_like(weighted)), lambda a, b, axis=-1: (a - b).sum(axis=axis), vectorized=True,
        permutation_type="samples", n_resamples=resamples, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(test.pvalue)


def holm(p: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Correct p for n tests (Holm, 1979): the smallest times n, the next times n - 1, never falling."""
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(raised, 1)
    return out


def verdict(difference: Interval) -> str:
    """Return "holds", "does not hold" or "undecided" for a claim that a difference is above 0."""
    if difference.low > 0:
        return "holds"
    return "does not hold" if difference.high < 0 else "undecided"
