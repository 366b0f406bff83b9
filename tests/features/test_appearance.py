"""The appearance encoder: reading, writing, and learning from pictures alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, grid_sample, normalize
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.render import render_views
from alignparts.corpus.mesh.surface import make_surface
from alignparts.features import appearance_train
from alignparts.features.appearance import DEVIATION, MEAN, AppearanceEncoder
from alignparts.features.appearance_losses import Recipe
from alignparts.features.appearance_train import train_appearance
from alignparts.features.crops import crops, places

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
SIDES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def textured_pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of a striped and a chequered box of any colors; the part of every pixel: 0, 1 or -1 none."""
    halves = rng.uniform(0.4, 0.6, (2, 3))
    places = np.array([[-halves[0, 0], 0, 0], [halves[1, 0], 0, 0]])
    line = np.arange(32) // 4 % 2
    patterns = [np.tile(line, (32, 1)), line[:, None] ^ line]
    textures = []
    for pattern in patterns:
        inks = rng.integers([[0], [130]], [[100], [250]], (2, 3))
        textures.append(np.dstack([inks[pattern], np.full((32, 32), 255)]).astype(np.uint8))
    surface = make_surface(
        np.concatenate([CORNERS * half + at for half, at in zip(halves, places, strict=True)]),
        np.concatenate([SIDES, SIDES + 8]),
        uv=np.tile(np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], np.float32), (12, 1, 1)),
        color=(1.0, 1.0, 1.0, 1.0),
    )
    surface = replace(surface, face_material=np.repeat(np.int32([0, 1]), 12), textures=tuple(textures))
    views = render_views(surface, views=4, resolution=64)
    return views.color, np.where(views.face < 0, -1, (views.face >= 12).astype(int))


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    drawn = [textured_pair(np.random.default_rng([seed, number])) for number in range(count)]
    return np.concatenate([color for color, _ in drawn]), np.concatenate([part for _, part in drawn])


