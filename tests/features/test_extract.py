"""Features of points, from the surface to the store."""

import pickle

import numpy as np
import pytest
import smoke
import torch
from tables import CORNERS, SIDES, encoders, make_corpus, table, vocabulary  # noqa: F401

from alignparts.core.checkpoint import weights_digest
from alignparts.core.config import Params
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.index import write_shape
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.shape import LabeledShape
from alignparts.features import extract as module
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.extract import Encoders, extract, extract_corpus, geometry_of, labels_of
from alignparts.features.store import FeatureStore
from alignparts.ontology.vocabulary import Vocabulary

PARAMS = {
    "base": {"workers": 1},
    "corpus": {"points": 64},
    "features": {"views": 3, "resolution": 24},
}


def params(**features: int) -> Params:
    return smoke.params(**{**PARAMS, "features": {**PARAMS["features"], **features}})


def surface() -> Surface:
    return table(0).surface


def digest(encoders: Encoders) -> str:
    return weights_digest(encoders.geometry, encoders.appearance)


def test_arrays_have_their_types_and_repeat(encoders: Encoders) -> None:
    sample = sample_surface(surface(), 50, seed=1)
    arrays = extract(surface(), sample, encoders, 3, 24)
    types = {name: (value.dtype.name, value.shape) for name, value in arrays.items()}
    assert types == {
        "points": ("float32", (50, 3)),
        "normals": ("float32", (50, 3)),
        "colors": ("float32", (50, 3)),
        "geometry": ("float16", (50, 12)),
        "appearance": ("float16", (50, 96)),
        "seen": ("bool", (50,)),
        "face_patch": ("int32", (48,)),
        "patch": ("int32", (50,)),
        "patch_pairs": ("int32", (len(arrays["patch_pairs"]), 2)),
        "patch_bonds": ("float32", (len(arrays["patch_pairs"]),)),
    }
    assert np.array_equal(arrays["patch"], arrays["face_patch"][sample.face])
    again = extract(surface(), sample, encoders, 3, 24)
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)
    assert arrays["seen"].mean() > 0.5 and arrays["appearance"].std() > 0.1


def test_features_of_a_point_do_not_depend_on_the_other_points(encoders: Encoders) -> None:
    many = sample_surface(surface(), 60, seed=1)
    few = type(many)(
        **{n: getattr(many, n)[:20] for n in ("points", "face", "bary", "normals", "colors", "instance")},
        center=many.center,
        scale=many.scale,
    )
    of_many, of_few = extract(surface(), many, encoders, 4, 24), extract(surface(), few, encoders, 4, 24)
    np.testing.assert_allclose(of_many["geometry"][:20], of_few["geometry"], atol=2e-3)
    seen = of_few["seen"]
    np.testing.assert_allclose(of_many["appearance"][:20][seen], of_few["appearance"][seen], atol=1e-2)


def test_geometry_is_read_in_partfields_frame(encoders: Encoders) -> None:
    sample = sample_surface(surface(), 30, seed=2)
    dense = sample_surface(surface(), encoders.geometry.config.input_points, seed=9).points
    with torch.no_grad():
        own = encoders.geometry(torch.tensor(0.9 * dense)[None], torch.tensor(0.9 * sample.points)[None])[0]
    np.testing.assert_allclose(geometry_of(surface(), sample, encoders.geometry, 9), own.numpy(), atol=1e-5)


def test_a_feature_that_is_not_finite_is_refused(encoders: Encoders, monkeypatch) -> None:
    monkeypatch.setattr(module, "geometry_of", lambda *_: np.full((20, 12), np.nan, np.float32))
    with pytest.raises(AlignPartsError, match="geometry: a feature is not finite"):
        extract(surface(), sample_surface(surface(), 20, seed=0), encoders, 1, 24)


def test_labels_are_canonical_and_instances_of_a_name_are_one(vocabulary: Vocabulary) -> None:
    shape = table(0)
    sample = sample_surface(shape.surface, 2000, seed=0)
    part, category, names = labels_of(shape, sample, vocabulary)
    assert category == "table" and names == ["table_top", "leg"]
    np.testing.assert_array_equal(part, np.array([0, 1, 1, -1])[sample.instance])
    assert (sample.instance == -1).any()

    odd = LabeledShape("a", "partnet", "table", "", "", ["sail", "leg", ""], shape.surface)
    part, _, names = labels_of(odd, sample, vocabulary)
    assert names == ["leg"]
    np.testing.assert_array_equal(part, np.array([-1, 0, -1, -1])[sample.instance])


def test_names_without_a_point_are_left_out(vocabulary: Vocabulary) -> None:
    shape = table(0)
    sample = sample_surface(shape.surface.subset(np.arange(12)), 40, seed=0)
    assert labels_of(shape, sample, vocabulary)[2] == ["table_top"]


