"""Find3D: curves, patches, the network's invariances, its loss, its training and its answers."""

from pathlib import Path

import numpy as np
import pytest
import smoke
import torch
import torch.nn.functional as F
from toy import PARTS, WIDTH, encode, vocabulary

from alignparts.core.config.baselines import Find3DParams
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.find3d.method import Find3D, query, shares
from alignparts.evaluation.baselines.find3d.model import Find3DConfig, Find3DModel
from alignparts.evaluation.baselines.find3d.train import Find3DTraining, part_contrast
from alignparts.evaluation.methods import Given
from alignparts.features.store import FeatureStore
from alignparts.model.backbone.grid import ORDERS, finest, hilbert, patches, position, z_order
from alignparts.model.backbone.point_transformer import Attention

SMALL = Find3DConfig(
    d_t=WIDTH, channels=(16, 32), depths=(1, 1), up_channels=(16,), up_depths=(1,), patch=8, grid=0.3
)


def cube(depth: int) -> torch.Tensor:
    side = torch.arange(1 << depth)
    return torch.cartesian_prod(side, side, side)


@pytest.mark.parametrize("order", ORDERS)
def test_a_curve_meets_every_cell_once(order):
    places = position(cube(3), order, depth=3)
    assert sorted(places.tolist()) == list(range(8**3))


def test_cells_that_follow_each_other_on_hilberts_curve_touch():
    cells = cube(3)
    walk = cells[torch.argsort(hilbert(cells, depth=3))]
    assert ((walk[1:] - walk[:-1]).abs().sum(1) == 1).all()


def test_z_order_interleaves_the_bits():
    x, y, z = 0b101, 0b011, 0b110
    assert int(z_order(torch.tensor([[x, y, z]]))) == 0b101_011_110


