"""PartField+MPNet: the paper's numbers of parameters, its losses, soft k-means, training, and the method."""

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import smoke
import torch
import toy
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from alignparts.core.config.baselines import PartFieldMPNetParams
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.partfield_mpnet.method import PartFieldMPNet, assign
from alignparts.evaluation.baselines.partfield_mpnet.model import (
    KEYS,
    PartFieldMPNetConfig,
    PartFieldMPNetModel,
)
from alignparts.evaluation.baselines.partfield_mpnet.soft_kmeans import cluster, soft_kmeans
from alignparts.evaluation.baselines.partfield_mpnet.train import (
    PartFieldMPNetTraining,
    Pooled,
    losses,
    pooled,
    symmetric_info_nce,
)
from alignparts.evaluation.baselines.training import Texts
from alignparts.evaluation.methods import Given, Method
from alignparts.features.store import FeatureStore
from alignparts.model.dataset import PartDataset
from alignparts.model.metrics import shape_metrics
from alignparts.model.texts import TextTable

TINY = PartFieldMPNetConfig(d_g=3, d_a=4, d_t=5, hidden=6, latent=4, heads=2, max_parts=3, dropout=0.1)


def tiny(config: PartFieldMPNetConfig = TINY) -> PartFieldMPNetModel:
    """A model in float64 whose features are standardized by something."""
    torch.manual_seed(0)
    model = PartFieldMPNetModel(config).double().eval()
    generator = torch.Generator().manual_seed(1)
    width = config.d_g + config.d_a
    model.standardize(*(torch.rand(2, width, generator=generator).double() + 0.5))
    return model


def rows(n: int, config: PartFieldMPNetConfig = TINY, seed: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, config.d_g + config.d_a, generator=generator, dtype=torch.float64)


# The network.


def test_sizes_are_the_papers() -> None:
    with torch.device("meta"):
        model = PartFieldMPNetModel(PartFieldMPNetConfig())
    found = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    attention = 3 * (512 * 512 + 512) + (1024 * 256 + 256)  # query, key, value; own and received
    inputs = (448 * 512 + 512) + (768 * 512 + 512)
    assert found == {
        "fuser": inputs + 2 * attention + (256 * 256 + 256),
        "local": (256 * 768 + 768) + 768 * 256,
        "text": (768 * 512 + 512) + 512 * 256,
        "shape": (1216 * 512 + 512) + 512 * 256,
        "count": (1216 * 512 + 512) + (512 * 20 + 20),
    }
    printed = {"fuser": 2.8, "local": 0.39, "text": 0.52, "shape": 0.75, "count": 0.63}
    assert {name: round(n / 1e6, 1 if name == "fuser" else 2) for name, n in found.items()} == printed
    assert round(sum(found.values()) / 1e6, 1) == 5.1


def attention_by_loops(model: PartFieldMPNetModel, features: Tensor) -> Tensor:
    """Return the fused features of one shape's rows, row by row and head by head."""
    c, fuser = model.config, model.fuser
    both = (features - model.get_buffer("mean")) / model.get_buffer("std")
    first, second = fuser.geometry(both[:, : c.d_g]), fuser.appearance(both[:, c.d_g :])
    width = c.hidden // c.heads
    total = []
    for side, x, other in ((fuser.to_geometry, first, second), (fuser.to_appearance, second, first)):
        out = []
        for row in x:
            received = []
            for head in range(c.heads):
                part = slice(head * width, (head + 1) * width)
                scores = side.key(other)[:, part] @ side.query(row)[part] / math.sqrt(width)
                received.append(scores.exp() @ side.value(other)[:, part] / scores.exp().sum())
            out.append(side.out(torch.cat([row, *received])))
        total.append(torch.stack(out))
    return fuser.mix(total[0] + total[1])


