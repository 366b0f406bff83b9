"""Parts by size and by name: shapes made by hand, naive loops, and pandas as the reference."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import COLUMNS
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.part_analysis import (
    ALL,
    AS_GOOD,
    BELOW,
    BEST,
    EDGES,
    NONE,
    PART_COLUMNS,
    confusion_matrix,
    confusions,
    leaderboard,
    most_confused,
    part_rows,
    rows_of_methods,
    size_table,
)
from alignparts.evaluation.tables import read_rows, write_rows
from alignparts.model.metrics import shape_metrics
from alignparts.naming.prediction import Prediction

NAMES = ["seat", "leg", "back", "arm"]


def shape(truth, names=NAMES, shape_id="s", category="chair", test_set="partnet") -> Labeled:
    truth = np.asarray(truth, np.int64)
    present = [names[part] for part in np.unique(truth[truth >= 0])]
    return Labeled(shape_id, test_set, category, {}, truth, list(names), present)


def segments(part, names=None) -> Prediction:
    part = np.asarray(part, np.int64)
    return Prediction.unnamed(part) if names is None else Prediction.of_names(part, names)


def chance(seed: int) -> tuple[Labeled, Prediction]:
    rng = np.random.default_rng(seed)
    sizes = rng.dirichlet(np.full(4, 0.3))
    truth = rng.choice(4, 400, p=sizes)
    found = np.where(rng.random(400) < 0.6, truth, rng.integers(-1, 4, 400))
    truth[rng.random(400) < 0.1] = -1
    names = [NAMES[index] for index in rng.permutation(4)]
    test_set = ("partnet", "heldout")[seed % 4 == 3]
    return shape(
        truth, shape_id=f"s{seed}", category=("chair", "sofa")[seed % 2], test_set=test_set
    ), segments(found, names)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.concat([part_rows("ours", *chance(seed)) for seed in range(24)], ignore_index=True)


def test_a_shape_by_hand():
    # 8 labeled points: seat 4, leg 3, back 1; arm has none. The last point counts nowhere.
    found = segments([0, 0, 0, 1, 1, 1, -1, -1, 2], ["seat", "back", ""])
    table = part_rows("ours", shape([0, 0, 0, 0, 1, 1, 1, 2, -1]), found, seed=3)
    assert list(table.columns) == PART_COLUMNS
    assert list(table.part) == ["seat", "leg", "back"]
    assert table.share.tolist() == [4 / 8, 3 / 8, 1 / 8]
    assert table.iou.tolist() == pytest.approx([3 / 4, 2 / 4, 0])
    assert list(table.given) == ["seat", "back", NONE]
    assert list(table.right) == [True, False, False]
    assert set(table.seed) == {3}


def test_an_equal_name_without_overlap_is_not_right():
    table = part_rows("ours", shape([0, 1]), segments([-1, 1], ["seat", "leg"]))
    assert list(table.given) == [NONE, "leg"]
    assert list(table.right) == [False, True]


def test_a_segment_without_a_name_gives_none():
    assert list(part_rows("ours", shape([0, 0]), segments([0, 0], [""])).given) == [NONE]


def test_methods_without_names_and_without_segments():
    named = part_rows("clusters", shape([0, 0, 1]), segments([0, 0, 1]))
    assert named.given.isna().all() and named.right.isna().all()
    assert named.iou.tolist() == [1, 1]
    nothing = part_rows("ours", shape([0, 1]), segments([-1, -1], []))
    assert nothing.iou.tolist() == [0, 0] and list(nothing.given) == [NONE, NONE]


@pytest.mark.parametrize("seed", range(20))
def test_means_are_the_metrics_of_the_shape(seed):
    truth, found = chance(seed)
    table = part_rows("ours", truth, found)
    values = shape_metrics(found.point_part, found.names, truth.truth, truth.names)
    assert table.iou.mean() == pytest.approx(values["miou"])
    assert (table.iou * table.right.astype(float)).mean() == pytest.approx(values["la_miou"])
    assert table.share.sum() == pytest.approx(1)


def test_neither_points_nor_parts_have_an_order():
    truth, found = chance(5)
    rng = np.random.default_rng(0)
    points, parts = rng.permutation(len(truth.truth)), rng.permutation(4)
    number = np.argsort(parts)
    moved = np.where(truth.truth < 0, -1, number[truth.truth])[points]
    other = shape(moved, [NAMES[part] for part in parts], "s5", truth.category, truth.test_set)
    again = part_rows("ours", other, segments(found.point_part[points], found.names))
    first = part_rows("ours", truth, found).sort_values("part", ignore_index=True)
    pd.testing.assert_frame_equal(first, again.sort_values("part", ignore_index=True))


def test_bins_by_naive_loops(rows):
    table = size_table(rows, resamples=20).set_index(["test_set", "metric", "above"])
    limits = [0.0, *EDGES, 1.0]
    seen = 0
    for low, high in pairwise(limits):
        for heldout in (False, True):
            own = [
                one
                for one in rows.itertuples()
                if low < one.share <= high and (one.test_set == "heldout") == heldout
            ]
            key = "heldout" if heldout else "seen"
            if not own:
                assert (key, "miou", low) not in table.index
                continue
            seen += len(own)
            cell, named = table.loc[(key, "miou", low)], table.loc[(key, "la_miou", low)]
            assert cell.value == pytest.approx(np.mean([one.iou for one in own]), abs=1e-4)
            assert named.value == pytest.approx(np.mean([one.iou * one.right for one in own]), abs=1e-4)
            assert (cell.parts, cell.n) == (len(own), len({one.shape_id for one in own}))
            assert cell.low <= cell.value <= cell.high
            assert named.value <= cell.value
    assert seen == len(rows)


def test_bins_weighted_by_parts_give_the_mean_over_parts(rows):
    table = size_table(rows, resamples=20)
    for (test_set, metric), own in table.groupby(["test_set", "metric"]):
        parts = rows[(rows.test_set == "heldout") == (test_set == "heldout")]
        values = parts.iou if metric == "miou" else parts.iou * parts.right.astype(float)
        assert own.parts.sum() == len(parts)
        assert np.average(own.value, weights=own.parts) == pytest.approx(values.mean(), abs=1e-4)
        assert own.above.is_monotonic_increasing


def test_a_bin_holds_its_upper_edge():
    truth = [0] * 50 + [1] * 49 + [2]
    table = size_table(part_rows("ours", shape(truth), segments(truth, NAMES)))
    found = table[table.metric == "miou"].set_index("size").parts.to_dict()
    assert found == {"0.5–1 %": 1, "20–50 %": 2}


def test_seeds_count_shapes_and_parts_once(rows):
    twice = pd.concat([rows, rows.assign(seed=1, iou=rows.iou / 2)])
    one, two = size_table(rows, resamples=20), size_table(twice, resamples=20)
    assert (two.seeds == 2).all()
    assert two.value.to_numpy() == pytest.approx(0.75 * one.value.to_numpy(), abs=1e-4)
    pd.testing.assert_frame_equal(one[["n", "parts", "size"]], two[["n", "parts", "size"]])
    with pytest.raises(AlignPartsError, match="the seeds of ours have different parts"):
        size_table(twice.iloc[:-1], resamples=20)


def test_bins_do_not_depend_on_the_order_of_rows(rows):
    shuffled = rows.sample(frac=1, random_state=1)
    assert size_table(rows, resamples=20).to_csv() == size_table(shuffled, resamples=20).to_csv()
    assert confusions(rows).to_csv() == confusions(shuffled).to_csv()


def test_methods_without_names_have_no_named_bins(rows):
    clusters = pd.concat([part_rows("clusters", chance(seed)[0], segments([0] * 400)) for seed in range(4)])
    table = size_table(pd.concat([rows, clusters]), resamples=20)
    assert set(table[table.method == "clusters"].metric) == {"miou"}
    assert set(confusions(pd.concat([rows, clusters])).method) == {"ours"}


def test_the_interval_resamples_shapes_not_parts():
    """Parts of a shape that are all alike tell no more than one of them."""
    alone = pd.DataFrame({
        "method": "ours", "seed": 0, "shape_id": [f"s{i}" for i in range(30)], "test_set": "partnet",
        "category": "chair", "part": "leg", "share": 0.1, "iou": np.linspace(0, 1, 30), "given": "leg",
        "right": True,
    })  # fmt: skip
    many = pd.concat([alone] * 8)
    first, second = size_table(alone, resamples=500), size_table(many, resamples=500)
    columns = ["value", "low", "high", "n"]
    pd.testing.assert_frame_equal(first[columns], second[columns])


def test_confusion_counts_add_up(rows):
    found = confusions(rows, top=None)
    for (category, part), own in found.groupby(["category", "part"]):
        whole = rows[(rows.part == part) & ((rows.category == category) | (category == ALL))]
        assert set(own.n) == {len(whole)}
        assert own["right"].iloc[0] == pytest.approx(whole.right.mean(), abs=1e-4)
        assert own["count"].sum() + whole.right.sum() == len(whole)
        assert (own.given != part).all()
        for one in own.itertuples():
            count = sum(a == one.given for a in whole.given)
            assert (count, one.share) == (one.count, pytest.approx(count / len(whole), abs=1e-4))
    both = found[found.category != ALL].groupby(["part", "given"])["count"].sum()
    overall = found[found.category == ALL].set_index(["part", "given"])["count"]
    assert both.to_dict() == overall.to_dict()


def test_the_most_frequent_confusions_come_first(rows):
    top, every = confusions(rows, top=3), confusions(rows, top=None)
    assert list(dict.fromkeys(top.category)) == [ALL, "chair", "sofa"]
    for category, own in top.groupby("category"):
        counts = every[every.category == category]["count"].to_numpy()
        assert own["count"].tolist() == sorted(counts, reverse=True)[:3]


def test_matrix_holds_every_part_once(rows):
    matrix = confusion_matrix(rows, "chair")
    own = rows[rows.category == "chair"]
    assert matrix.to_numpy().sum() == len(own)
    assert list(matrix.columns[: len(matrix)]) == list(matrix.index)
    assert matrix.sum(axis=1).is_monotonic_decreasing
    assert np.trace(matrix.to_numpy()) == own.right.sum()
    for part in matrix.index:
        for given in matrix.columns:
            assert matrix.loc[part, given] == ((own.part == part) & (own.given == given)).sum()


def test_matrix_ends_with_foreign_names_and_none():
    found = segments([0, 1, 1, -1], ["wheel", "leg"])
    matrix = confusion_matrix(part_rows("ours", shape([0, 1, 1, 2]), found), "chair")
    assert list(matrix.index) == ["back", "leg", "seat"]
    assert list(matrix.columns) == ["back", "leg", "seat", "wheel", NONE]
    assert matrix.loc["seat"].tolist() == [0, 0, 0, 1, 0]
    assert matrix.loc["back", NONE] == 1


def test_matrix_errors(rows):
    both = pd.concat([rows, rows.assign(method="theirs")])
    with pytest.raises(AlignPartsError, match="ours, theirs"):
        confusion_matrix(both, "chair")
    assert confusion_matrix(both, "chair", "ours").equals(confusion_matrix(rows, "chair"))
    with pytest.raises(AlignPartsError, match="there are chair, sofa"):
        confusion_matrix(rows, "boat")


def scores(values: dict[tuple[str, str], list[float]], metric: str = "miou", seed: int = 0) -> pd.DataFrame:
    """By method and category, one value a shape."""
    body = [
        (method, seed, f"{category}{index}", "partnet", category, metric, value)
        for (method, category), several in values.items()
        for index, value in enumerate(several)
    ]
    return pd.DataFrame(body, columns=COLUMNS)


def test_leaderboard_against_pandas():
    rng = np.random.default_rng(0)
    pairs = [(method, category) for method in "abc" for category in ("chair", "lamp", "mug")]
    table = pd.concat([
        scores({pair: rng.random(6).tolist() for pair in pairs}, metric, seed)
        for metric in ("miou", "la_miou") for seed in (0, 1)
    ])  # fmt: skip
    board = leaderboard(table, resamples=50)
    means = table.groupby(["category", "metric", "method"]).value.mean()
    found = board.set_index(["category", "metric", "method"])
    assert found.value.sort_index().to_numpy() == pytest.approx(means.sort_index().to_numpy(), abs=1e-4)
    ranks = means.groupby(level=[0, 1]).rank(ascending=False)
    assert (found["rank"].sort_index() == ranks.sort_index()).all()
    assert set(zip(board.n, board.seeds, strict=True)) == {(6, 2)}
    first = board[(board.metric == "miou") & (board["rank"] == 1)]
    assert first.value.is_monotonic_decreasing
    assert list(first.category) == list(dict.fromkeys(board.category))
    assert ((board.standing == BEST) == (board["rank"] == 1)).all()
    assert leaderboard(table.sample(frac=1, random_state=1), resamples=50).equals(board)


def test_standing_by_hand():
    board = leaderboard(
        scores(
            {
                ("best", "mug"): [0.8, 0.6, 0.7, 0.9],
                ("even", "mug"): [0.9, 0.5, 0.6, 1.0],  # the same mean
                ("near", "mug"): [0.9, 0.5, 0.5, 1.0],  # above on two shapes, below on two
                ("far", "mug"): [0.7, 0.5, 0.6, 0.8],  # below on every shape
                ("single", "mug"): [0.1],
            }
        )
    ).set_index("method")
    assert board.standing.to_dict() == {
        "best": BEST, "even": BEST, "near": AS_GOOD, "far": BELOW, "single": AS_GOOD,
    }  # fmt: skip
    assert board["rank"].to_dict() == {"best": 1, "even": 1, "near": 3, "far": 4, "single": 5}
    assert not len(leaderboard(scores({("a", "mug"): [0.5]}, "label_iou")))


def test_stored_parts_give_the_same_tables(tmp_path):
    shapes = [chance(seed)[0] for seed in range(12)]
    ours = {one.shape_id: chance(seed)[1] for seed, one in enumerate(shapes)}
    # A name that pandas would read as a missing value, and a method without names.
    ours["s0"] = Prediction.of_names(ours["s0"].point_part, ["None", "seat", "leg", "arm"])
    clusters = {name: Prediction.unnamed(found.point_part) for name, found in ours.items()}
    rows = rows_of_methods({"clusters": clusters, "ours": ours}, shapes)
    write_rows(tmp_path / "parts.csv", rows)
    stored = read_rows(tmp_path / "parts.csv")
    assert "None" in set(stored.given)
    pd.testing.assert_frame_equal(size_table(stored, resamples=20), size_table(rows, resamples=20))
    pd.testing.assert_frame_equal(confusions(stored), confusions(rows))
    named = rows[rows.method == "ours"]
    wrong = {name: int((~group.right.astype(bool)).sum()) for name, group in named.groupby("category")}
    assert most_confused(stored) == max(sorted(wrong), key=wrong.get)
    with pytest.raises(AlignPartsError, match="dvc repro evaluate"):
        read_rows(tmp_path / "none.csv")
