"""Training: it learns, it resumes to the same bits, and what it writes can be read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import smoke
import torch
import toy
from safetensors.torch import load_file

from alignparts.core.config import TrainParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import learning_rate
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts, AlignPartsConfig
from alignparts.model.dataset import PartDataset, collate
from alignparts.model.losses import alignment_losses
from alignparts.model.matching import match
from alignparts.model.texts import TextTable
from alignparts.model.train import train
from alignparts.model.validation import class_statistics, validate
from alignparts.naming.confidence import Statistics

SIZES = {"d_m": 16, "d_f": 16, "K": 8, "k": 6, "heads": 2, "decoder_heads": 2, "layers": 2, "fourier": 3}


def settings(**changes: object) -> TrainParams:
    small = {"points": 48, "epochs": 3, "batch_size": 4, "lr": 3e-3, "model": SIZES}
    return smoke.block("train", **small | changes)


def test_overfits_and_names(tmp_path: Path) -> None:
    """Two shapes, informative features: nearly every point with the right name in a few hundred steps."""
    store = toy.store(tmp_path / "store", train=2, validation=0)
    table = TextTable(toy.vocabulary(), toy.encode)
    data = PartDataset(store, store.ids(), table, points=64, k=6)
    batch = collate([data[0], data[1]])
    torch.manual_seed(0)
    sizes = SIZES | {"d_m": 32, "d_f": 32, "K": 6}
    model = AlignParts(AlignPartsConfig(d_g=6, d_a=5, d_t=toy.WIDTH, **sizes))
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0)
    for step in range(240):
        optimizer.param_groups[0]["lr"] = learning_rate(step, 240, 4e-3, 1e-5)
        loss = alignment_losses(model(**batch.inputs()), batch.targets, toy.LOSS)["total"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    found = validate(model, data, 2, toy.LOSS, torch.device("cpu"))
    assert found["miou"] > 0.9 and found["la_miou"] > 0.9 and found["category"] == 1, found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FeatureStore]:
    folder = tmp_path_factory.mktemp("whole")
    store = toy.store(folder / "store")
    train(store, toy.vocabulary(), toy.encode, settings(), folder / "model")
    return folder / "model", store


def test_folder_holds_what_readers_expect(whole: tuple[Path, FeatureStore]) -> None:
    folder, store = whole
    model = AlignParts.from_pretrained(folder)
    assert (model.config.d_g, model.config.d_a, model.config.d_t) == (6, 5, toy.WIDTH)
    assert AlignParts.from_pretrained(folder / "last").config == model.config
    statistics = Statistics.load(folder)
    assert set(statistics.labels) <= {(c, p) for c, parts in toy.PARTS.items() for p in parts}
    assert len(statistics.labels) == 9 and statistics.covariance.shape == (toy.WIDTH, toy.WIDTH)
    assert (folder / "curves" / "metrics.json").is_file()
    assert not [path.name for path in folder.rglob(".*")]
    standard = load_file(folder / "model.safetensors")["geometry_mean"]
    rows = np.concatenate([arrays["geometry"] for _, arrays, meta in store if meta["split"] == "train"])
    np.testing.assert_allclose(standard, rows.astype(np.float64).mean(0), atol=1e-5)


def test_resumed_run_ends_at_the_same_bits(whole: tuple[Path, FeatureStore], tmp_path: Path) -> None:
    expected, store = whole

    def kill(epoch: int, row: dict[str, float]) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    out = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        train(store, toy.vocabulary(), toy.encode, settings(), out, on_epoch=kill)
    assert (out / "resume.safetensors").is_file()
    seen = []
    train(store, toy.vocabulary(), toy.encode, settings(), out, on_epoch=lambda e, _: seen.append(e))
    assert seen == [2]
    names = {path.relative_to(expected) for path in expected.rglob("*") if path.is_file()}
    assert names == {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    for name in names:
        assert (out / name).read_bytes() == (expected / name).read_bytes(), name


def test_a_finished_run_is_not_done_again(whole: tuple[Path, FeatureStore], tmp_path: Path) -> None:
    folder, store = whole
    shutil.copytree(folder, tmp_path / "model")
    seen: list[int] = []
    arguments = (store, toy.vocabulary(), toy.encode, settings(), tmp_path / "model")
    again = train(*arguments, on_epoch=lambda epoch, _: seen.append(epoch))
    assert not seen and len(again.history) == 3
    for path in folder.rglob("*.safetensors"):
        assert (tmp_path / "model" / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_statistics_are_equations_38_and_39(whole: tuple[Path, FeatureStore]) -> None:
    folder, store = whole
    model = AlignParts.from_pretrained(folder).eval()
    data = PartDataset(store, ["s0", "s3", "s1"], TextTable(toy.vocabulary(), toy.encode), points=48, k=6)
    labels, found = class_statistics(model, data, 2, torch.device("cpu"))
    vectors: dict[tuple[str, str], list[np.ndarray]] = {}
    for index in range(3):
        batch = collate([data[index]])
        with torch.no_grad():
            output = model(**batch.inputs())
        for k, a in enumerate(match(output, batch.targets)[0].tolist()):
            if a >= 0:
                label = (batch.categories[0], batch.names[0][a])
                vectors.setdefault(label, []).append(output.partlets[0, k].numpy())
    assert labels == sorted(vectors) and found["count"].tolist() == [len(vectors[label]) for label in labels]
    np.testing.assert_allclose(
        found["mean"], [np.mean(vectors[label], axis=0) for label in labels], atol=1e-5
    )
    pooled = np.concatenate([vectors[label] for label in labels])
    np.testing.assert_allclose(found["covariance"], np.cov(pooled.T, bias=True), atol=1e-4)


def test_other_negatives_and_no_validation_train_too(tmp_path: Path) -> None:
    store = toy.store(tmp_path / "store", train=3, validation=0)
    params = settings(epochs=1, text_negatives="category")
    result = train(store, toy.vocabulary(), toy.encode, params, tmp_path / "model")
    assert result.best_epoch == 0 and result.shapes == {"train": 3, "validation": 0}
    assert np.isfinite(list(result.history[0].values())).all()
    assert json.loads((tmp_path / "model" / "statistics.json").read_text())["labels"]


def test_no_training_shapes_is_one_line(tmp_path: Path) -> None:
    store = toy.store(tmp_path / "store", train=0, validation=2)
    with pytest.raises(AlignPartsError, match="no shape of the split 'train'"):
        train(store, toy.vocabulary(), toy.encode, settings(), tmp_path / "model")