def recognized(encoder: AppearanceEncoder, images: np.ndarray) -> float:
    """Share of the patches whose likest patch in another crop, through other colors, is the same place."""
    rng = torch.Generator().manual_seed(0)
    one, other = (crops(torch.from_numpy(images), 48, (0.4, 0.8), rng) for _ in range(2))
    there, within = places(one, other, 6)
    shown = torch.nn.functional.max_pool2d(one.content.float(), 8) > 0
    with torch.no_grad():
        left, right = (encoder.model(crop.pixels).last_hidden_state[:, 1:] for crop in (one, other))
    mean = torch.cat([left, right]).mean(dim=(0, 1))
    likeness = normalize(left - mean, dim=2) @ normalize(right - mean, dim=2).transpose(1, 2)
    found = likeness.argmax(dim=2).unflatten(1, (6, 6))
    column, row = (there[..., 0] + 1) * 3, (there[..., 1] + 1) * 3
    near = ((found % 6 + 0.5 - column).abs() < 1) & ((found // 6 + 0.5 - row).abs() < 1)
    return float(near[within & shown].float().mean())


@pytest.fixture(scope="module")
def trained() -> tuple[AppearanceEncoder, list[dict[str, float]]]:
    images, _ = pictures(12, seed=0)
    torch.set_num_threads(1)
    return train_appearance(
        images, Recipe(steps=60, batch_size=12, lr=1e-3, prototypes=64, pictures=0.3, patches=0.3)
    )


def test_training_lowers_the_loss_and_features_do_not_collapse(trained) -> None:
    encoder, history = trained
    for name in ("total", "dino", "ibot", "place"):
        values = np.array([step[name] for step in history])
        assert values[-10:].mean() < values[:10].mean() - 0.2, name
    maps = encoder.encode(pictures(4, seed=1)[0]).reshape(-1, encoder.d_a)
    assert (maps.std(axis=0) > 0.05).all()
    spectrum = np.linalg.svd(maps - maps.mean(axis=0), compute_uv=False) ** 2
    share = spectrum / spectrum.sum()
    assert np.exp(-(share * np.log(share + 1e-12)).sum()) > 4  # effective dimensions


def test_training_recognizes_places_better_than_chance_weights(trained) -> None:
    images, _ = pictures(16, seed=2)
    random = AppearanceEncoder.small(64, seed=0)
    assert recognized(trained[0], images) > recognized(random, images) + 0.02


def test_equal_seeds_give_equal_weights_and_a_killed_run_ends_the_same(tmp_path) -> None:
    images, _ = pictures(3, seed=0)
    recipe = Recipe(steps=4, batch_size=4, prototypes=16)
    whole, losses = train_appearance(images, recipe, save_every=3)
    state = tmp_path / "state.safetensors"
    schedule = appearance_train._schedule

    def killed(step: int, steps: int) -> float:
        if step == 3:
            raise KeyboardInterrupt
        return schedule(step, steps)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(appearance_train, "_schedule", killed)
        with pytest.raises(KeyboardInterrupt):
            train_appearance(images, recipe, checkpoint=state, save_every=3)
    resumed, again = train_appearance(images, recipe, checkpoint=state, save_every=3)
    assert again == losses and len(losses) == 4
    for left, right in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0)
    other, _ = train_appearance(images, replace(recipe, seed=1), checkpoint=state)
    assert (other.encode(images[:1]) != whole.encode(images[:1])).any()


def test_training_refuses_what_it_cannot_use() -> None:
    with pytest.raises(AlignPartsError, match="two square pictures"):
        train_appearance(np.zeros((1, 16, 16, 3), np.uint8), Recipe(steps=1))
    with pytest.raises(AlignPartsError, match="multiple, e.g. 16"):
        train_appearance(np.zeros((3, 17, 17, 3), np.uint8), Recipe(steps=1))


def test_crops_keep_size_and_range_and_depend_on_the_generator_alone() -> None:
    images = torch.from_numpy(pictures(1, seed=5)[0])
    first, content, *_ = crops(images, 24, (0.2, 0.6), torch.Generator().manual_seed(1))
    again, *_ = crops(images, 24, (0.2, 0.6), torch.Generator().manual_seed(1))
    other, *_ = crops(images, 24, (0.2, 0.6), torch.Generator().manual_seed(2))
    assert first.shape == (4, 3, 24, 24) and content.shape == (4, 24, 24)
    assert torch.equal(first, again) and not torch.equal(first, other)
    # Crops are of the object.
    assert content.flatten(1).any(dim=1).all()
    mean, deviation = torch.tensor(MEAN)[:, None, None], torch.tensor(DEVIATION)[:, None, None]
    pixels = first * deviation + mean
    assert pixels.min() >= -1e-5 and pixels.max() <= 1 + 1e-5


def test_places_of_one_crop_are_found_in_another() -> None:
    # A picture whose colors say where a pixel is.
    line = np.linspace(60, 190, 64)
    ramp = np.stack([np.tile(line, (64, 1)), np.tile(line[:, None], (1, 64)), np.full((64, 64), 128)], axis=2)
    images = torch.from_numpy(np.tile(ramp.astype(np.uint8), (6, 1, 1, 1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alignparts.features.crops.JITTER", 0.0)
        one, other = (crops(images, 32, (0.3, 0.8), torch.Generator().manual_seed(s)) for s in (1, 2))
    at, within = places(one, other, 8)
    there = grid_sample(other.pixels, at, align_corners=False, padding_mode="border").permute(0, 2, 3, 1)
    here = avg_pool2d(one.pixels, 4).permute(0, 2, 3, 1)
    assert 0.2 < within.float().mean() < 1
    # Red and green are coordinates; a patch is some 0.1 of the picture wide.
    assert (there - here)[within].abs().max() < 0.06


def test_saved_and_read_again(tmp_path) -> None:
    encoder = AppearanceEncoder.small(32, seed=3)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3)).astype(np.uint8)
    encoder.save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    again = AppearanceEncoder.from_pretrained(tmp_path)
    features = again.encode(images)
    assert features.shape == (3, 4, 6, encoder.d_a)
    np.testing.assert_array_equal(features, encoder.encode(images, batch_size=3))
    np.testing.assert_allclose(features, encoder.encode(images, batch_size=1), atol=1e-5)
    assert not any(value.requires_grad for value in again.parameters())


@pytest.mark.parametrize("registers", [0, 4])
def test_public_layouts_give_the_tokens_of_their_patches(tmp_path, registers: int) -> None:
    sizes = dict(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, patch_size=14, image_size=70, mlp_ratio=2
    )
    model = (
        Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**sizes, num_register_tokens=registers))
        if registers
        else Dinov2Model(Dinov2Config(**sizes))
    )
    model.eval().save_pretrained(tmp_path)
    encoder = AppearanceEncoder.from_pretrained(tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (1, 112, 112, 3)).astype(np.uint8)
    pixels = (image[0] / 255.0 - MEAN) / DEVIATION
    with torch.no_grad():
        tokens = model(torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32)).last_hidden_state
    np.testing.assert_allclose(
        encoder.encode(image)[0].reshape(64, 24), tokens[0, 1 + registers :].numpy(), atol=1e-4
    )


def test_what_is_missing_is_named_with_its_size(monkeypatch, tmp_path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        AlignPartsError,
        match=r"hf download facebook/dinov2-base --revision f9e44c8\w+ \(346 MB\), or set it to null",
    ):
        AppearanceEncoder.from_pretrained("facebook/dinov2-base")
    with pytest.raises(AlignPartsError, match=r"hf download someone/other --revision v2, or"):
        AppearanceEncoder.from_pretrained("someone/other@v2")


def test_other_models_and_sizes_are_refused(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(AlignPartsError, match="not a DINOv2 checkpoint"):
        AppearanceEncoder.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "dinov2"}))
    with pytest.raises(AlignPartsError, match="not a DINOv2 checkpoint"):
        AppearanceEncoder.from_pretrained(tmp_path)
    with pytest.raises(AlignPartsError, match="patches of 8 pixels; expected a multiple, e.g. 112, got 110"):
        AppearanceEncoder.small(112).encode(np.zeros((1, 110, 110, 3), np.uint8))
