"""Methods over several training seeds: means with intervals, paired tests, and claims put to the test.

Everything starts from scores: one row a method, training seed, shape and metric (`COLUMNS`). A shape's
value is its mean over the seeds; intervals and tests then are over shapes, the same ones for all methods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.tables import DIGITS, long_table, row
from alignparts.model.metrics import Interval, interval

COLUMNS = ["method", "seed", "shape_id", "test_set", "category", "metric", "value"]
SETS = ("compat", "find3d", "partnet")
"""The paper's test sets; "average" is the unweighted mean over them."""
AVERAGE = "average"

Verdict = Literal["holds", "does not hold", "undecided"]


@dataclass(frozen=True)
class Claim:
    """That one method is better than another on a metric."""

    better: str
    worse: str
    metric: str


def over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a method, shape and metric: ``value`` is the mean over the seeds, ``seeds`` their number.

    Raises:
        AlignPartsError: a column is missing, a score is there twice, or a seed lacks some of the shapes.
    """
    missing = [name for name in COLUMNS if name not in scores]
    if missing:
        raise AlignPartsError(f"scores: no column '{missing[0]}'; expected {', '.join(COLUMNS)}")
    key = ["method", "test_set", "category", "shape_id", "metric"]
    twice = scores[scores.duplicated([*key, "seed"])]
    if len(twice):
        one = twice.iloc[0]
        raise AlignPartsError(
            f"scores: {one.method}, seed {one.seed}, {one.shape_id}: {one.metric} is there twice"
        )
    found = scores.groupby(key, sort=False).agg(value=("value", "mean"), seeds=("seed", "size")).reset_index()
    trained = scores.groupby(["method", "metric"]).seed.nunique()
    expected = found.set_index(["method", "metric"]).index.map(trained.to_dict())
    short = found[found.seeds.to_numpy() != expected.to_numpy()]
    if len(short):
        one = short.iloc[0]
        raise AlignPartsError(
            f"scores: {one.method} has {one.metric} of {one.shape_id} for {one.seeds} of its "
            f"{trained[one.method, one.metric]} seeds; expected all of them"
        )
    return found


def score_table(
    scores: pd.DataFrame, *, sets: Sequence[str] = SETS, resamples: int = 1000, confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Every method, test set and metric, and the average over `sets`, as a long table.

    The average is given for methods that have scores on all the sets that any method has.
    """
    means = over_seeds(scores)
    known = [name for name in sets if name in set(means.test_set)]
    others = [name for name in dict.fromkeys(means.test_set) if name not in known]
    rows = []
    for (method, metric), group in means.groupby(["method", "metric"], sort=False):
        ordered = group.sort_values("shape_id")
        values = {name: one.value.to_numpy() for name, one in ordered.groupby("test_set", sort=False)}
        samples = {name: [values[name]] for name in (*known, *others) if name in values}
        if known and all(name in values for name in known):
            samples[AVERAGE] = [values[name] for name in known]
        for test_set, sample in samples.items():
            found = interval(sample, resamples=resamples, confidence=confidence, seed=seed)
            rows.append(row(str(method), test_set, str(metric), found, int(group.seeds.iloc[0])))
    return long_table(rows)


def paired_table(
    scores: pd.DataFrame, claims: Sequence[Claim], *, sets: Sequence[str] = SETS, resamples: int = 1000,
    confidence: float = 0.95, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Claims on the average over `sets`, tested on the shapes that both methods have.

    Returns:
        One row a claim: ``difference`` (better - worse) with its bootstrap interval, ``p`` of a two-sided
        test that exchanges the methods within shapes, ``p_holm`` corrected over all rows, ``n`` shapes, and
        ``verdict``: "holds" where the interval lies above 0, "does not hold" where it lies below.

    Raises:
        AlignPartsError: a method without scores, or two without a common shape in one of the sets.
    """
    means = over_seeds(scores)
    rows = []
    for claim in claims:
        groups = differences(means, claim, sets)
        found = interval(groups, resamples=resamples, confidence=confidence, seed=seed)
        rows.append({
            "better": claim.better, "worse": claim.worse, "metric": claim.metric,
            "difference": round(found.value, DIGITS), "low": round(found.low, DIGITS),
            "high": round(found.high, DIGITS), "p": exchange_test(groups, resamples, seed), "n": found.n,
            "verdict": verdict(found),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    if len(table):
        table.insert(7, "p_holm", holm(table.p.to_numpy()).round(DIGITS))
        table["p"] = table.p.round(DIGITS)
    return table


def differences(means: pd.DataFrame, claim: Claim, sets: Sequence[str] = SETS) -> list[np.ndarray]:
    """Better minus worse for every common shape, one array a test set that either method has."""
    wide = {}
    for method in (claim.better, claim.worse):
        own = means[(means.method == method) & (means.metric == claim.metric) & means.test_set.isin(sets)]
        if not len(own):
            raise AlignPartsError(f"scores: '{method}' has no {claim.metric} on {', '.join(sets)}")
        wide[method] = own.set_index(["test_set", "shape_id"]).value
    groups = []
    for name in sets:
        ours, theirs = (one[one.index.get_level_values(0) == name] for one in wide.values())
        if not len(ours) and not len(theirs):
            continue
        common = ours.index.intersection(theirs.index, sort=True)
        if not len(common):
            raise AlignPartsError(
                f"scores: '{claim.better}' and '{claim.worse}' have no common shape of {name}"
            )
        groups.append((ours[common] - theirs[common]).to_numpy(np.float64))
    return groups


def exchange_test(groups: Sequence[Float[np.ndarray, " _"]], resamples: int = 1000, seed: int = 0) -> float:
    """Two-sided p of the mean of the groups' means, signs exchanged at random; exact where cheaper."""
    weighted = np.concatenate([group / len(group) / len(groups) for group in groups])
    found = stats.permutation_test(
        (weighted, np.zeros_like(weighted)),
        lambda a, b, axis=-1: (a - b).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def holm(p: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """p corrected for n tests (Holm, 1979): the smallest times n, the next times n - 1, never falling."""
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(raised, 1)
    return out


def verdict(found: Interval) -> Verdict:
    """What an interval of a difference says about a claim that it is above 0."""
    if found.low > 0:
        return "holds"
    return "does not hold" if found.high < 0 else "undecided"