@pytest.mark.parametrize("size", [1, 3, 4, 50])
def test_patches_hold_every_point_once_and_one_shape_each(size):
    shape = torch.tensor([0] * 7 + [1] * 4 + [2])
    places = torch.randperm(12)
    table = patches(shape, places, size)
    assert sorted(table[table >= 0].tolist()) == list(range(12))
    for row in table:
        kept = row[row >= 0]
        assert len(shape[kept].unique()) == 1
        assert (places[kept].diff() > 0).all()
    assert table.shape[1] <= size and len(table) == sum(-(-n // min(size, 7)) for n in (7, 4, 1))


def inputs(n: int = 40, shapes: int = 1, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(n * shapes, 3, generator=generator) * 2 - 1
    normals = F.normalize(torch.randn(n * shapes, 3, generator=generator), dim=1)
    colors = torch.rand(n * shapes, 3, generator=generator)
    return [points, normals, colors, torch.arange(shapes).repeat_interleave(n)]


def model(config: Find3DConfig = SMALL) -> Find3DModel:
    torch.manual_seed(0)
    return Find3DModel(config).eval()


def test_attention_is_that_of_a_naive_loop_over_patches():
    torch.manual_seed(0)
    attention = Attention(32, patch=5).double()
    level = finest(inputs()[0], torch.zeros(40, dtype=torch.int64), 0.3)
    x = torch.randn(len(level.cells), 32, dtype=torch.float64)
    found = attention(x, level, 2)
    q, k, v = attention.qkv(x).view(-1, 3, 2, 16).unbind(1)
    expected = torch.zeros_like(x)
    for patch in level.patches(2, 5):
        kept = patch[patch >= 0]
        for head in range(2):
            weight = (q[kept, head] @ k[kept, head].T / 4).softmax(1)
            expected[kept, 16 * head : 16 * head + 16] = weight @ v[kept, head]
    torch.testing.assert_close(found, attention.out(expected))


def test_neighbors_are_those_of_a_naive_search():
    points, _, _, shape = inputs(30, 2)
    level = finest(points, shape, 0.4)
    cell, near, where = level.neighbors
    naive = {
        (a, b)
        for a in range(len(level.cells))
        for b in range(len(level.cells))
        if level.shape[a] == level.shape[b] and (level.cells[a] - level.cells[b]).abs().max() <= 1
    }
    assert set(zip(cell.tolist(), near.tolist(), strict=True)) == naive and len(cell) == len(naive)
    step = level.cells[near] - level.cells[cell] + 1
    assert torch.equal(where, 9 * step[:, 0] + 3 * step[:, 1] + step[:, 2])


def test_points_may_come_in_any_order():
    given = inputs()
    order = torch.randperm(40)
    torch.testing.assert_close(
        model()(*(one[order] for one in given)), model()(*given)[order], atol=1e-5, rtol=1e-5
    )


def test_a_batch_is_its_shapes_one_by_one():
    given = inputs(25, 3)
    together = model()(*given)
    for number in range(3):
        own = given[3] == number
        alone = model()(*(one[own] for one in given[:3]), torch.zeros(25, dtype=torch.int64))
        torch.testing.assert_close(together[own], alone, atol=1e-5, rtol=1e-5)


def test_features_are_unit_vectors_that_see_all_inputs():
    given = [one.requires_grad_() if one.is_floating_point() else one for one in inputs()]
    features = model()(*given)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(40))
    features[0, 0].backward()
    for one in given[:3]:
        assert one.grad[1:].abs().sum() > 0  # other points matter too
    lost = [name for name, one in model().named_parameters() if not one.requires_grad]
    assert not lost


def test_the_published_size():
    with torch.device("meta"):
        whole = Find3DModel(Find3DConfig())
    counted = sum(one.numel() for one in whole.parameters())
    attention = sum(
        depth * (4 * c * c + 8 * c * c + c * c)  # qkv and out, mlp, mix
        for channels, depths in (
            ((32, 64, 128, 256, 512), (2, 2, 2, 6, 2)),
            ((64, 64, 128, 256), (2, 2, 2, 2)),
        )
        for c, depth in zip(channels, depths, strict=True)
    )
    assert attention < counted < 1.15 * attention


@pytest.mark.parametrize(
    ("sizes", "needle"),
    [
        ({"channels": (16, 32), "depths": (1,), "up_channels": (16,), "up_depths": (1,)}, "expected n, n"),
        ({"channels": (16,), "depths": (1,), "up_channels": (), "up_depths": ()}, "with n > 1"),
        ({"channels": (20, 32), "depths": (1, 1), "up_channels": (16,), "up_depths": (1,)}, "multiple of 16"),
    ],
)
def test_sizes_that_do_not_fit(sizes, needle):
    with pytest.raises(AlignPartsError, match=needle):
        Find3DConfig(**sizes)


def test_the_loss_is_that_of_a_naive_loop():
    generator = torch.Generator().manual_seed(0)
    features = F.normalize(torch.randn(12, 5, generator=generator), dim=1)
    texts = F.normalize(torch.randn(6, 5, generator=generator), dim=1)
    texts[5] = texts[1]  # another part with the same text is no negative
    row = torch.tensor([0, 0, 1, 1, -1, 5, 2, 2, 1, 0, 0, -1])
    shape = torch.tensor([0] * 6 + [1] * 6)
    losses = []
    for number in (0, 1):
        for part in row[(shape == number) & (row >= 0)].unique():
            pooled = F.normalize(features[(shape == number) & (row == part)].mean(0), dim=0)
            others = [r for r in (0, 1, 2, 5) if r == part or not torch.equal(texts[r], texts[part])]
            cosines = torch.stack([3 * pooled @ texts[r] for r in others])
            losses.append(cosines.logsumexp(0) - cosines[others.index(int(part))])
    torch.testing.assert_close(part_contrast(features, row, shape, texts, 3.0), torch.stack(losses).mean())
    assert part_contrast(features, torch.full((12,), -1), shape, texts, 3.0) == 0


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """Shapes whose parts are slabs; a part's color says what it is."""
    store = FeatureStore(tmp_path / "features", "slabs", shard=4)
    for index in range(9):
        category = list(PARTS)[index % 3]
        names, rng = PARTS[category], np.random.default_rng(index)
        part = rng.integers(0, len(names), 120).astype(np.int16)
        points = rng.uniform(-0.9, 0.9, (120, 3))
        points[:, 1] = (part + rng.uniform(size=120)) / len(names) * 1.8 - 0.9
        color = np.random.default_rng(list(PARTS).index(category)).uniform(size=(4, 3))[part]
        normals = rng.normal(size=(120, 3))
        arrays = {
            "points": points.astype(np.float32),
            "normals": (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32),
            "colors": color.astype(np.float32),
            "part": np.where(rng.random(120) < 0.05, -1, part).astype(np.int16),
        }
        split = "validation" if index >= 6 else "train"
        store.add(
            f"s{index}",
            arrays,
            {"category": category, "part_names": names, "split": split, "dataset": "partnet"},
        )
    store.flush()
    return store


def params(**changes: object) -> Find3DParams:
    sizes = {
        "channels": (16, 32), "depths": (1, 1), "up_channels": (16,), "up_depths": (1,),
        "patch": 16, "grid": 0.2,
    }  # fmt: skip
    small = {"points": 60, "kept": 100, "epochs": 2, "batch_size": 3, "lr": 1e-2, "model": sizes}
    return smoke.block("baselines", find3d={**small, **changes}).find3d


def test_it_learns_the_names_of_slabs(store, tmp_path):
    found = trained(store, params(epochs=100, name_prompt_rate=1.0), tmp_path / "model")
    assert found.shapes == {"train": 6, "validation": 3}
    assert found.history[-1]["train/total"] < found.history[0]["train/total"] / 2
    assert found.history[-1]["validation/name_right"] > 0.8
    method = Find3D(found.model, encode)
    arrays, meta = store.load("s6")
    answer = method.predict(arrays, Given(category=meta["category"], names=tuple(meta["part_names"])))
    labeled = arrays["part"] >= 0
    assert np.mean(answer.point_part[labeled] == arrays["part"][labeled]) > 0.8
    turned = tuple(reversed(meta["part_names"]))
    again = method.predict(arrays, Given(category=meta["category"], names=turned))
    assert [turned[part] for part in again.point_part] == [answer.names[part] for part in answer.point_part]


def trained(store: FeatureStore, params: Find3DParams, out: Path, on_epoch=None, **options):
    return Find3DTraining(store, vocabulary(), encode, params, **options).fit(out, on_epoch)


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_two_runs_are_one_and_so_is_one_that_was_killed(store, tmp_path):
    trained(store, params(), tmp_path / "a")

    def kill(epoch: int, row: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(store, params(), tmp_path / "b", on_epoch=kill)
    trained(store, params(), tmp_path / "b")
    trained(store, params(), tmp_path / "c", seed=1)
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")
    assert (tmp_path / "a/history.json").read_text() == (tmp_path / "b/history.json").read_text()


def test_the_saved_model_is_the_trained_one(store, tmp_path):
    found = trained(store, params(epochs=1), tmp_path / "model")
    again = Find3DModel.from_pretrained(tmp_path / "model").eval()
    given = inputs()
    assert again.config == found.model.config
    assert torch.equal(again(*given), found.model(*given))
    (tmp_path / "model/config.json").unlink()
    with pytest.raises(AlignPartsError, match=r"config\.json"):
        Find3DModel.from_pretrained(tmp_path / "model")


def test_nothing_to_train_on(store, tmp_path):
    with pytest.raises(AlignPartsError, match="no shape of the split 'train'"):
        trained(store, params(), tmp_path / "m", ids={"train": [], "validation": []})


def test_shares_hold_every_point_once_evenly_and_in_any_order():
    points = np.random.default_rng(3).uniform(-1, 1, (400, 3)).astype(np.float32)
    dealt = shares(points, 64)
    assert np.array_equal(np.sort(np.concatenate(dealt)), np.arange(400))
    assert {len(share) for share in dealt} == {57, 58} and len(dealt) == 7
    for share in dealt:  # every share sees every corner of the shape
        assert len(np.unique(points[share] > 0, axis=0)) == 8
    mixed = np.random.default_rng(4).permutation(400)
    for share, again in zip(dealt, shares(points[mixed], 64), strict=True):
        assert np.array_equal(mixed[again], share)
    assert len(shares(points, 400)) == 1


def test_more_points_than_in_training_are_seen_in_shares():
    cloud = np.random.default_rng(5).uniform(-1, 1, (3, 90, 3)).astype(np.float32)
    arrays = {"points": cloud[0], "normals": cloud[1], "colors": np.abs(cloud[2])}
    given = Given(names=("seat", "leg", "arm_rest"))
    torch.manual_seed(0)
    method = Find3D(Find3DModel(Find3DConfig(**{**SMALL.__dict__, "points": 40})), encode)
    found = method.predict(arrays, given).point_part
    dealt = shares(cloud[0], 40)
    assert len(dealt) == 3
    for share in dealt:
        alone = method.predict({name: values[share] for name, values in arrays.items()}, given)
        assert np.array_equal(found[share], alone.point_part)


def test_what_it_asks():
    assert query("arm_rest", "office_chair") == "the arm rest of an office chair"
    assert query("arm_rest", None) == "arm rest"
    assert query("a thing to sit on", "chair") == "a thing to sit on"


@pytest.mark.parametrize(
    ("change", "given", "needle"),
    [
        ({}, Given(), "no candidate names"),
        ({"normals": None}, Given(names=("a",)), "'normals' is missing"),
        ({"points": np.zeros((0, 3))}, Given(names=("a",)), "points is"),
        ({"colors": np.full((40, 3), np.nan)}, Given(names=("a",)), "finite"),
    ],
)
def test_bad_input_is_one_clear_error(change, given, needle):
    arrays = dict(zip(("points", "normals", "colors"), (one.numpy() for one in inputs()[:3]), strict=True))
    arrays = {name: one for name, one in {**arrays, **change}.items() if one is not None}
    with pytest.raises(AlignPartsError, match=needle):
        Find3D(model(), encode).predict(arrays, given)
    wrong = Find3D(model(Find3DConfig(**{**SMALL.__dict__, "d_t": 7})), encode)
    with pytest.raises(AlignPartsError, match=f"{WIDTH} wide, the model's 7"):
        whole = dict(zip(("points", "normals", "colors"), (one.numpy() for one in inputs()[:3]), strict=True))
        wrong.predict(whole, Given(names=("a",)))