def test_fuser_is_cross_attention_within_each_shape() -> None:
    model = tiny()
    features = rows(7)
    with torch.no_grad():
        found = model.fuse(features, torch.tensor([2, 4, 1]))
        for first, last in ((0, 2), (2, 6), (6, 7)):
            shape = features[first:last]
            expected = attention_by_loops(model, shape)
            torch.testing.assert_close(found[first:last], expected, rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(model.fuse(shape), expected, rtol=1e-10, atol=1e-12)


def test_many_points_attend_to_an_even_choice_of_them() -> None:
    model = tiny()
    n = 2 * KEYS + 3
    features = rows(n)
    moved = features.clone()
    asked = torch.arange(n) % 3 == 0  # ceil(515 / 256) = 3
    moved[~asked, : TINY.d_g] += 10.0
    with torch.no_grad():
        before, after = model.fuse(features), model.fuse(moved)
    torch.testing.assert_close(before[asked], after[asked])
    assert not torch.isclose(before[~asked], after[~asked]).all(dim=1).any()


def shapes_of(parts: list[int], row: list[int], category: list[int]) -> Pooled:
    """Return random features of some shapes."""
    whole, features = rows(len(parts), seed=4), rows(sum(parts))
    return Pooled(torch.tensor(category), torch.tensor(parts), whole, torch.tensor(row), features)


def test_every_weight_learns() -> None:
    model, batch = tiny(), shapes_of([2, 3], [0, 1, 2, 3, 4], [0, 1])
    outputs = model(batch.features, batch.parts, batch.whole)
    text = model.text(torch.randn(7, 5, dtype=torch.float64))
    losses(outputs, batch, text, 0.07)["total"].backward()
    # A key's bias adds the same to every score of a query: softmax does not see it.
    silent = [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-12]
    assert silent == ["fuser.to_geometry.key.bias", "fuser.to_appearance.key.bias"]


def test_a_constant_channel_is_only_centered() -> None:
    model = PartFieldMPNetModel(TINY)
    model.standardize(torch.full((7,), 2.0), torch.tensor([0.0, *[4.0] * 6]))
    assert model.get_buffer("std").tolist() == [1.0, *[4.0] * 6]


def test_folder_round_trip_and_what_is_no_folder(tmp_path: Path) -> None:
    model = tiny().float()
    model.save_pretrained(tmp_path)
    again = PartFieldMPNetModel.from_pretrained(tmp_path).eval()
    assert again.config == TINY
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(AlignPartsError, match="not a model of the class PartFieldMPNetModel"):
        PartFieldMPNetModel.from_pretrained(tmp_path)
    with pytest.raises(AlignPartsError, match=r"config\.json: no such file"):
        PartFieldMPNetModel.from_pretrained(tmp_path / "nowhere")


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(AlignPartsError, match="does not divide"):
        PartFieldMPNetConfig(heads=3)


# The losses.


def unit(vector: Tensor) -> list[float]:
    values = vector.tolist()
    length = math.sqrt(sum(x * x for x in values))
    return [x / length for x in values]


def nce_by_loops(first: Tensor, second: Tensor, label: Sequence[int], tau: float) -> float:
    m = len(label)
    a, b = [unit(x) for x in first], [unit(x) for x in second]
    e = [[math.exp(sum(x * y for x, y in zip(p, q, strict=True)) / tau) for q in b] for p in a]
    total = 0.0
    for i in range(m):
        right = [j for j in range(m) if label[j] == label[i]]
        total -= math.log(sum(e[i][j] for j in right) / sum(e[i])) / m
        total -= math.log(sum(e[j][i] for j in right) / sum(e[j][i] for j in range(m))) / m
    return total / 2


@pytest.mark.parametrize("label", [[0, 1, 2, 3], [3, 1, 3, 0], [2, 2, 2, 2]])
def test_info_nce_is_its_equation(label: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(4, 3, generator=generator, dtype=torch.float64) * 3 for _ in range(2))
    found = symmetric_info_nce(first, second, torch.tensor(label), 0.3)
    assert found.item() == pytest.approx(nce_by_loops(first, second, label, 0.3), rel=1e-12, abs=1e-12)


def test_terms_are_their_equations_and_add_up() -> None:
    generator = torch.Generator().manual_seed(3)
    parts, shapes, count, text, class_text = (
        torch.randn(*size, generator=generator, dtype=torch.float64, requires_grad=True)
        for size in ((4, 3), (3, 3), (3, 2), (4, 3), (3, 3))
    )
    batch = shapes_of([1, 2, 1], [4, 0, 4, 2], [1, 1, 0])
    most = replace(batch, parts=torch.tensor([1, 2, 7]))  # 7 is more than the head can predict
    found = losses((parts, shapes, count), most, torch.cat([text, class_text]), 0.2)
    assert found["local"].item() == pytest.approx(nce_by_loops(parts, text, [4, 0, 4, 2], 0.2))
    assert found["global"].item() == pytest.approx(nce_by_loops(shapes, class_text, [1, 1, 0], 0.2))
    chance = [row.exp()[n] / row.exp().sum() for row, n in zip(count, (0, 1, 1), strict=True)]
    assert found["count"].item() == pytest.approx(-sum(x.detach().log().item() for x in chance) / 3)
    total = found["local"] + found["global"] + found["count"]  # lambda = 1 each
    assert found["total"].item() == pytest.approx(total.item(), rel=1e-12)
    assert torch.autograd.gradcheck(
        lambda *x: losses(x[:3], batch, torch.cat(x[3:]), 0.2)["total"],
        (parts, shapes, count, text, class_text),
    )


# Soft k-means.


def blobs(clusters: int, seed: int, apart: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(clusters), rng.integers(15, 40, clusters))
    middles = np.stack(
        [np.arange(clusters) * apart, rng.normal(size=clusters), rng.normal(size=clusters)], axis=1
    )
    return middles[truth] + rng.normal(size=(len(truth), 3)), truth


def lloyd(values: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centers = start.copy()
    while True:
        nearest = np.array([np.argmin([np.sum((x - c) ** 2) for c in centers]) for x in values])
        moved = np.array(
            [values[nearest == k].mean(axis=0) if (nearest == k).any() else c for k, c in enumerate(centers)]
        )
        if np.array_equal(moved, centers):
            return centers, nearest
        centers = moved


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), clusters=st.integers(1, 5))
def test_cold_soft_kmeans_is_lloyds(seed: int, clusters: int) -> None:
    values = np.random.default_rng(seed).normal(size=(60, 2))  # no structure: Lloyd's has to work
    start = values[:clusters]
    centers, nearest = lloyd(values, start)
    found, share = soft_kmeans(values, start, 1e-9, tolerance=0.0)
    np.testing.assert_allclose(found, centers, atol=1e-9)
    np.testing.assert_array_equal(share.argmax(axis=1), nearest)


