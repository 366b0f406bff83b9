"""Find3D's metric against a plain loop; queries to models made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from handmade import HandMadeModel
from hypothesis import given, settings
from hypothesis import strategies as st
from named_parts import Text, vocabulary

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.experiments.modes import (
    CONSTRAINED,
    DESCRIPTION,
    NAME,
    NAME_OF_OBJECT,
    QUERIED,
    constrained,
    evaluate_retrieval,
    masks_of,
    query_iou,
    query_text,
    retrieval_table,
)
from alignparts.features.store import FeatureStore
from alignparts.model.metrics import label_iou
from alignparts.naming.prediction import Candidate, Partlets, Prediction

WORDS = ["top", "bottom", "handle"]
encode = Text().encode


def naive(found, truth, counted):
    ious = []
    for answer, part in zip(found, truth, strict=True):
        inside = union = 0
        for a, b, counts in zip(answer, part, counted, strict=True):
            inside += bool(counts and a and b)
            union += bool(counts and (a or b))
        if union:
            ious.append(inside / union)
    return sum(ious) / len(ious) if ious else 0.0


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_the_metric_is_a_loop_over_queries(seed, queries, n):
    rng = np.random.default_rng(seed)
    found, truth = rng.random((2, queries, n)) < rng.random((2, queries, 1))
    counted = rng.random(n) < 0.8
    assert query_iou(found, truth, counted) == pytest.approx(naive(found, truth, counted))
    assert query_iou(found, truth) == pytest.approx(naive(found, truth, np.ones(n, bool)))


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_of_segments_it_is_the_label_iou(seed):
    rng = np.random.default_rng(seed)
    part, found = rng.integers(-1, 3, 30), rng.integers(-1, 4, 30)
    part[:3] = [0, 1, 2]
    names, called = ["a", "b", "a"], ["b", "a", "b", "else"]
    answers, truth = (
        masks_of(Prediction.of_names(*one), ["a", "b"]) for one in ((found, called), (part, names))
    )
    assert query_iou(answers, truth, part >= 0) == pytest.approx(label_iou(found, called, part, names))


def test_empty_unions_are_left_out():
    nothing, some = np.zeros((1, 4), bool), np.array([[True, False, True, False]])
    assert query_iou(np.vstack([some, nothing]), np.vstack([some, nothing])) == 1.0
    assert query_iou(np.vstack([some, some]), np.vstack([some, nothing])) == 0.5
    assert query_iou(nothing, nothing) == 0.0


def test_what_queries_say():
    one = vocabulary()
    assert query_text(NAME, one, "mug", "top_lid") == "top lid"
    assert query_text(NAME_OF_OBJECT, one, "coffee_mug", "top_lid") == "top lid of a coffee mug"
    assert query_text(DESCRIPTION, one, "mug", "top") == one.description("mug", "top")
    assert query_text(DESCRIPTION, one, "rocket", "tail_fin") == "tail fin"


def partlets(mask, said, partness):
    return Partlets(
        mask=np.array(mask, np.float32),
        partness=np.array(partness, np.float32),
        embeddings=encode(said),
        global_embedding=encode(["mug"])[0],
        fused=np.zeros((len(mask[0]), 2), np.float32),
    )


def test_constrained_takes_as_many_partlets_as_names():
    """The third partlet is active but small, the second large but inactive."""
    one = partlets([[0.9, 0.9, 0.1], [0.1, 0.1, 0.8], [0.2, 0.2, 0.1]], WORDS, [0.9, 0.4, 0.55])
    found = constrained(one, encode, [Candidate("top"), Candidate("bottom")])
    assert [found.names[index] for index in found.point_part] == ["top", "top", "bottom"]
    # Each name goes to one partlet, though both are nearer to the first.
    both = partlets([[0.9, 0.1], [0.1, 0.9]], ["top", "top"], [0.9, 0.9])
    assert sorted(constrained(both, encode, [Candidate("top"), Candidate("bottom")]).names) == [
        "bottom",
        "top",
    ]


def test_masks_join_segments_of_one_name():
    found = Prediction.of_names(np.array([0, 1, 2, -1]), ["a", "b", "a"])
    assert masks_of(found, ["a", "b", "c"]).astype(int).tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [0] * 4]
    with pytest.raises(AlignPartsError, match="without names"):
        masks_of(Prediction.unnamed(np.array([0])), ["a"])


class Told(HandMadeModel):
    """Its masks are in the geometry feature."""

    def forward(self, points, geometry, appearance):
        return SimpleNamespace(
            text=None,
            mask_logits=9 * (2 * geometry.transpose(1, 2) - 1),
            partness=torch.tensor([[4.0, 4.0, -0.5]]),
            partlets=torch.from_numpy(encode(WORDS))[None],
            global_embedding=torch.from_numpy(encode(["mug"])),
            fused=geometry,
        )


class Peer:
    """Gives the names it is given to the parts in turn; remembers what it was told."""

    label = "peer"

    def __init__(self, answers=True):
        self.answers, self.told = answers, []

    def predict(self, arrays, given):
        self.told.append(given)
        if not self.answers:
            return Prediction.of_names(np.full(len(arrays["points"]), -1), [])
        return Prediction.of_names(arrays["geometry"].argmax(axis=1).astype(np.int64), given.names)


def ours() -> Ours:
    return Ours(Told(), encode, vocabulary())


@pytest.fixture
def store(tmp_path):
    """Two-part mugs; a tenth of the points is unlabeled, though they look like a top."""
    store = FeatureStore(tmp_path / "store", "made-by-hand")
    for number, name in enumerate(["compat", "partnet", "partnet", "heldout"]):
        part = np.arange(40) % 2
        part[36:] = 0
        arrays = {
            "points": np.random.default_rng(number).normal(size=(40, 3)).astype(np.float32),
            "geometry": np.eye(3)[part].astype(np.float16),
            "appearance": np.ones((40, 2), np.float16),
            "part": np.where(np.arange(40) < 36, part, -1).astype(np.int16),
        }
        split = "heldout" if name == "heldout" else "test"
        meta = {"category": "mug", "dataset": "partnet" if split == "heldout" else name, "split": split}
        store.add(f"shape{number}", arrays, {**meta, "part_names": ["top", "bottom"]})
    store.flush()
    return store


def values(scores, method, query):
    return scores[(scores.method == method) & (scores.metric == query)].value.tolist()


def test_everybody_is_asked_the_same(store):
    peer = Peer()
    found = evaluate_retrieval(store, ours(), [peer], points=64)
    assert list(found.method.unique()) == [CONSTRAINED, QUERIED, "peer"]
    for method in (CONSTRAINED, QUERIED):
        assert values(found, method, NAME) == values(found, method, DESCRIPTION) == [1.0] * 4
    assert values(found, "peer", NAME_OF_OBJECT) == [1.0] * 4
    assert [one.names for one in peer.told[:3]] == [
        ("top", "bottom"),
        ("top", "bottom"),
        ("top of a mug", "bottom of a mug"),
    ]
    assert {(one.category, one.parts) for one in peer.told} == {(None, 2)}
    # By a text that says nothing to the encoder, one query after the other gets the same partlet.
    assert values(found, QUERIED, NAME_OF_OBJECT) == [0.5] * 4


def test_no_answer_scores_nothing(store):
    found = evaluate_retrieval(store, ours(), [Peer(answers=False)], queries=[NAME], points=64)
    assert values(found, "peer", NAME) == [0.0] * 4


def test_background_counts_if_asked_for(store):
    found = evaluate_retrieval(store, ours(), queries=[NAME], points=64, background=True)
    assert values(found, CONSTRAINED, NAME) == pytest.approx([(18 / 22 + 1) / 2] * 4)


def test_the_table(store):
    found = evaluate_retrieval(store, ours(), [Peer()], queries=[NAME], points=64)
    table = retrieval_table(found, resamples=20)
    rows = {(row.method, row.test_set): row for row in table.itertuples()}
    assert list(dict.fromkeys(table.test_set)) == ["compat", "partnet", "average", "heldout"]
    assert set(table.metric) == {"IoU, {part}"}
    counts = [rows["peer", name].n for name in ("compat", "partnet", "average", "heldout")]
    assert counts == [1, 2, 3, 1]
    assert table.value.tolist() == [1.0] * len(table)
    with pytest.raises(AlignPartsError, match="no shape of train"):
        evaluate_retrieval(store, ours(), splits=["train"])
