"""Training that the baselines share: their splits, texts, optimizer and model folders."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from alignparts.core.atomic import write_text
from alignparts.core.checkpoint import PretrainedModel, save_model
from alignparts.core.config.baselines import OptimizationParams
from alignparts.core.trainer import STATE, Row, Trained, Trainer, learning_rate, seeded
from alignparts.features.store import FeatureStore
from alignparts.model.dataset import training_ids
from alignparts.model.texts import STYLES, Encode, TextTable
from alignparts.ontology.vocabulary import Vocabulary

M = TypeVar("M", bound=PretrainedModel)
P = TypeVar("P", bound=OptimizationParams)


class Texts:
    """Embeddings of all texts of a vocabulary as tensors.

    Attributes:
        parts: embeddings of every part of every category, (`STYLES`, parts, d_t).
        classes: embeddings of every category, (`STYLES`, categories, d_t).
        category: row of every category by its name.
        row: row of every part by the names of its category and itself.
    """

    def __init__(self, table: TextTable) -> None:
        names, styles = table.categories, range(STYLES)
        pairs = [(name, part) for name in names for part in table.names[name]]
        self.category = {name: row for row, name in enumerate(names)}
        self.row = {pair: row for row, pair in enumerate(pairs)}
        parts = [np.concatenate([table.parts(name, style) for name in names]) for style in styles]
        classes = [np.stack([table.category(name, style) for name in names]) for style in styles]
        self.parts, self.classes = torch.from_numpy(np.stack(parts)), torch.from_numpy(np.stack(classes))

    def digest(self) -> str:
        """Return a hash of all embeddings."""
        return hashlib.sha256(self.parts.numpy().tobytes() + self.classes.numpy().tobytes()).hexdigest()


class Training(ABC, Generic[M, P]):
    """Training of a baseline on the split "train" of a store, watched on the split "validation".

    Args:
        store: features, parts and splits.
        vocabulary: names and descriptions.
        encode: maps texts to embeddings of length 1.
        params: optimization and sizes.
        seed: seed of weights, order, subsets and prompts.
        device: device to train on.
        ids: ids of the shapes of "train" and "validation"; those of the store's splits by default.

    Raises:
        AlignPartsError: no training shapes, unfit arrays, or names that the vocabulary lacks.
    """

    name: ClassVar[str]
    warmup: ClassVar[float] = 0.03
    clip: ClassVar[float | None] = None

    def __init__(
        self,
        store: FeatureStore,
        vocabulary: Vocabulary,
        encode: Encode,
        params: P,
        *,
        seed: int = 0,
        device: str | torch.device = "cpu",
        ids: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.store, self.params, self.seed, self.device = store, params, seed, torch.device(device)
        self.split = training_ids(store, ids)
        self.table = TextTable(vocabulary, encode)
        self.texts = Texts(self.table)
        self.model = seeded(seed, self.build).to(device)

    @abstractmethod
    def build(self) -> M:
        """Return the network before the first step."""

    @abstractmethod
    def shapes(self) -> int:
        """Return the number of training shapes that an epoch sees."""

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[Any]:
        """Draw the batches of an epoch, tuples that begin with the shapes."""

    @abstractmethod
    def loss(self, drawn: Any) -> dict[str, Tensor]:
        """Return the terms of the loss of a batch by name, "total" among them."""

    @abstractmethod
    def validate(self) -> Row:
        """Return metrics on the validation shapes by name; none where there are no shapes."""

    def score(self, row: Row) -> float:
        """Return the value of an epoch, the larger the better; of equal epochs the last is kept."""
        return 0.0

    def after_step(self, step: int) -> None:
        """Constrain the weights after a step."""

    def fit(self, out: Path, on_epoch: Callable[[int, Row], None] | None = None) -> Trained[M]:
        """Write a model folder: the weights of the best epoch and ``history.json``.

        A killed run goes on, and a finished one is not repeated. `on_epoch` is called with the number and the
        row of every finished epoch, after its checkpoint.

        Raises:
            AlignPartsError: no labeled training shape, or a loss that is not finite.
        """
        p, model = self.params, self.model
        optimizer = torch.optim.AdamW(model.parameters(), lr=p.lr, weight_decay=p.weight_decay, fused=True)
        identity = [
            asdict(model.config), p.model_dump(mode="json"), self.seed, self.store.fingerprint, self.split,
            self.table.vocabulary.model_dump(), self.texts.digest(),
        ]  # fmt: skip
        trainer = Trainer(
            self.name, model, optimizer, out / STATE, epochs=p.epochs, identity=identity, score=self.score
        )
        if not trainer.finished:
            steps = p.epochs * math.ceil(self.shapes() / p.batch_size)
            trainer.fit(
                self.batches,
                lambda _, drawn: self.loss(drawn),
                lambda step: learning_rate(step, steps, p.lr, p.lr_min, self.warmup),
                steps=steps,
                size=lambda drawn: len(drawn[0]),
                clip=self.clip,
                after_step=self.after_step,
                validate=self.validate,
                keep=lambda: save_model(model, out),
                on_epoch=on_epoch,
            )
        write_text(out / "history.json", json.dumps(trainer.history, indent=1) + "\n")
        best = type(model).from_pretrained(out).to(self.device).eval()
        shapes = {name: len(ids) for name, ids in self.split.items()}
        return Trained(best, trainer.history, trainer.best_epoch, shapes)