def test_a_step_is_the_weighted_mean() -> None:
    rng = np.random.default_rng(5)
    values, centers = rng.normal(size=(9, 2)) + 100.0, rng.normal(size=(3, 2)) + 100.0
    heat = 0.4 * np.mean([np.sum((x - values.mean(axis=0)) ** 2) for x in values])

    def shares(of: np.ndarray) -> np.ndarray:
        weight = np.array([[math.exp(-np.sum((x - c) ** 2) / heat) for c in of] for x in values])
        return weight / weight.sum(axis=1, keepdims=True)

    before = shares(centers)
    moved = np.array([sum(before[i, k] * values[i] for i in range(9)) / before[:, k].sum() for k in range(3)])
    found, share = soft_kmeans(values, centers, 0.4, iterations=1)
    np.testing.assert_allclose(found, moved, rtol=1e-12)
    np.testing.assert_allclose(share, shares(moved), rtol=1e-9)
    np.testing.assert_allclose(share.sum(axis=1), 1.0)


def test_hot_clusters_melt_into_one_mean() -> None:
    values, _ = blobs(3, 0)
    centers, share = soft_kmeans(values, values[:3], 1e6)
    np.testing.assert_allclose(centers, np.tile(values.mean(axis=0), (3, 1)), atol=1e-2)
    np.testing.assert_allclose(share, 1 / 3, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), clusters=st.integers(1, 6))
def test_blobs_that_lie_apart_are_found(seed: int, clusters: int) -> None:
    values, truth = blobs(clusters, seed)
    centers, found = cluster(values.astype(np.float32), clusters, 0.01, seed=seed)
    assert len(set(zip(found.tolist(), truth.tolist(), strict=True))) == clusters == len(centers)
    for k in range(clusters):
        np.testing.assert_allclose(centers[k], values[found == k].mean(axis=0), atol=0.2)
    again = cluster(values.astype(np.float32), clusters, 0.01, seed=seed)
    assert np.array_equal(again[0], centers) and np.array_equal(again[1], found)


