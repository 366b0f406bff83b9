"""The two encoders that params.yaml asks for: a checkpoint by name, or a small one trained on the corpus."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from alignparts.core.checkpoint import save_model
from alignparts.core.config import Params
from alignparts.core.parallel import map_shapes
from alignparts.core.trainer import STATE, Row
from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh.render import render_views
from alignparts.corpus.mesh.sampling import sample_surface, seed_of
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.appearance_losses import Recipe
from alignparts.features.appearance_train import train_appearance
from alignparts.features.partfield import PartField, PartFieldConfig
from alignparts.features.partfield_train import PartFieldTraining, PartMasks, train_partfield


def part_masks(corpus: Corpus, shape_ids: Sequence[str], params: Params) -> list[PartMasks]:
    """Sample surfaces with part instances; leave out shapes with fewer than two labeled instances."""
    base = params.base
    sampled = map_shapes(
        partial(_sample, corpus, params.corpus.points, base.seed), shape_ids,
        workers=base.workers, scheduler=base.scheduler, description="part masks",
    )  # fmt: skip
    return [masks for masks in sampled if len(np.unique(masks.instance[masks.instance >= 0])) > 1]


def pictures(corpus: Corpus, shape_ids: Sequence[str], params: Params) -> np.ndarray:
    """Render shapes: uint8 (shapes * views, H, W, 3)."""
    base, features = params.base, params.features
    rendered = map_shapes(
        partial(_render, corpus, features.views, features.resolution), shape_ids,
        workers=base.workers, scheduler=base.scheduler, description="renders",
    )  # fmt: skip
    return np.concatenate(list(rendered))


def geometry_encoder(corpus: Corpus, params: Params, out: Path) -> tuple[PartField, list[Row]]:
    """Return the checkpoint of ``features.geometry``, or a small PartField trained on the training shapes.

    Args:
        corpus: shapes with part instances.
        params: all of params.yaml.
        out: folder that the encoder is written to.

    Returns:
        The encoder, and the losses of every step (none for a checkpoint).
    """
    asked = params.features.geometry
    history: list[Row] = []
    if asked.checkpoint is not None:
        encoder = PartField.from_pretrained(asked.checkpoint)
    else:
        encoder, history = train_partfield(
            part_masks(corpus, corpus.ids(split="train"), params),
            PartFieldConfig.small(),
            PartFieldTraining(epochs=asked.epochs, batch_size=asked.batch_size, lr=asked.lr),
            params.base.seed,
            checkpoint=out / STATE,
        )
    save_model(encoder, out)
    return encoder.eval(), history


def appearance_encoder(corpus: Corpus, params: Params, out: Path) -> tuple[AppearanceEncoder, list[Row]]:
    """Return the checkpoint of ``features.appearance``, or a small DINOv2 trained on renders.

    Args:
        corpus: shapes, of which those of the split "train" are rendered.
        params: all of params.yaml.
        out: folder that the encoder is written to.

    Returns:
        The encoder, and the losses of every step (none for a checkpoint).
    """
    asked = params.features.appearance
    losses: list[Row] = []
    if asked.checkpoint is not None:
        encoder = AppearanceEncoder.from_pretrained(asked.checkpoint)
    else:
        # Enough pictures for every step to see new ones, and no more than that.
        needed = -(-asked.steps * asked.batch_size // params.features.views)
        ids = np.array(corpus.ids(split="train"))
        chosen = np.random.default_rng(params.base.seed).permutation(len(ids))[:needed]
        images = pictures(corpus, ids[np.sort(chosen)].tolist(), params)
        recipe = Recipe(steps=asked.steps, batch_size=asked.batch_size, lr=asked.lr, seed=params.base.seed)
        encoder, losses = train_appearance(images, recipe, checkpoint=out / STATE)
    encoder.save_pretrained(out)
    return encoder.eval(), losses


def _sample(corpus: Corpus, points: int, seed: int, shape_id: str) -> PartMasks:
    sample = sample_surface(corpus.load(shape_id).surface, points, seed_of(shape_id, seed))
    return PartMasks(sample.points, sample.instance)


def _render(corpus: Corpus, views: int, resolution: int, shape_id: str) -> np.ndarray:
    return render_views(corpus.load(shape_id).surface, views, resolution).color
