"""Segments from the points of a learned backbone: what wins a patch, and what a part stands for."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from toy import WIDTH, encode

from alignparts.naming.inference import closed_vocabulary, open_vocabulary
from alignparts.naming.prediction import Candidate, Partlets
from alignparts.naming.segments import of_points
from alignparts.patches.cut import PatchGraph

NAMES = [Candidate(name) for name in ("seat", "leg", "back")]
TEXTS = encode([name.text for name in NAMES])
PATCHES = 6


def partlets(patches: int = PATCHES, each: int = 40, seed: int = 0) -> Partlets:
    """Points of separate patches, each of which mostly says one name; three partlets of other opinions."""
    rng = np.random.default_rng(seed)
    patch = np.repeat(np.arange(patches), each)
    text = 8 * TEXTS[patch % len(NAMES)] + 0.5 * rng.normal(size=(len(patch), WIDTH))
    graph = PatchGraph(patch, np.zeros((0, 2), np.int64), np.zeros(0, np.float32))
    return Partlets(
        mask=rng.random((4, len(patch))).astype(np.float32),
        partness=np.array([0.9, 0.2, 0.8, 0.7], np.float32),
        embeddings=rng.normal(size=(4, WIDTH)).astype(np.float32),
        global_embedding=np.zeros(WIDTH, np.float32),
        fused=np.zeros((len(patch), 2), np.float32),
        graph=graph,
        text=text.astype(np.float32),
    )


def test_without_bonds_a_patch_takes_the_name_that_its_points_say_most():
    given = partlets()
    prediction = closed_vocabulary(given, encode, NAMES, labels="patches")
    evidence = softmax(given.text @ TEXTS.T, axis=1)
    names = np.array([NAMES[i].name for i in range(len(NAMES))])
    for patch in range(PATCHES):
        inside = given.graph.patch == patch
        best = names[evidence[inside].mean(axis=0).argmax()]
        assert {prediction.names[part] for part in prediction.point_part[inside]} == {best}


def test_a_part_stands_for_its_points():
    given = partlets()
    prediction = closed_vocabulary(given, encode, NAMES, labels="patches")
    evidence = softmax(given.text @ TEXTS.T, axis=1)
    for index, part in enumerate(prediction.parts):
        inside = prediction.point_part == index
        column = [name.name for name in NAMES].index(part.name)
        assert part.mask_confidence == pytest.approx(evidence[inside, column].mean(), rel=1e-5)
        assert np.allclose(prediction.vectors[index], given.text[inside].mean(axis=0), atol=1e-5)
        assert part.partness in given.partness[[0, 2, 3]]
    assert set(prediction.point_partlet.tolist()) <= {0, 2, 3}


def test_only_the_open_vocabulary_asks_the_partlets_too():
    given = partlets()
    sure = np.zeros_like(given.mask)
    sure[0] = 1  # one partlet holds every point, and is a back beyond doubt
    certain = np.repeat(50 * TEXTS[2:], 4, axis=0)
    loud = replace(given, mask=sure, embeddings=certain, text=0.01 * given.text)
    assert open_vocabulary(loud, encode, NAMES, labels="patches").names == ["back"]
    assert set(closed_vocabulary(loud, encode, NAMES, labels="patches").names) == {"seat", "leg", "back"}


def test_points_decide_nothing_by_eq_22_on_clouds_or_with_frozen_encoders():
    given = partlets()
    frozen, cloud = replace(given, text=None), replace(given, graph=None)
    assert of_points(given, encode, NAMES, "points") is None
    assert of_points(cloud, encode, NAMES, "patches") is None
    assert of_points(frozen, encode, NAMES, "patches") is None