def test_fewer_places_than_clusters() -> None:
    centers, found = cluster(np.ones((20, 3), np.float32), 4)
    assert set(found.tolist()) == {0} and len(centers) == 1
    centers, found = cluster(np.array([[0.0], [9.0]]), 7)
    assert len(centers) == 2 and len(set(found.tolist())) == 2


def test_a_center_without_points_stays() -> None:
    values = np.array([[0.0, 0.0], [1.0, 0.0]])
    centers, share = soft_kmeans(values, np.array([[0.5, 0.0], [1e6, 0.0]]), 0.1)
    np.testing.assert_allclose(centers, [[0.5, 0.0], [1e6, 0.0]])
    assert np.isfinite(share).all() and (share[:, 0] == 1).all()


# What is trained on.


def data(root: Path, **sizes: int) -> tuple[PartDataset, Texts]:
    store = toy.store(root, **sizes)
    table = TextTable(toy.vocabulary(), toy.encode)
    return PartDataset(store, store.ids(), table, points=48, k=1), Texts(table)


def test_pooled_shapes_are_their_means_and_know_their_texts(tmp_path: Path) -> None:
    dataset, texts = data(tmp_path)
    found = pooled(dataset, texts, draw=3)
    assert len(found) == len(dataset)
    joined, vocabulary, at = Pooled.join(found), toy.vocabulary(), 0
    for index, one in enumerate(found):
        shape = dataset[3, index]
        assert one.parts.tolist() == [len(shape.names)]
        np.testing.assert_allclose(one.whole[0, :6], shape.geometry.mean(axis=0), rtol=1e-5)
        for row, name in enumerate(shape.names):
            mean = shape.appearance[shape.part == row].mean(axis=0)
            np.testing.assert_allclose(joined.features[at, 6:], mean, rtol=1e-4, atol=1e-5)
            text = vocabulary.description(shape.category, name)
            np.testing.assert_array_equal(texts.parts[0, joined.row[at]], toy.encode([text])[0])
            at += 1
    assert at == len(joined.row)


def test_shapes_without_a_labeled_point_are_left_out(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, "toy")
    for index in range(3):
        arrays, meta = toy.shape("mug", index)
        if index != 1:
            arrays["part"][:] = -1
        store.add(f"s{index}", arrays, {**meta, "split": "train"})
    table = TextTable(toy.vocabulary(), toy.encode)
    found = pooled(PartDataset(store, store.ids(), table, points=48, k=1), Texts(table))
    assert [one.parts.tolist() for one in found] == [[2]]
    arrays, meta = toy.shape("mug", 1)
    store.add("s1", arrays | {"part": np.full_like(arrays["part"], -1)}, {**meta, "split": "train"})
    with pytest.raises(AlignPartsError, match="has a labeled point"):
        trained(store, settled(), tmp_path / "model")


# Training.


def settled(**changes: object) -> PartFieldMPNetParams:
    sizes = {"hidden": 16, "latent": 8, "heads": 2, "max_parts": 5}
    small = {"points": 48, "epochs": 3, "draws": 2, "batch_size": 4, "lr": 3e-3, "model": sizes}
    return smoke.block("baselines", partfield_mpnet=small | changes).partfield_mpnet


def trained(store: FeatureStore, params: PartFieldMPNetParams, out: Path, on_epoch: Any = None):
    training = PartFieldMPNetTraining(store, toy.vocabulary(), toy.encode, params)
    return training.fit(out, on_epoch)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FeatureStore]:
    folder = tmp_path_factory.mktemp("mpnet")
    store = toy.store(folder / "store")
    trained(store, settled(), folder / "model")
    return folder / "model", store


