"""The two encoders that params.yaml asks for: a checkpoint by name, or a small one trained on the corpus.

``python -m alignparts.features.pretrain geometry|appearance`` is an item of the pipeline's matrix.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from alignparts.core import ledger, paths
from alignparts.core.atomic import write_text
from alignparts.core.checkpoint import save_model
from alignparts.core.config import load_params
from alignparts.core.config.params import Params
from alignparts.core.parallel import map_shapes
from alignparts.core.run import settle
from alignparts.core.trainer import STATE, Row, forget_progress
from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh.render import render_views
from alignparts.corpus.mesh.sampling import sample_surface, seed_of
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.appearance_losses import Recipe
from alignparts.features.appearance_train import train_appearance
from alignparts.features.partfield import PartField, PartFieldConfig
from alignparts.features.partfield_train import PartFieldTraining, PartMasks, train_partfield

HISTORY = "history.csv"
"""File beside an encoder's weights: a row of losses per step, none for a checkpoint."""


def train_encoder(name: str, corpus: Corpus, params: Params, models: Path) -> None:
    """Write the encoder ``name`` and :data:`HISTORY` to its folder in ``models``; a killed run goes on."""
    out = models / name
    train = _geometry if name == "geometry" else _appearance
    encoder, history = train(corpus, params, out / STATE)
    if isinstance(encoder, AppearanceEncoder):
        encoder.save_pretrained(out)
    else:
        save_model(encoder, out)
    write_text(out / HISTORY, pd.DataFrame(history).to_csv(index=False, lineterminator="\n"))
    forget_progress(out)


def histories(corpus: Corpus, params: Params, models: Path) -> dict[str, pd.DataFrame]:
    """Return the losses by step of both encoders, which are trained first where they are missing."""
    tables = {}
    for name in ("geometry", "appearance"):
        if not (models / name / HISTORY).is_file():
            train_encoder(name, corpus, params, models)
        rows = (models / name / HISTORY).read_text().strip()
        tables[name] = pd.read_csv(models / name / HISTORY) if rows else pd.DataFrame()
    return tables


def _geometry(corpus: Corpus, params: Params, checkpoint: Path) -> tuple[PartField, list[Row]]:
    """Return the checkpoint of ``features.geometry``, or a small PartField trained on the training shapes.

    Shapes with fewer than two labeled part instances are left out.
    """
    asked, base = params.features.geometry, params.base
    history: list[Row] = []
    if asked.checkpoint is not None:
        encoder = PartField.from_pretrained(asked.checkpoint)
    else:
        sampled = map_shapes(
            partial(_sample, corpus, params.corpus.points, base.seed), corpus.ids(split="train"),
            workers=_workers(params), scheduler=base.scheduler, description="part masks",
        )  # fmt: skip
        masks = [masks for masks in sampled if len(np.unique(masks.instance[masks.instance >= 0])) > 1]
        training = PartFieldTraining(epochs=asked.epochs, batch_size=asked.batch_size, lr=asked.lr)
        encoder, history = train_partfield(
            masks, PartFieldConfig.small(), training, base.seed, checkpoint=checkpoint
        )
    return encoder.eval(), history


def _appearance(corpus: Corpus, params: Params, checkpoint: Path) -> tuple[AppearanceEncoder, list[Row]]:
    """Return the checkpoint of ``features.appearance``, or a small DINOv2 trained on renders."""
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
            workers=_workers(params), scheduler=base.scheduler, description="renders",
        )  # fmt: skip
        recipe = Recipe(steps=asked.steps, batch_size=asked.batch_size, lr=asked.lr, seed=base.seed)
        encoder, history = train_appearance(np.concatenate(list(rendered)), recipe, checkpoint=checkpoint)
    return encoder.eval(), history


def _sample(corpus: Corpus, points: int, seed: int, shape_id: str) -> PartMasks:
    sample = sample_surface(corpus.load(shape_id).surface, points, seed_of(shape_id, seed))
    return PartMasks(sample.points, sample.instance)


def _render(corpus: Corpus, views: int, resolution: int, shape_id: str) -> np.ndarray:
    return render_views(corpus.load(shape_id).surface, views, resolution).color


def _workers(params: Params) -> int:
    """Return the processes of one encoder: the other is trained beside it."""
    return max(params.base.workers // 2, 1)


def main() -> None:
    """Train one item of the matrix."""
    params, name = load_params(), sys.argv[1]
    settle(params)
    with ledger.record("encoders", name):
        train_encoder(name, Corpus(paths.DATA / "corpus"), params, paths.MODELS)


if __name__ == "__main__":
    main()
