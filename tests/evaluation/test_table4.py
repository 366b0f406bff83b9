"""Table 4 on partlets and shapes made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from handmade import HandMadeModel
from named_parts import Text, vocabulary

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.experiments.modes import (
    CLUSTERS,
    NONE,
    NUMBER,
    evaluate_part_number,
    most_salient,
    table4,
    with_part_number,
)
from alignparts.features.store import FeatureStore
from alignparts.naming.prediction import Candidate, Partlets

WORDS = ["top", "bottom", "handle"]
encode = Text().encode


def partlets(k=6, n=40, seed=0):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(k, Text.d_t)).astype(np.float32)
    return Partlets(
        mask=rng.uniform(size=(k, n)).astype(np.float32),
        partness=rng.uniform(size=k).astype(np.float32),
        embeddings=embeddings,
        global_embedding=embeddings[0],
        fused=np.zeros((n, 2), np.float32),
    )


@pytest.mark.parametrize("parts", [1, 3, 6, 9])
def test_the_most_salient_are_those_that_share_out_the_points(parts):
    one = partlets()
    kept = most_salient(one, parts)
    assert len(kept.mask) == len(kept.active()) == min(parts, 6)
    salience = [float(p * m.mean()) for p, m in zip(one.partness, one.mask, strict=True)]
    best = sorted(range(6), key=lambda k: -salience[k])[:parts]
    assert np.array_equal(kept.embeddings, one.embeddings[best])
    assert np.array_equal(kept.mask, one.mask[best])


def test_the_number_decides_the_points_and_names_do_not():
    one = partlets()
    for names in (WORDS, WORDS[:1], ["a", "b", "c", "d"]):
        found = with_part_number(one, 4, encode, [Candidate(name) for name in names])
        assert np.array_equal(found.point_part, most_salient(one, 4).mask.argmax(axis=0))
        given = [name for name in found.names if name]
        assert len(found.names) == 4
        assert len(set(given)) == len(given) == min(4, len(names))


def named(words, partness=0.9):
    """Partlet k has point k."""
    return Partlets(
        mask=np.eye(len(words), dtype=np.float32),
        partness=np.full(len(words), partness, np.float32),
        embeddings=encode(words),
        global_embedding=encode(["mug"])[0],
        fused=np.zeros((len(words), 2), np.float32),
    )


def test_names_follow_the_masks():
    candidates = [Candidate(name) for name in WORDS]
    found = with_part_number(named(["handle", "top", "bottom"]), 3, encode, candidates, category="mug")
    assert [found.names[index] for index in found.point_part] == ["handle", "top", "bottom"]
    assert found.category == "mug"


def test_a_name_is_given_once_unless_the_vocabulary_is_open():
    candidates = [Candidate("top"), Candidate("bottom")]
    twice = named(["top", "top", "bottom"])
    assert sorted(with_part_number(twice, 3, encode, candidates).names) == ["", "bottom", "top"]
    assert with_part_number(twice, 3, encode, candidates, once=False).names == ["top", "top", "bottom"]


class Told(HandMadeModel):
    """Its masks are in the geometry feature; the handle's partlet is unsure of being a part."""

    def forward(self, points, geometry, appearance):
        return SimpleNamespace(
            text=None,
            mask_logits=9 * (2 * geometry.transpose(1, 2) - 1),
            partness=torch.tensor([[4.0, 4.0, -0.5]]),
            partlets=torch.from_numpy(encode(WORDS))[None],
            global_embedding=torch.from_numpy(encode(["mug"])),
            fused=geometry,
        )


def ours() -> Ours:
    return Ours(Told(), encode, vocabulary())


@pytest.fixture
def store(tmp_path):
    """Mugs with 1, 2 or 3 parts, whose features say which part a point is of."""
    store = FeatureStore(tmp_path / "store", "made-by-hand")
    sets = [("compat", 3), ("find3d", 2), ("partnet", 3), ("partnet", 1), ("heldout", 2), ("train", 2)]
    for number, (name, parts) in enumerate(sets):
        part = np.arange(60) % parts
        arrays = {
            "points": np.random.default_rng(number).normal(size=(60, 3)).astype(np.float32),
            "geometry": np.eye(3)[part].astype(np.float16),
            "appearance": np.ones((60, 2), np.float16),
            "part": np.where(np.arange(60) < 6, -1, part).astype(np.int16),
        }
        split = name if name in ("heldout", "train") else "test"
        meta = {"category": "mug", "dataset": "partnet" if split != "test" else name, "split": split}
        store.add(f"shape{number}", arrays, {**meta, "part_names": WORDS[:parts]})
    store.add(
        "bare",
        {**arrays, "part": np.full(60, -1, np.int16)},
        {"category": "mug", "dataset": "partnet", "split": "test", "part_names": WORDS},
    )
    store.flush()
    return store


@pytest.fixture
def evaluation(store):
    return evaluate_part_number(store, ours(), points=50)


def by_shape(scores, method, metric):
    return scores[(scores.method == method) & (scores.metric == metric)].value.tolist()


def test_the_number_wakes_a_part_that_partness_lost(evaluation):
    assert by_shape(evaluation, CLUSTERS, "miou") == [1.0] * 5
    assert by_shape(evaluation, CLUSTERS, "la_miou") == []
    assert by_shape(evaluation, NUMBER, "miou") == [1.0] * 5
    assert by_shape(evaluation, NUMBER, "la_miou") == [1.0] * 5
    # Without it the handle's points belong to nobody: two of three parts are found.
    assert by_shape(evaluation, NONE, "miou") == pytest.approx([2 / 3, 1, 2 / 3, 1, 1])
    assert by_shape(evaluation, NONE, "la_miou") == pytest.approx([2 / 3, 1, 2 / 3, 1, 1])


def test_the_table(evaluation, store):
    table = table4(evaluation, resamples=30)
    assert set(table.metric) == {"mIoU", "LA-mIoU"}
    assert set(table[table.method == CLUSTERS].metric) == {"mIoU"}
    rows = {(r.method, r.test_set, r.metric): r for r in table.itertuples()}
    three = [rows[NONE, name, "mIoU"].value for name in ("compat", "find3d", "partnet")]
    assert rows[NONE, "average", "mIoU"].value == pytest.approx(np.mean(three), abs=1e-4)
    assert [rows[NONE, name, "mIoU"].n for name in ("compat", "partnet", "heldout")] == [1, 2, 1]
    again = evaluate_part_number(store, ours(), points=50)
    assert table4(again, resamples=30).equals(table)


def test_no_shape_is_an_error(store):
    with pytest.raises(AlignPartsError, match="no shape of validation"):
        evaluate_part_number(store, ours(), splits=["validation"])