def test_folder_holds_what_readers_expect(whole: tuple[Path, FeatureStore]) -> None:
    folder, store = whole
    model = PartFieldMPNetModel.from_pretrained(folder)
    assert (model.config.d_g, model.config.d_a, model.config.d_t) == (6, 5, toy.WIDTH)
    history = json.loads((folder / "history.json").read_text())
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert history[-1]["lr"] == pytest.approx(5e-6) and np.isfinite([*history[-1].values()]).all()
    assert not [path.name for path in folder.rglob(".*")]
    values = np.concatenate(
        [
            np.concatenate([arrays["geometry"], arrays["appearance"]], axis=1).astype(np.float64)
            for _, arrays, meta in store
            if meta["split"] == "train"
        ]
    )
    np.testing.assert_allclose(model.get_buffer("mean"), values.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(model.get_buffer("std"), values.std(axis=0), atol=1e-5)


def test_resumed_run_ends_at_the_same_bits(whole: tuple[Path, FeatureStore], tmp_path: Path) -> None:
    expected, store = whole

    def kill(epoch: int, row: dict[str, float]) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    arguments = (store, settled(), tmp_path / "model")
    with pytest.raises(KeyboardInterrupt):
        trained(*arguments, on_epoch=kill)
    torch.rand(7)  # whatever else drew numbers in between
    seen: list[int] = []
    for _ in range(2):  # the second time, all is done
        trained(*arguments, on_epoch=lambda epoch, _: seen.append(epoch))
        assert seen == [2]
    names = sorted(path.name for path in expected.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "model").iterdir())
    for name in names:
        assert (tmp_path / "model" / name).read_bytes() == (expected / name).read_bytes(), name


def test_best_epoch_is_the_one_that_is_kept(tmp_path: Path) -> None:
    """Validation shapes that are called what they are not: the more is learned, the worse it looks."""
    store = FeatureStore(tmp_path / "store", "toy")
    for index in range(12):
        called = ("mug", "lamp")[index % 2]
        looks = called if index < 8 else ("lamp", "mug")[index % 2]
        arrays, meta = toy.shape(looks, index)
        if index >= 8:
            arrays["part"] = np.minimum(arrays["part"], 1)
            meta = {"category": called, "part_names": toy.PARTS[called]}
        store.add(f"s{index}", arrays, {**meta, "split": "train" if index < 8 else "validation"})
    store.flush()
    kept: dict[int, bytes] = {}
    out = tmp_path / "model"

    def look(epoch: int, row: dict[str, float]) -> None:
        kept[epoch] = (out / "model.safetensors").read_bytes()

    params = settled(epochs=12, lr=1e-2)
    found = trained(store, params, out, on_epoch=look)
    losses = [row["validation/total"] for row in found.history]
    assert found.best_epoch == int(np.argmin(losses)) < 11
    assert (out / "model.safetensors").read_bytes() == kept[found.best_epoch] == kept[11]


def test_epochs_take_the_draws_in_turn(whole: tuple[Path, FeatureStore], tmp_path: Path) -> None:
    history = {}
    for draws in (1, 2):
        params = settled(draws=draws, points=8)
        history[draws] = trained(whole[1], params, tmp_path / str(draws)).history
    assert history[1][0] == history[2][0] and history[1][1] != history[2][1]


def test_trains_without_validation(tmp_path: Path) -> None:
    store = toy.store(tmp_path / "store", train=3, validation=0)
    found = trained(store, settled(), tmp_path / "model")
    assert found.best_epoch == 2 and not any(name.startswith("validation") for name in found.history[-1])


@pytest.mark.parametrize("wrong", [{"dropout": 1.0}, {"epochs": 0}, {"rate": 1.0}, {"model": {"heads": 0}}])
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(AlignPartsError, match="baselines.partfield_mpnet"):
        settled(**wrong)


# The method.


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> PartFieldMPNet:
    """Trained on a few shapes whose features say what they are."""
    folder = tmp_path_factory.mktemp("learned")
    store = toy.store(folder / "store", train=24, validation=3)
    found = trained(store, settled(epochs=60, batch_size=12), folder / "model")
    return PartFieldMPNet(found.model, toy.encode, toy.vocabulary())


def test_finds_category_count_parts_and_names(learned: PartFieldMPNet) -> None:
    """Shapes that it has never seen."""
    method: Method = learned
    assert method.label == "PartField+MPNet"
    for category in toy.PARTS:
        arrays, meta = toy.shape(category, 1000)
        found = method.predict(arrays, Given())
        assert found.category == category and found.names is not None
        assert len(found.names) == len(toy.PARTS[category])
        truth = arrays["part"].astype(np.int64)
        scores = shape_metrics(found.point_part, found.names, truth, meta["part_names"])
        assert scores["la_miou"] > 0.9, (category, scores)


