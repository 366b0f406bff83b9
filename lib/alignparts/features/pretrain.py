"""The two encoders that params.yaml asks for: a checkpoint by name, or a small one trained on the corpus."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from alignparts.core.checkpoint import save_model
from alignparts.core.config.params import Params
from alignparts.core.parallel import map_shapes
from alignparts.core.run import settle
from alignparts.core.trainer import STATE, Row
from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh.render import render_views
from alignparts.corpus.mesh.sampling import sample_surface, seed_of
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.appearance_losses import Recipe
from alignparts.features.appearance_train import train_appearance
from alignparts.features.partfield import PartField, PartFieldConfig
from alignparts.features.partfield_train import PartFieldTraining, PartMasks, train_partfield


def both_encoders(
    corpus: Corpus, params: Params, models: Path
) -> tuple[tuple[PartField, list[Row]], tuple[AppearanceEncoder, list[Row]]]:
    """Return the encoder of geometry and that of appearance, and their losses by step.

    They are written to ``geometry/`` and ``appearance/`` in the folder ``models``. Without a GPU they are
    trained side by side, in a process each.
    """
    folders = models / "geometry", models / "appearance"
    if torch.cuda.is_available() or params.base.workers < 2:
        return geometry_encoder(corpus, params, folders[0]), appearance_encoder(corpus, params, folders[1])
    alone = params.model_copy(update={"base": params.base.model_copy(update={"workers": 1})})
    spawn = get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn, initializer=settle, initargs=(alone,)) as pool:
        geometry = pool.submit(geometry_encoder, corpus, alone, folders[0])
        appearance = pool.submit(appearance_encoder, corpus, alone, folders[1])
        return geometry.result(), appearance.result()


def geometry_encoder(corpus: Corpus, params: Params, out: Path) -> tuple[PartField, list[Row]]:
    """Return the checkpoint of ``features.geometry``, or a small PartField trained on the training shapes.

    The encoder is also written to the folder ``out``; with it comes a row of losses per step, none for a
    checkpoint. Shapes with fewer than two labeled part instances are left out.
    """
    asked, base = params.features.geometry, params.base
    history: list[Row] = []
    if asked.checkpoint is not None:
        encoder = PartField.from_pretrained(asked.checkpoint)
    else:
        sampled = map_shapes(
            partial(_sample, corpus, params.corpus.points, base.seed), corpus.ids(split="train"),
            workers=base.workers, scheduler=base.scheduler, description="part masks",
        )  # fmt: skip
        masks = [masks for masks in sampled if len(np.unique(masks.instance[masks.instance >= 0])) > 1]
        training = PartFieldTraining(epochs=asked.epochs, batch_size=asked.batch_size, lr=asked.lr)
        encoder, history = train_partfield(
            masks, PartFieldConfig.small(), training, base.seed, checkpoint=out / STATE
        )
    save_model(encoder, out)
    return encoder.eval(), history


def appearance_encoder(corpus: Corpus, params: Params, out: Path) -> tuple[AppearanceEncoder, list[Row]]:
    """Return the checkpoint of ``features.appearance``, or a small DINOv2 trained on renders.

    Training shapes are rendered. The encoder is also written to the folder ``out``; with it comes a row of
    losses per step, none for a checkpoint.
    """
    asked, base, features = params.features.appearance, params.base, params.features
    history: list[Row] = []
    if asked.checkpoint is not None:
        encoder = AppearanceEncoder.from_pretrained(asked.checkpoint)
    else:
        # Enough pictures for every step to see new ones, and no more than that.
        needed = -(-asked.steps * asked.batch_size // features.views)
        ids = np.array(corpus.ids(split="train"))
        chosen = np.random.default_rng(base.seed).permutation(len(ids))[:needed]
        rendered = map_shapes(
            partial(_render, corpus, features.views, features.resolution), ids[np.sort(chosen)].tolist(),
            workers=base.workers, scheduler=base.scheduler, description="renders",
        )  # fmt: skip
        recipe = Recipe(steps=asked.steps, batch_size=asked.batch_size, lr=asked.lr, seed=base.seed)
        encoder, history = train_appearance(np.concatenate(list(rendered)), recipe, checkpoint=out / STATE)
    encoder.save_pretrained(out)
    return encoder.eval(), history


def _sample(corpus: Corpus, points: int, seed: int, shape_id: str) -> PartMasks:
    sample = sample_surface(corpus.load(shape_id).surface, points, seed_of(shape_id, seed))
    return PartMasks(sample.points, sample.instance)


def _render(corpus: Corpus, views: int, resolution: int, shape_id: str) -> np.ndarray:
    return render_views(corpus.load(shape_id).surface, views, resolution).color
