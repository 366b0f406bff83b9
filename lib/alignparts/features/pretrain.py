"""The two encoders that params.yaml asks for: a checkpoint by name, or a small one trained here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32

from alignparts.core.config import Params
from alignparts.core.parallel import map_shapes
from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh.render import render_views
from alignparts.corpus.mesh.sampling import sample_surface, seed_of
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.appearance_train import Recipe, train_appearance
from alignparts.features.partfield import PartField, PartFieldConfig
from alignparts.features.partfield_train import PartFieldTraining, train_partfield

PROGRESS = "resume.safetensors"


@dataclass(frozen=True)
class PartMasks:
    """What the geometry encoder learns from: points in [-1, 1] and their part instances, -1 unlabeled."""

    points: Float32[np.ndarray, "n 3"]
    instance: Int32[np.ndarray, " n"]


@dataclass(frozen=True)
class _Masks:
    """Samples one shape; a class, so that worker processes can be sent it."""

    corpus: Corpus
    points: int
    seed: int

    def __call__(self, shape_id: str) -> PartMasks:
        sample = sample_surface(self.corpus.load(shape_id).surface, self.points, seed_of(shape_id, self.seed))
        return PartMasks(sample.points, sample.instance)


@dataclass(frozen=True)
class _Pictures:
    """Renders one shape."""

    corpus: Corpus
    views: int
    resolution: int

    def __call__(self, shape_id: str) -> np.ndarray:
        surface = self.corpus.load(shape_id).surface
        return render_views(surface, self.views, self.resolution).color


def part_masks(corpus: Corpus, shape_ids: Sequence[str], params: Params) -> list[PartMasks]:
    """Surface samples with part instances; shapes with fewer than two labeled instances are left out."""
    base = params.base
    sampled = map_shapes(
        _Masks(corpus, params.corpus.points, base.seed),
        shape_ids,
        workers=base.workers,
        scheduler=base.scheduler,
        description="part masks",
    )
    return [one for one in sampled if len(np.unique(one.instance[one.instance >= 0])) > 1]


def pictures(corpus: Corpus, shape_ids: Sequence[str], params: Params) -> np.ndarray:
    """Renders of the shapes, uint8 (shapes * views, H, W, 3)."""
    base, features = params.base, params.features
    rendered = map_shapes(
        _Pictures(corpus, features.views, features.resolution),
        shape_ids,
        workers=base.workers,
        scheduler=base.scheduler,
        description="renders",
    )
    return np.concatenate(list(rendered))


def geometry_encoder(corpus: Corpus, params: Params, out: Path) -> tuple[PartField, list[dict[str, float]]]:
    """The checkpoint of ``features.geometry``, or a small PartField trained on the training shapes.

    Returns the encoder and the losses of every step (none for a checkpoint).
    """
    asked = params.features.geometry
    history: list[dict[str, float]] = []
    if asked.checkpoint is not None:
        encoder = PartField.from_pretrained(asked.checkpoint)
    else:
        encoder, history = train_partfield(
            part_masks(corpus, corpus.ids(split="train"), params),
            PartFieldConfig.small(),
            PartFieldTraining(epochs=asked.epochs, batch_size=asked.batch_size, lr=asked.lr),
            params.base.seed,
            checkpoint=out / PROGRESS,
        )
    encoder.save_pretrained(out)
    return encoder.eval(), history


def appearance_encoder(
    corpus: Corpus, params: Params, out: Path
) -> tuple[AppearanceEncoder, list[dict[str, float]]]:
    """The checkpoint of ``features.appearance``, or a small DINOv2 trained on renders of training shapes.

    Returns the encoder and the losses of every step (none for a checkpoint).
    """
    asked = params.features.appearance
    if asked.checkpoint is not None:
        encoder = AppearanceEncoder.from_pretrained(asked.checkpoint)
        encoder.save_pretrained(out)
        return encoder.eval(), []
    # Enough pictures for every step to see new ones, and no more than that.
    needed = -(-asked.steps * asked.batch_size // params.features.views)
    generator = np.random.default_rng(params.base.seed)
    ids = np.array(corpus.ids(split="train"))
    chosen = ids[np.sort(generator.permutation(len(ids))[:needed])].tolist()
    recipe = Recipe(steps=asked.steps, batch_size=asked.batch_size, lr=asked.lr, seed=params.base.seed)
    images = pictures(corpus, chosen, params)
    encoder, losses = train_appearance(images, recipe, checkpoint=out / PROGRESS)
    encoder.save_pretrained(out)
    return encoder.eval(), losses


def forget_progress(*folders: Path) -> None:
    """Remove what a killed stage would have gone on from; call it once the stage's last output is there."""
    for folder in folders:
        (folder / PROGRESS).unlink(missing_ok=True)
