"""The encoders that the pipeline trains: each alone, once, with its losses, and the same ones again."""

import pandas as pd
import smoke
import torch

from alignparts.core.trainer import STATE, Trainer
from alignparts.corpus.index import Corpus
from alignparts.corpus.sources import build_corpus
from alignparts.features.extract import Encoders
from alignparts.features.pretrain import HISTORY, histories, train_encoder


def test_encoders_are_trained_where_they_are_missing_and_the_same_again(tmp_path, monkeypatch):
    corpus = {"embedded": {"shapes_per_category": 1, "heldout_shapes": 1}, "test_per_category": 1}
    params = smoke.params(corpus=corpus)
    build_corpus(params.corpus, params.base, tmp_path)
    shapes = Corpus(tmp_path / "corpus")
    losses = histories(shapes, params, tmp_path / "first")
    assert len(losses["appearance"]) == params.features.appearance.steps
    assert len(losses["geometry"]) % params.features.geometry.epochs == 0
    assert not list(tmp_path.rglob(STATE))

    train_encoder("appearance", shapes, params, tmp_path / "second")
    monkeypatch.setattr(
        Trainer, "fit", lambda *_, **__: (_ for _ in ()).throw(AssertionError("trained again"))
    )
    again = histories(shapes, params, tmp_path / "first")
    assert all(pd.DataFrame.equals(again[name], losses[name]) for name in losses)
    first = (tmp_path / "first" / "appearance" / "model.safetensors").read_bytes()
    assert (tmp_path / "second" / "appearance" / "model.safetensors").read_bytes() == first
    read = Encoders.from_params(params.features, tmp_path / "first")
    assert not read.geometry.training and all(torch.isfinite(p).all() for p in read.appearance.parameters())

    (tmp_path / "first" / "geometry" / HISTORY).write_text("\n")  # of a checkpoint
    assert histories(shapes, params, tmp_path / "first")["geometry"].empty