def test_a_corpus_goes_into_the_store(tmp_path, encoders: Encoders, vocabulary: Vocabulary) -> None:
    corpus = make_corpus(tmp_path / "corpus", range(3))
    store = extract_corpus(corpus, vocabulary, encoders, params(), tmp_path / "features")
    assert store.ids() == corpus.ids()
    arrays, meta = FeatureStore(tmp_path / "features").load("partnet_1")
    assert arrays["part"].dtype == np.int16 and arrays["instance"].dtype == np.int32
    assert arrays["points"].shape == (64, 3)
    assert (meta["category"], meta["dataset"], meta["split"]) == ("table", "partnet", "train")
    assert meta["part_names"] == ["table_top", "leg"] and 0 < meta["seen"] <= 1
    assert arrays["part"].max() == 1


def test_only_what_changed_is_done_again(
    tmp_path, encoders: Encoders, vocabulary: Vocabulary, monkeypatch
) -> None:
    done: list[str] = []
    real = module._extract_shape

    def counting(*arguments):
        done.append(arguments[-1])
        if len(done) == fails_at:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(module, "_extract_shape", counting)
    corpus = make_corpus(tmp_path / "corpus", range(5))
    target = tmp_path / "features"
    fails_at = 4
    with pytest.raises(KeyboardInterrupt):
        extract_corpus(corpus, vocabulary, encoders, params(), target)
    fails_at = -1
    done.clear()
    extract_corpus(corpus, vocabulary, encoders, params(), target)
    assert done == ["partnet_3", "partnet_4"]
    whole = extract_corpus(corpus, vocabulary, encoders, params(), tmp_path / "whole")
    for (left, a, m), (right, b, n) in zip(FeatureStore(target), whole, strict=True):
        assert left == right and m == n and all(np.array_equal(a[name], b[name]) for name in a)

    done.clear()
    extract_corpus(corpus, vocabulary, encoders, params(), target)
    assert done == []
    # One shape's file is another; one shape is gone.
    changed = make_corpus(tmp_path / "corpus", range(4))
    repainted = table(77)
    write_shape(
        tmp_path / "corpus" / "shapes",
        LabeledShape("partnet_1", "partnet", "Table", "MIT", "", ["top", "leg", "leg"], repainted.surface),
    )
    store = extract_corpus(changed, vocabulary, encoders, params(), target)
    assert done == ["partnet_1"] and store.ids() == changed.ids()
    done.clear()
    extract_corpus(changed, vocabulary, encoders, params(views=2), target)
    assert len(done) == 4


def test_a_task_travels_and_does_not_depend_on_the_number_of_threads(
    tmp_path, encoders: Encoders, vocabulary: Vocabulary, monkeypatch
) -> None:
    results = []

    def map_elsewhere(function, tasks, **_):
        for threads in (2, 1):
            torch.set_num_threads(threads)
            run, task = pickle.loads(pickle.dumps((function, tasks[0])))
            results.append(pickle.loads(pickle.dumps(run(task))))
            assert torch.get_num_threads() == threads
            yield from results if threads == 1 else ()

    corpus = make_corpus(tmp_path / "corpus", range(2))
    monkeypatch.setattr(module, "map_shapes", map_elsewhere)
    extract_corpus(corpus, vocabulary, encoders, params(), tmp_path / "features")
    (a, m), (b, n) = results
    assert m == n and all(np.array_equal(a[name], b[name]) for name in a)


def test_a_broken_shape_is_named(tmp_path, encoders: Encoders, vocabulary: Vocabulary) -> None:
    corpus = make_corpus(tmp_path / "corpus", range(1))
    strange = LabeledShape(
        "odd", "partnet", "Spaceship", "", "", ["leg"], table(0).surface.subset(np.arange(12, 24))
    )
    write_shape(tmp_path / "corpus" / "shapes", LabeledShape(
        "partnet_0", "partnet", "Spaceship", "", "", strange.instances * 3, table(0).surface))  # fmt: skip
    with pytest.raises(AlignPartsError, match=r"shape 'partnet_0': category 'Spaceship'"):
        extract_corpus(corpus, vocabulary, encoders, params(), tmp_path / "features")


def test_checkpoints_are_found_by_params(tmp_path, encoders: Encoders) -> None:
    encoders.save(tmp_path / "models")
    found = Encoders.from_params(params().features, tmp_path / "models")
    assert digest(found) == digest(encoders)
    named = {"geometry": {"checkpoint": str(tmp_path / "models" / "geometry")}, "resolution": 24}
    named["appearance"] = {"checkpoint": str(tmp_path / "models" / "appearance")}
    again = Encoders.from_params(smoke.block("features", **named), tmp_path / "nowhere")
    assert digest(again) == digest(encoders)
    with pytest.raises(AlignPartsError, match="multiple"):
        Encoders.from_params(params(resolution=25).features, tmp_path / "models")
    other = Encoders(encoders.geometry, AppearanceEncoder.small(24, seed=1))
    assert digest(other) != digest(encoders)