def test_what_is_given_is_taken(learned: PartFieldMPNet) -> None:
    arrays, _ = toy.shape("lamp", 1001)
    found = learned.predict(arrays, Given(category="chair"))
    assert found.category == "chair" and set(found.names or ()) <= set(toy.PARTS["chair"])
    found = learned.predict(arrays, Given(category="lamp", parts=2))
    assert set(found.point_part.tolist()) == {0, 1} and len(set(found.names or ())) == 2
    named = learned.predict(arrays, Given(names=("shade", "something else"), parts=3))
    assert named.category == "" and len(named.names or ()) == 3  # one name serves twice
    assert set(named.names or ()) == {"shade", "something else"}


def test_names_are_texts_to_the_encoder(learned: PartFieldMPNet) -> None:
    asked: list[str] = []

    def encode(texts: Sequence[str]) -> np.ndarray:
        asked.extend(texts)
        return toy.encode(texts)

    method = PartFieldMPNet(learned.model, encode, toy.vocabulary())
    arrays, _ = toy.shape("chair", 5)
    method.predict(arrays, Given(names=("arm_rest", "seat"), parts=2))
    assert asked == ["arm rest", "seat"]
    asked.clear()
    method.predict(arrays, Given(category="mug"))
    assert asked == ["what a mug needs body for", "what a mug needs handle for"]


def test_order_of_points_matters_to_nothing_but_the_start(learned: PartFieldMPNet) -> None:
    """The same segments and names, whatever the order; the same call twice gives equal arrays."""
    arrays, _ = toy.shape("chair", 1002)
    order = np.random.default_rng(0).permutation(len(arrays["points"]))
    first = learned.predict(arrays, Given())
    again = learned.predict(arrays, Given())
    assert np.array_equal(first.point_part, again.point_part) and first.names == again.names
    turned = learned.predict({name: values[order] for name, values in arrays.items()}, Given())
    named = [(first.names or [])[k] for k in first.point_part[order]]
    assert named == [(turned.names or [])[k] for k in turned.point_part]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), clusters=st.integers(1, 4), names=st.integers(1, 4))
def test_assignment_is_the_best_of_all(seed: int, clusters: int, names: int) -> None:
    cosines = np.random.default_rng(seed).uniform(-1, 1, (clusters, names))
    found = assign(cosines)
    if clusters <= names:
        everyone = itertools.permutations(range(names), clusters)
        best = max(everyone, key=lambda columns: sum(cosines[k, c] for k, c in enumerate(columns)))
        assert tuple(found) == best
        return
    everyone = itertools.permutations(range(clusters), names)
    best = max(everyone, key=lambda rows: sum(cosines[k, c] for c, k in enumerate(rows)))
    taken = {k: c for c, k in enumerate(best)}
    assert found == [taken.get(k, int(cosines[k].argmax())) for k in range(clusters)]


def test_what_does_not_fit_is_one_line(learned: PartFieldMPNet) -> None:
    arrays, _ = toy.shape("chair", 0)
    geometry = arrays["geometry"]
    for changed, match in (
        ({"geometry": geometry[:, :5]}, r"geometry is \(96, 5\)"),
        ({"geometry": geometry[:95]}, r"appearance is \(96, 5\), expected \(95, 5\)"),
        ({"geometry": geometry[:0]}, r"geometry is \(0, 6\)"),
        ({"geometry": np.full((96, 6), np.inf)}, "finite"),
    ):
        with pytest.raises(AlignPartsError, match=match):
            learned.predict(arrays | changed, Given())
    with pytest.raises(AlignPartsError, match="'appearance' is missing"):
        learned.predict({"geometry": geometry}, Given())
    for wrong, match in (
        (Given(names=()), "no candidate names"),
        (Given(parts=0), "0 clusters"),
        (Given(category="spoon"), "category 'spoon'"),
    ):
        with pytest.raises(AlignPartsError, match=match):
            learned.predict(arrays, wrong)
    narrow = PartFieldMPNet(learned.model, lambda texts: toy.encode(texts)[:, :7], toy.vocabulary())
    with pytest.raises(AlignPartsError, match="7 wide"):
        narrow.predict(arrays, Given())
