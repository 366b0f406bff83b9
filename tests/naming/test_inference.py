"""The modes of section 3.3 on partlets made by hand, and confidence against its formulas."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from handmade import HandMadeModel
from safetensors.numpy import save_file

from alignparts.core.errors import AlignPartsError
from alignparts.naming.confidence import Calibration, Statistics, soft_confidence
from alignparts.naming.inference import (
    closed_vocabulary,
    forward,
    name_parts,
    open_vocabulary,
    retrieval,
)
from alignparts.naming.prediction import Candidate, Partlets
from alignparts.ontology.vocabulary import CategoryEntry, PartEntry, Vocabulary
from alignparts.patches.cut import PatchGraph

WORDS = ["leg", "seat", "back", "chair", "table"]


def encode(texts):
    """One axis a word: equal words have cosine 1, others 0."""
    return np.stack([np.eye(len(WORDS), dtype=np.float32)[WORDS.index(text)] for text in texts])


def partlets(mask, words, partness=None, whole="chair"):
    mask = np.asarray(mask, np.float32)
    return Partlets(
        mask=mask,
        partness=np.asarray(partness if partness is not None else [0.9] * len(mask), np.float32),
        embeddings=3 * encode(words),
        global_embedding=encode([whole])[0],
        fused=np.zeros((mask.shape[1], 2), np.float32),
    )


LEGS = partlets([[0.9, 0.1, 0.1, 0.2], [0.2, 0.8, 0.1, 0.3], [0.1, 0.1, 0.9, 0.4]], ["leg", "leg", "seat"])
CANDIDATES = [Candidate("leg"), Candidate("seat"), Candidate("back")]


def test_open_vocabulary_joins_partlets_of_one_name():
    found = open_vocabulary(LEGS, encode, CANDIDATES)
    assert found.names == ["leg", "seat"]
    assert found.point_part.tolist() == [0, 0, 1, -1]


def test_filled_leaves_no_point_unlabeled():
    found = open_vocabulary(LEGS, encode, CANDIDATES, labels="filled")
    assert found.point_part.tolist() == [0, 0, 1, 1]


def on_patches(patch, found=LEGS):
    graph = PatchGraph(np.asarray(patch), np.zeros((0, 2), np.int32), np.zeros(0, np.float32))
    return replace(found, graph=graph)


def test_mesh_aware_labels_are_one_a_patch_and_leave_nothing_unlabeled():
    found = open_vocabulary(on_patches([0, 0, 1, 1]), encode, CANDIDATES, labels="patches")
    assert found.names == ["leg", "seat"] and found.point_part.tolist() == [0, 0, 1, 1]
    cloud = open_vocabulary(LEGS, encode, CANDIDATES, labels="patches")
    assert cloud.point_part.tolist() == open_vocabulary(LEGS, encode, CANDIDATES).point_part.tolist()


def test_mesh_aware_closed_vocabulary_lets_partlets_share_a_name():
    found = closed_vocabulary(on_patches([0, 1, 2, 2]), encode, CANDIDATES, labels="patches")
    assert found.names == ["leg", "seat"] and found.point_part.tolist() == [0, 0, 1, 1]
    assert np.allclose([part.mask_confidence for part in found.parts], [0.85, 0.65])


def test_mesh_aware_query_takes_whole_patches():
    found = retrieval(on_patches([0, 1, 1, 1]), encode, Candidate("seat"), "patches")
    assert found.point_part.tolist() == [-1, -1, -1, -1] and not found.parts
    found = retrieval(on_patches([0, 0, 1, 1]), encode, Candidate("seat"), "patches")
    assert found.point_part.tolist() == [-1, -1, 0, 0]


def test_closed_vocabulary_gives_every_name_once():
    found = closed_vocabulary(LEGS, encode, CANDIDATES)
    assert sorted(found.names) == ["back", "leg", "seat"]


def test_closed_vocabulary_drops_partlets_without_a_name():
    found = closed_vocabulary(LEGS, encode, [Candidate("leg")])
    assert found.names == ["leg"]
    assert found.point_part.tolist() in ([0, -1, -1, -1], [-1, 0, -1, -1])


def test_closed_assignment_is_optimal():
    rng = np.random.default_rng(0)
    for _ in range(20):
        embeddings = rng.normal(size=(3, 5)).astype(np.float32)
        one = Partlets(
            np.eye(3, dtype=np.float32), np.full(3, 0.9, np.float32), embeddings, embeddings[0], embeddings
        )
        found = closed_vocabulary(one, encode, CANDIDATES)
        unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        got = sum(unit[part.partlet, WORDS.index(part.name)] for part in found.parts)
        best = max(
            unit[0, a] + unit[1, b] + unit[2, c] for a in range(3) for b in range(3) for c in range(3)
            if len({a, b, c}) == 3
        )  # fmt: skip
        assert got == pytest.approx(best, abs=1e-5)


def test_none_active_takes_the_one_with_the_highest_partness():
    one = partlets([[0.9, 0.9], [0.8, 0.8]], ["leg", "seat"], partness=[0.1, 0.3])
    assert open_vocabulary(one, encode, CANDIDATES).names == ["seat"]
    assert closed_vocabulary(one, encode, CANDIDATES).names == ["seat"]


def test_inactive_partlets_do_not_compete():
    one = partlets([[0.9, 0.9], [0.6, 0.6]], ["leg", "seat"], partness=[0.4, 0.6])
    assert open_vocabulary(one, encode, CANDIDATES).names == ["seat"]


def test_retrieval_returns_one_mask():
    found = retrieval(LEGS, encode, Candidate("seat"))
    assert found.point_part.tolist() == [-1, -1, 0, -1]
    assert found.parts[0].confidence == pytest.approx(1.0)
    assert retrieval(LEGS, encode, Candidate("back")).parts[0].needs_review
    nowhere = partlets([[0.1, 0.2]], ["leg"])
    assert retrieval(nowhere, encode, Candidate("leg")).parts == []


def test_parts_without_points_are_left_out():
    one = partlets([[0.9, 0.9], [0.6, 0.6]], ["leg", "seat"])
    assert open_vocabulary(one, encode, CANDIDATES).names == ["leg"]
    nothing = partlets([[0.1, 0.2]], ["leg"])
    assert open_vocabulary(nothing, encode, CANDIDATES).parts == []


def test_points_follow_eq_22():
    one = partlets([[0.5, 0.49, 0.3], [0.4, 0.2, 0.9]], ["leg", "seat"])
    assert open_vocabulary(one, encode, CANDIDATES).point_part.tolist() == [0, -1, 1]


def test_a_candidate_is_read_by_its_description():
    assert Candidate("x", " leg ").text == "leg"
    assert Candidate("front_leg").text == "front leg"
    found = open_vocabulary(LEGS, encode, [Candidate("bein", "leg"), Candidate("sitz", "seat")])
    assert found.names == ["bein", "sitz"]
    assert found.parts[0].description == "leg"


def vocabulary():
    part = {name: PartEntry(description=name, count=1, aliases=()) for name in ("leg", "seat")}
    return Vocabulary(
        entries={
            name: CategoryEntry(description=name, count=1, aliases=(), parts=part)
            for name in ("chair", "table")
        }
    )


@pytest.mark.parametrize("whole", ["chair", "table"])
def test_category_by_global_embedding(whole):
    assert name_parts(partlets([[1.0]], ["leg"], whole=whole), encode, vocabulary()).category == whole


def test_every_text_is_encoded_once():
    asked = []

    def counting(texts):
        asked.extend(texts)
        return encode(texts)

    found = name_parts(LEGS, counting, vocabulary(), calibration=Calibration(tau_category=0.5))
    assert sorted(asked) == ["chair", "leg", "seat", "table"] and found.category == "chair"
    # The confidence of the category multiplies that of every part; a given category is certain.
    given = name_parts(
        LEGS, encode, vocabulary(), category="chair", calibration=Calibration(tau_category=0.5)
    )
    for one, other in zip(found.parts, given.parts, strict=True):
        assert one.confidence == pytest.approx(other.confidence / (1 + np.exp(-2)))
    with pytest.raises(AlignPartsError, match="zebra"):
        name_parts(LEGS, encode, vocabulary(), category="zebra")


class Fixed(HandMadeModel):
    """Points with x > 0 are legs, others the seat."""

    def forward(self, points, geometry, appearance):
        logit = 9 * torch.sign(points[..., 0])
        return SimpleNamespace(
            text=None,
            mask_logits=torch.stack([logit, -logit], dim=1),
            partness=torch.full((1, 2), 4.0),
            partlets=torch.from_numpy(encode(["leg", "seat"]))[None],
            global_embedding=torch.from_numpy(encode(["chair"])),
            fused=geometry,
        )


def features(n=6):
    points = np.linspace(-1, 1, n, dtype=np.float32)[:, None].repeat(3, axis=1)
    return {
        "points": points,
        "geometry": np.ones((n, 3), np.float16),
        "appearance": np.ones((n, 2), np.float16),
    }


def test_forward_and_open_vocabulary():
    model = Fixed().train()
    found = open_vocabulary(forward(model, features()), encode, CANDIDATES)
    assert [found.names[i] for i in found.point_part] == ["seat"] * 3 + ["leg"] * 3
    assert model.training


def test_what_does_not_fit_is_refused():
    with pytest.raises(AlignPartsError, match="'appearance' is missing"):
        forward(Fixed(), {"points": np.ones((2, 3)), "geometry": np.ones((2, 3))})
    wrong = features() | {"geometry": np.ones((6, 5), np.float16)}
    with pytest.raises(AlignPartsError, match="'geometry' is 5 wide"):
        forward(Fixed(), wrong)
    with pytest.raises(AlignPartsError, match="no candidate"):
        open_vocabulary(LEGS, encode, [])
    with pytest.raises(AlignPartsError, match="text embeddings are 2 wide"):
        open_vocabulary(LEGS, lambda texts: np.ones((len(texts), 2), np.float32), CANDIDATES)
    for empty in ("", " ", "_"):
        with pytest.raises(AlignPartsError, match="name of a part is empty"):
            Candidate(empty)


def test_soft_confidence_is_a_softmax():
    found = soft_confidence(np.array([[0.07, 0.0]]), tau=0.07)
    assert found[0, 0] == pytest.approx(np.e / (1 + np.e))
    assert found.sum() == pytest.approx(1)


def test_mahalanobis_equals_the_formula(tmp_path):
    rng = np.random.default_rng(0)
    mean, root = rng.normal(size=(2, 3)).astype(np.float32), rng.normal(size=(9, 3))
    covariance = np.cov(root, rowvar=False).astype(np.float32)
    save_file({"mean": mean, "covariance": covariance}, tmp_path / "statistics.safetensors")
    (tmp_path / "statistics.json").write_text(json.dumps({"labels": [["chair", "leg"], ["chair", "seat"]]}))
    statistics = Statistics.load(tmp_path)
    z = (mean[1] + 0.1).astype(np.float32)
    ridged = covariance + 1e-3 * np.trace(covariance) / 3 * np.eye(3)
    expected = np.exp(-(z - mean[1]) @ np.linalg.inv(ridged) @ (z - mean[1]))
    assert statistics.mahalanobis(z, ("chair", "seat")) == pytest.approx(expected, rel=1e-4)
    assert statistics.mahalanobis(mean[0], ("chair", "leg")) == pytest.approx(1.0)
    assert statistics.mahalanobis(z, ("chair", "back")) is None


def test_statistics_that_do_not_fit_are_errors(tmp_path):
    with pytest.raises(AlignPartsError, match="cannot be read.*No such file.*dvc repro train"):
        Statistics.load(tmp_path)
    (tmp_path / "statistics.safetensors").write_bytes(b"x")
    (tmp_path / "statistics.json").write_text("[]")
    with pytest.raises(AlignPartsError, match="cannot be read"):
        Statistics.load(tmp_path)
