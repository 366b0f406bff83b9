"""Methods over seeds: hand-made scores with known means, p-values by enumeration, intervals that cover."""

import itertools

import numpy as np
import pandas as pd
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import (
    AVERAGE,
    COLUMNS,
    SETS,
    Claim,
    differences,
    exchange_test,
    holm,
    over_seeds,
    paired_table,
    score_table,
    verdict,
)
from alignparts.evaluation.intervals import Interval


def rows(method: str, test_set: str, values: dict[str, list[float]], metric: str = "mIoU") -> pd.DataFrame:
    """Scores of a method on one set: by shape, one value a seed."""
    body = [
        (method, seed, f"{test_set}/{shape}", test_set, "chair", metric, value)
        for shape, several in values.items()
        for seed, value in enumerate(several)
    ]
    return pd.DataFrame(body, columns=COLUMNS)


@pytest.fixture
def scores() -> pd.DataFrame:
    return pd.concat([
        rows("ours", "compat", {"a": [0.9, 0.7], "b": [0.5, 0.7]}),
        rows("ours", "partnet", {"c": [0.2, 0.4]}),
        rows("ours", "heldout", {"d": [0.1, 0.1]}),
        rows("theirs", "compat", {"a": [0.5], "b": [0.5]}),
        rows("theirs", "partnet", {"c": [0.1]}),
        rows("cut off", "compat", {"a": [0.3]}),
    ])  # fmt: skip


def cell(table: pd.DataFrame, method: str, test_set: str) -> pd.Series:
    return table[(table.method == method) & (table.test_set == test_set)].iloc[0]


def test_means_over_seeds_then_shapes_then_sets(scores: pd.DataFrame) -> None:
    table = score_table(scores, resamples=50)
    assert cell(table, "ours", "compat").value == pytest.approx(0.7)
    assert cell(table, "ours", AVERAGE).value == pytest.approx((0.7 + 0.3) / 2)  # find3d has no shape
    assert (cell(table, "ours", AVERAGE).n, cell(table, "ours", AVERAGE).seeds) == (3, 2)
    assert cell(table, "theirs", AVERAGE).value == pytest.approx(0.3)
    assert cell(table, "ours", "heldout").value == pytest.approx(0.1)  # a set of its own
    assert not len(table[(table.method == "cut off") & (table.test_set == AVERAGE)])


def test_the_order_of_rows_and_seeds_does_not_matter(scores: pd.DataFrame) -> None:
    def table(given: pd.DataFrame) -> pd.DataFrame:
        return score_table(given, resamples=50).sort_values(["method", "test_set"], ignore_index=True)

    other = scores.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(table(scores), table(other))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda s: pd.concat([s, s.iloc[:1]]), "ours, seed 0, compat/a: mIoU is duplicated"),
        (lambda s: s.iloc[1:], "ours has mIoU of compat/a for 1 of its 2 seeds"),
    ],
)
def test_scores_that_do_not_add_up_are_one_line(scores: pd.DataFrame, spoil, said: str) -> None:
    with pytest.raises(AlignPartsError, match=said):
        over_seeds(spoil(scores))


def test_differences_are_of_common_shapes(scores: pd.DataFrame) -> None:
    groups = differences(over_seeds(scores), Claim("ours", "theirs", "mIoU"), SETS)
    np.testing.assert_allclose(np.concatenate(groups), [0.3, 0.1, 0.2])
    with pytest.raises(AlignPartsError, match="no common shape of partnet"):
        differences(over_seeds(scores), Claim("ours", "cut off", "mIoU"), SETS)
    with pytest.raises(AlignPartsError, match="'nobody' has no mIoU"):
        differences(over_seeds(scores), Claim("ours", "nobody", "mIoU"), SETS)


@pytest.mark.parametrize("sizes", [(5,), (4, 3), (6, 2, 1)])
def test_p_is_the_share_of_all_exchanges(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sum(sizes))
    groups = [rng.normal(0.3, 1, size) for size in sizes]
    weighted = np.concatenate([group / len(group) / len(groups) for group in groups])
    sums = np.array([(weighted * signs).sum() for signs in itertools.product([1, -1], repeat=len(weighted))])
    above, below = (sums >= weighted.sum() - 1e-12).mean(), (sums <= weighted.sum() + 1e-12).mean()
    assert exchange_test(groups, resamples=10_000) == pytest.approx(min(1, 2 * min(above, below)))


def test_p_is_uniform_where_there_is_no_difference() -> None:
    rng = np.random.default_rng(0)
    found = np.array([exchange_test([rng.normal(size=30)], 200, number) for number in range(200)])
    assert 0.01 <= (found <= 0.05).mean() <= 0.1
    assert exchange_test([np.full(30, 0.5)], 999) < 0.01


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])
    np.testing.assert_allclose(holm(np.array([0.6, 0.5])), [1, 1])
    assert holm(np.array([])).size == 0


def test_an_interval_decides() -> None:
    said = [verdict(Interval(0.0, low, high, 9)) for low, high in ((0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1))]
    assert said == ["holds", "does not hold", "undecided"]


def test_claims_are_tested_against_what_was_made() -> None:
    rng = np.random.default_rng(1)
    base = {f"{number}": rng.uniform(0.3, 0.6, 1).tolist() for number in range(60)}

    def plus(by: float) -> dict[str, list[float]]:
        return {
            shape: [value + by + rng.normal(0, 0.05) for value in values] for shape, values in base.items()
        }

    made = pd.concat([rows("base", "compat", base), rows("good", "compat", plus(0.1)),
                      rows("same", "compat", plus(0.0))])  # fmt: skip
    claims = [Claim("good", "base", "mIoU"), Claim("base", "good", "mIoU"), Claim("same", "base", "mIoU")]
    table = paired_table(made, claims, resamples=500)
    assert table.verdict.tolist() == ["holds", "does not hold", "undecided"]
    assert table.difference.iloc[0] == pytest.approx(0.1, abs=0.02) and (table.n == 60).all()
    assert table.difference.iloc[0] == -table.difference.iloc[1]
    assert (table.p_holm >= table.p).all() and table.p_holm.iloc[0] < 0.05 < table.p_holm.iloc[2]


def test_no_claims_no_rows(scores: pd.DataFrame) -> None:
    assert paired_table(scores, []).empty
