"""Training of the geometry encoder: its loss, its augmentation, exact resume, and that it learns."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from alignparts.core.errors import AlignPartsError
from alignparts.features import partfield_train
from alignparts.features.partfield import FRAME, PartField, PartFieldConfig
from alignparts.features.partfield_train import (
    PartFieldTraining,
    PartMasks,
    augment,
    contrastive_loss,
    train_partfield,
)

TINY = PartFieldConfig(
    plane_resolution=16,
    voxel_resolution=8,
    point_width=16,
    unet_widths=(8, 16),
    token_width=32,
    layers=1,
    heads=2,
    downsample=4,
    sdf_channels=0,
    part_channels=16,
    input_points=256,
)
QUICK = PartFieldTraining(epochs=3, batch_size=2, lr=3e-3, queries=64)


def toy(seed: int, n: int = 400) -> PartMasks:
    """A box for a seat, a thin box for a back and a cylinder for a foot."""
    rng = np.random.default_rng(seed)
    instance = rng.integers(0, 3, n)
    width, thick, radius = rng.uniform(0.6, 1.0), rng.uniform(0.05, 0.12), rng.uniform(0.1, 0.25)
    seat = rng.uniform(-1, 1, (n, 3)) * [width, thick, width]
    back = rng.uniform(-1, 1, (n, 3)) * [width, 0.4, thick] + [0, 0.4 + thick, -width]
    angle = rng.uniform(0, 2 * np.pi, n)
    foot = np.stack([radius * np.cos(angle), rng.uniform(-0.9, -thick, n), radius * np.sin(angle)], axis=1)
    points = np.choose(instance[:, None], [seat, back, foot])
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - (low + high) / 2) / ((high - low).max() / 2)
    return PartMasks(points.astype(np.float32), instance.astype(np.int32))


def naive_loss(features: torch.Tensor, instance: torch.Tensor, temperature: float) -> float:
    anchors = []
    for f, labels in zip(F.normalize(features, dim=-1), instance.tolist(), strict=True):
        for a, label in enumerate(labels):
            others = [c for c, other in enumerate(labels) if other >= 0 and other != label]
            partners = [b for b, other in enumerate(labels) if other == label and b != a]
            if label < 0 or not others or not partners:
                continue
            against = sum(math.exp(float(f[a] @ f[c]) / temperature) for c in others)
            pairs = [math.exp(float(f[a] @ f[b]) / temperature) for b in partners]
            anchors.append(sum(-math.log(pair / (pair + against)) for pair in pairs) / len(pairs))
    return sum(anchors) / len(anchors)


def test_the_loss_is_the_naive_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 12, 5, generator=generator, dtype=torch.float64)
    instance = torch.randint(-1, 4, (3, 12), generator=generator)
    instance[2] = 1  # a shape of one part has no negatives
    got = contrastive_loss(features, instance, 0.3)
    assert float(got) == pytest.approx(naive_loss(features, instance, 0.3), rel=1e-6)


def test_the_loss_knows_neither_lengths_nor_the_numbers_of_the_parts() -> None:
    features = torch.randn(1, 20, 4, generator=torch.Generator().manual_seed(1))
    instance = torch.arange(20).remainder(3)[None]
    loss = contrastive_loss(features, instance, 0.1)
    assert torch.allclose(contrastive_loss(features * 7, instance, 0.1), loss, atol=1e-5)
    assert torch.allclose(contrastive_loss(features, 9 - instance, 0.1), loss)


def test_the_loss_is_zero_and_harmless_without_pairs() -> None:
    features = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(2)).requires_grad_()
    for labels in ([-1, -1, -1, -1], [2, 2, 2, 2], [0, 1, 2, 3]):
        loss = contrastive_loss(features, torch.tensor([labels]), 0.1)
        loss.backward()
        assert loss.item() == 0
        assert features.grad is not None and not features.grad.any()


def test_the_gradient_of_the_loss() -> None:
    features = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    instance = torch.tensor([[0, 0, 1, 1, 2, -1, 2], [0, 0, 0, 0, 1, 1, -1]])
    assert torch.autograd.gradcheck(
        lambda f: contrastive_loss(f, instance, 0.5), features.requires_grad_(), atol=1e-5
    )


def test_augmented_shapes_fill_the_model_frame_and_stay_upright() -> None:
    points = toy(0).points.astype(np.float64)
    for seed in range(10):
        changed = augment(points, QUICK, np.random.default_rng(seed))
        assert np.abs(changed).max() == pytest.approx(1)
        assert np.allclose(changed.min(axis=0), -changed.max(axis=0))
        assert (np.diff(changed[np.argsort(points[:, 1]), 1]) >= -1e-9).all()
    still = replace(QUICK, stretch=0.0, yaw=0.0)
    unmoved = augment(points, still, np.random.default_rng(0))
    assert np.allclose(np.abs(unmoved), np.abs(points), atol=1e-5)


def same_and_cross(model: PartField, shape: PartMasks) -> tuple[float, float]:
    points = FRAME * torch.from_numpy(shape.points)[None]
    with torch.no_grad():
        f = F.normalize(model(points, points)[0], dim=-1)
    similarity = (f @ f.T).numpy()
    same = shape.instance[:, None] == shape.instance[None]
    return float(similarity[same].mean()), float(similarity[~same].mean())


def test_training_separates_the_parts_of_shapes_never_seen(tmp_path: Path) -> None:
    training = replace(QUICK, epochs=8, batch_size=4)
    model, history = train_partfield([toy(seed) for seed in range(16)], TINY, training, 0)
    losses = [row["total"] for row in history]
    assert len(losses) == 32
    assert np.mean(losses[-4:]) < 0.6 * np.mean(losses[:4])
    model.save_pretrained(tmp_path / "field")
    loaded = PartField.from_pretrained(tmp_path / "field")
    for seed in range(100, 103):
        same, cross = same_and_cross(loaded, toy(seed))
        assert same > cross + 0.3
        assert same_and_cross(model, toy(seed)) == (same, cross)


def weights(model: PartField) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def stop_at(patch: pytest.MonkeyPatch, last: int) -> None:
    def rate(step: int, total: int, training: PartFieldTraining) -> float:
        if step == last:
            raise KeyboardInterrupt
        return learning_rate(step, total, training)

    learning_rate = partfield_train._rate
    patch.setattr(partfield_train, "_rate", rate)


def test_an_interrupted_run_ends_in_the_same_weights(tmp_path: Path) -> None:
    shapes = [toy(seed) for seed in range(5)]
    whole, history = train_partfield(shapes, TINY, QUICK, 3)
    state = tmp_path / "state.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            train_partfield(shapes, TINY, QUICK, 3, checkpoint=state)
    torch.rand(10)
    for _ in range(2):  # the second time, all is done
        resumed, continued = train_partfield(shapes, TINY, QUICK, 3, checkpoint=state)
        assert torch.equal(weights(whole), weights(resumed))
        assert continued == history and len(history) == 9


def test_another_seed_is_another_result(tmp_path: Path) -> None:
    shapes, training = [toy(seed) for seed in range(3)], replace(QUICK, epochs=1)
    one, other = (train_partfield(shapes, TINY, training, seed)[0] for seed in (1, 2))
    assert not torch.equal(weights(one), weights(other))


def test_bad_shapes_and_settings_are_refused() -> None:
    whole = toy(0)
    alone = PartMasks(whole.points, np.zeros_like(whole.instance))
    for shapes in ([alone], []):
        with pytest.raises(AlignPartsError, match="two labeled parts"):
            train_partfield(shapes, TINY, QUICK, 0)
    with pytest.raises(AlignPartsError, match="a lower lr"):
        train_partfield([whole], TINY, replace(QUICK, epochs=20, lr=1e20), 0)
    with pytest.raises(AlignPartsError, match="finite coordinates"):
        train_partfield([PartMasks(whole.points * np.nan, whole.instance)], TINY, QUICK, 0)


def test_unlabeled_points_and_few_points_are_fine() -> None:
    shape = toy(1, n=40)
    half = PartMasks(shape.points, np.where(shape.points[:, 0] > 0, shape.instance, -1))
    none = PartMasks(shape.points, np.full_like(shape.instance, -1))
    _, history = train_partfield([half, none], TINY, replace(QUICK, epochs=1), 0)
    losses = [row["total"] for row in history]
    assert np.isfinite(losses).all() and losses[0] > 0
