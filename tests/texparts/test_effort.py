"""Effort tables: known ratios, orders with a known outcome, and real objects from every start."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from annotators import annotation, boxes, shape_of
from review_store import vocabulary

from alignparts.core.config import load_params
from alignparts.core.errors import AlignPartsError
from texparts.raw.synthetic import TexVerseLike
from texparts.simulation.cost import CostModel, Tally
from texparts.simulation.effort import (
    OURS,
    STARTS,
    draw_effort,
    draw_orders,
    mean_table,
    measure_effort,
    order_table,
    ratio_table,
)
from texparts.simulation.truth import truth_of

COST = CostModel(**dict(load_params().texparts.effort))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Two boxes with a lid, one predicted rightly; and a strange thing whose prediction is all wrong."""
    root = tmp_path_factory.mktemp("effort")
    labels = np.array([0] * 12 + [1] * 12)
    folder = TexVerseLike(root / "texverse", root / "truth")
    folder.truth.mkdir()
    predictions = {
        "a": annotation("box", labels, ["body", "lid"], accepted=True),
        "b": annotation("box", labels, ["body", "base"]),
        "c": annotation("lamp", labels * 0, ["base"]),
    }
    for name, prediction in predictions.items():
        shape_of(root, boxes(2), {2: labels, 4: np.arange(24) % 4}, prediction, name)
        said = {"category": "thing" if name == "c" else "Box", "parts": ["body", "top_cover"]}
        (folder.truth / f"{name}.json").write_text(json.dumps(said))
        np.save(folder.truth / f"{name}.npy", labels.astype(np.int32))
    truths = {name: truth_of(folder, name, vocabulary()) for name in predictions}
    return measure_effort(root, truths, COST, ["thing"])


def test_truth_is_canonical_and_equal_names_are_one_part(tmp_path: Path) -> None:
    folder = TexVerseLike(tmp_path, tmp_path)
    (tmp_path / "x.json").write_text(
        json.dumps({"category": "Box", "parts": ["body", "cover", "top_cover", "odd Bit"]})
    )
    np.save(tmp_path / "x.npy", np.array([0, 1, 2, 3, -1], np.int32))
    right = truth_of(folder, "x", vocabulary())
    assert right.category == "box" and right.names == ("body", "lid", "odd_bit")
    assert right.face_part.tolist() == [0, 1, 1, 2, -1]
    np.save(tmp_path / "x.npy", np.array([0, 0, 2, 2, 2], np.int32))
    assert truth_of(folder, "x", vocabulary()).names == ("body", "lid")  # a name without faces is no part
    with pytest.raises(AlignPartsError, match="no truth of object y"):
        truth_of(folder, "y", vocabulary())


def test_every_object_is_done_from_every_start(measured: pd.DataFrame) -> None:
    assert len(measured) == 3 * len(STARTS) and measured.right.all() and (measured.parts == 2).all()
    assert measured.groupby("object_id").test_set.first().tolist() == ["seen", "seen", "unseen"]
    taken = measured.set_index(["object_id", "start"])
    # A right prediction that is accepted without review: look at the object, hand it in.
    only = COST.open_object().plus(COST.submit())
    assert tuple(taken.loc[("a", OURS), list(Tally._fields)]) == pytest.approx(tuple(only))
    for name in ("a", "b"):
        seconds = [taken.loc[(name, start), "seconds"] for start in (OURS, "scratch", "brush")]
        assert seconds == sorted(seconds)
    assert taken.loc[("c", "brush"), "strokes"] > 0 and taken.loc[("c", "scratch"), "strokes"] == 0


def table(seconds: dict[str, list[float]], confidence: list[float]) -> pd.DataFrame:
    rows = [
        {
            "object_id": f"{index:03d}", "category": "box", "test_set": "seen", "start": start, "parts": 2,
            "clicks": 3, "keys": 1, "strokes": 0, "seconds": one, "looking": 1.0, "iou": 1.0, "right": True,
            "confidence": confidence[index], "uncertainty": 1 - confidence[index],
        }
        for start, values in seconds.items()
        for index, one in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_ratios_are_those_of_the_sums() -> None:
    rng = np.random.default_rng(0)
    ours = rng.uniform(10, 100, 40)
    found = ratio_table(table({OURS: ours.tolist(), "scratch": (6 * ours).tolist()}, [0.5] * 40))
    assert np.allclose(found[["value", "low", "high"]], 6)  # pairs: no spread
    theirs = ours * np.exp(rng.normal(size=40))
    (row,) = ratio_table(table({OURS: ours.tolist(), "scratch": theirs.tolist()}, [0.5] * 40)).itertuples()
    assert row.value == pytest.approx(theirs.sum() / ours.sum())
    assert row.low < row.value < row.high and row.n == 40
    with pytest.raises(AlignPartsError, match="every object from every start"):
        ratio_table(table({"scratch": [1.0]}, [0.5]))


def test_an_order_by_effort_is_sooner_half_done() -> None:
    seconds = [float(one) for one in range(1, 41)]
    objects = table({OURS: seconds}, [1 - one / 100 for one in range(40)])
    rows = order_table(objects).set_index("order")
    assert rows.value["confident"] == pytest.approx(np.mean(seconds[:20]) / np.mean(seconds))
    assert rows.value["uncertain"] == pytest.approx(np.mean(seconds[20:]) / np.mean(seconds))
    assert rows.high["confident"] < 1 < rows.low["uncertain"]
    assert ((rows.low < rows.value) & (rows.value < rows.high)).all()
    rng = np.random.default_rng(1)
    unrelated = order_table(table({OURS: seconds}, rng.random(40).tolist()))
    assert ((unrelated.low < 1) & (unrelated.high > 1)).all()


def test_figures_show_every_start_and_order(measured: pd.DataFrame) -> None:
    figure = draw_effort(mean_table(measured), ratio_table(measured))
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == [start.label for start in STARTS.values()]
    lines = draw_orders(measured).axes[0].lines
    total = measured[measured.start == OURS].seconds.sum() / 60
    assert len(lines) == 3
    assert all(line.get_xdata()[-1] == pytest.approx(total) and line.get_ydata()[-1] == 3 for line in lines)
    with pytest.raises(AlignPartsError, match="no object"):
        draw_orders(pd.DataFrame())
