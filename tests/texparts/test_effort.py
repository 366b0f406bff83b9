"""Effort tables: known ratios, orders with a known outcome, and two real objects from every start."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from annotators import annotation, boxes, shape_of
from review_store import vocabulary

from alignparts.core.config import load_params
from alignparts.core.errors import AlignPartsError
from alignparts.core.paths import ROOT
from texparts.raw.synthetic import TexVerseLike
from texparts.simulation.cost import CostModel
from texparts.simulation.effort import (
    COUNTS,
    LOOKS,
    OURS,
    STARTS,
    Effort,
    mean_table,
    measure_effort,
    ratio_table,
)
from texparts.simulation.effort_figures import ACTION_COLORS, draw_actions, draw_effort, draw_orders
from texparts.simulation.effort_orders import RANDOM, confidence_and_effort, order_curves, order_table
from texparts.simulation.truth import truth_of

COST = CostModel(**load_params().texparts.effort.model_dump())


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Effort, Path]:
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
    return measure_effort(root, predictions, folder, vocabulary(), COST, ["thing"]), root


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
    assert truth_of(folder, "x", vocabulary()).names == ("body", "lid")  # what has no face is no part
    with pytest.raises(AlignPartsError, match="no truth of object y"):
        truth_of(folder, "y", vocabulary())


def test_every_object_is_done_from_every_start(measured: tuple[Effort, Path]) -> None:
    objects, actions = measured[0].objects, measured[0].actions
    assert len(objects) == 3 * len(STARTS) and objects.right.all() and (objects.parts == 2).all()
    assert set(objects.test_set) == {"seen", "unseen"}
    sums = actions.groupby(["object_id", "start"]).seconds.sum()
    assert np.allclose(sums, objects.set_index(["object_id", "start"]).seconds.loc[sums.index])
    looks = actions[actions.action.isin(LOOKS)].groupby(["object_id", "start"]).seconds.sum()
    assert np.allclose(looks, objects.set_index(["object_id", "start"]).looking.loc[looks.index])
    assert set(actions.action) <= set(ACTION_COLORS)
    assert (objects.actions == objects.clicks + objects["keys"] + objects.strokes).all()
    taken = objects.set_index(["object_id", "start"])
    # A right prediction that is accepted unseen: look at the object, hand it in.
    only = COST.open_object().plus(COST.submit())
    assert tuple(taken.loc[("a", OURS), list(COUNTS)]) == pytest.approx(tuple(only))
    both = only.plus(*[COST.look(1).plus(COST.press())] * 2)
    assert tuple(taken.loc[("a", "checked"), list(COUNTS)]) == pytest.approx(tuple(both))
    for name in ("a", "b"):
        for order in ((OURS, "checked", "masks"), (OURS, "scratch", "brush")):
            seconds = [taken.loc[(name, start), "seconds"] for start in order]
            assert seconds == sorted(seconds)
    assert taken.loc[("c", "brush"), "strokes"] > 0 and taken.loc[("c", "pieces"), "strokes"] == 0


def test_an_unknown_start_is_refused(measured: tuple[Effort, Path]) -> None:
    folder = TexVerseLike(measured[1], measured[1] / "truth")
    with pytest.raises(AlignPartsError, match="expected some of brush, pieces"):
        measure_effort(measured[1], "abc", folder, vocabulary(), COST, [], starts=["nothing"])


def table(seconds: dict[str, list[float]], confidence: list[float]) -> pd.DataFrame:
    rows = [
        {
            "object_id": f"{index:03d}", "category": "box", "test_set": "seen", "start": start, "parts": 2,
            "clicks": 3 * one, "keys": one, "strokes": 0, "seconds": one, "looking": 1.0, "actions": 4 * one,
            "iou": 1.0, "right": True, "confidence": confidence[index], "uncertainty": 1 - confidence[index],
        }
        for start, values in seconds.items()
        for index, one in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_ratios_are_those_of_sums_and_of_objects() -> None:
    rng = np.random.default_rng(0)
    ours = rng.uniform(10, 100, 40)
    found = ratio_table(table({OURS: ours.tolist(), "scratch": (6 * ours).tolist()}, [0.5] * 40))
    assert np.allclose(found[["value", "low", "high"]], 6)  # pairs: no spread
    theirs = ours * np.exp(rng.normal(size=40))
    found = ratio_table(table({OURS: ours.tolist(), "scratch": theirs.tolist()}, [0.5] * 40))
    rows = found[found.unit == "seconds"].set_index("statistic")
    assert rows.value["sums"] == pytest.approx(theirs.sum() / ours.sum())
    assert rows.value["geometric"] == pytest.approx(np.exp(np.log(theirs / ours).mean()))
    assert ((found.low < found.value) & (found.value < found.high) & (found.n == 40)).all()
    with pytest.raises(AlignPartsError, match="every object from every start"):
        ratio_table(table({"scratch": [1.0]}, [0.5]))


def test_an_order_by_effort_is_sooner_half_done() -> None:
    seconds = [float(one) for one in range(1, 41)]
    confidence = [1 - one / 100 for one in range(40)]
    objects = table({OURS: seconds}, confidence)
    rows = order_table(objects).set_index("order")
    assert rows.value["confident"] == pytest.approx(np.mean(seconds[:20]) / np.mean(seconds))
    assert rows.value["uncertain"] == pytest.approx(np.mean(seconds[20:]) / np.mean(seconds))
    assert rows.high["confident"] < 1 < rows.low["uncertain"]
    assert confidence_and_effort(objects).value == pytest.approx(-1)
    curves = order_curves(objects, shuffles=400)
    ends = curves.groupby("order").last()
    assert np.allclose(ends.seconds, sum(seconds)) and (ends.parts == 80).all() and (ends.done == 40).all()
    mixed = curves[curves.order == RANDOM]
    assert np.allclose(mixed.seconds, mixed.done * np.mean(seconds), atol=0.03 * sum(seconds))
    rng = np.random.default_rng(1)
    unrelated = order_table(table({OURS: seconds}, rng.random(40).tolist()))
    assert ((unrelated.low < 1) & (unrelated.high > 1)).all()


def test_pictures_show_every_start_and_order(measured: tuple[Effort, Path]) -> None:
    objects, actions = measured[0].objects, measured[0].actions
    figure = draw_effort(mean_table(objects), ratio_table(objects))
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == [start.label for start in STARTS.values()]
    figure = draw_actions(actions)
    widths = sum(bar.get_width() for bar in figure.axes[0].patches)
    assert widths == pytest.approx(objects.groupby("start").seconds.mean().sum())
    figure = draw_orders(order_curves(objects))
    assert [axis.get_ylabel() for axis in figure.axes] == ["objects done", "parts done"]
    for draw in (draw_actions, draw_orders):
        with pytest.raises(AlignPartsError, match="without objects"):
            draw(pd.DataFrame())


def test_the_project_states_the_costs_that_the_code_has() -> None:
    assert load_params(ROOT / "params.yaml").texparts.effort == COST
