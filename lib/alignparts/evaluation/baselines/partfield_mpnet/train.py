"""Training of PartField+MPNet on stored features, pooled per part (section 12.1)."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from alignparts.core.atomic import write_text
from alignparts.core.checkpoint import save_model
from alignparts.core.config.baselines import PartFieldMPNetParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import STATE, Row, Trained, Trainer, learning_rate, seeded
from alignparts.evaluation.baselines.partfield_mpnet.losses import PartTargets, part_losses
from alignparts.evaluation.baselines.partfield_mpnet.model import (
    PartFieldMPNetConfig,
    PartFieldMPNetModel,
    PartFieldMPNetOutput,
)
from alignparts.evaluation.baselines.partfield_mpnet.pooling import Pooled, Texts, pooled
from alignparts.features.store import FeatureStore
from alignparts.model.dataset import PartDataset, epoch_order, moved, training_ids
from alignparts.model.texts import STYLES, Encode, TextTable
from alignparts.model.validation import channel_statistics, in_order
from alignparts.ontology.vocabulary import Vocabulary

Drawn = tuple[Pooled, Tensor]
"""Pooled shapes, and the style of the texts of each."""


def train(
    store: FeatureStore,
    vocabulary: Vocabulary,
    encode: Encode,
    params: PartFieldMPNetParams,
    out: Path,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    ids: Mapping[str, Sequence[str]] | None = None,
    on_epoch: Callable[[int, Row], None] | None = None,
) -> Trained[PartFieldMPNetModel]:
    """Train on the split "train" of a store, watch the split "validation", and write a model folder.

    Parts are means over random subsets of a shape's points, `draws` of them, which the epochs take in turn.
    All are drawn before the first epoch; none reads the store again. A killed run goes on and a finished one
    is not repeated (:class:`alignparts.core.trainer.Trainer`).

    Args:
        store: features, parts and splits.
        vocabulary: names and descriptions.
        encode: maps texts to embeddings of length 1.
        params: optimization and sizes.
        out: model folder: the weights of the epoch with the lowest validation loss (of the last without
            validation) and ``history.json``.
        seed: seed of weights, order, subsets, prompts and dropout.
        device: device to train on.
        ids: ids of the shapes of "train" and "validation"; those of the store's splits by default.
        on_epoch: called with the number and the row of every finished epoch, after its checkpoint.

    Raises:
        AlignPartsError: no training shapes, unfit features, names that the vocabulary lacks, or a loss that
            is not finite.
    """
    split = training_ids(store, ids)
    table = TextTable(vocabulary, encode)
    texts = Texts(table)
    data = {
        name: PartDataset(store, some, table, points=params.points, k=1, seed=seed)
        for name, some in split.items()
    }
    statistics = channel_statistics(data["train"])
    config = PartFieldMPNetConfig(
        d_g=len(statistics["geometry"][0]), d_a=len(statistics["appearance"][0]), d_t=table.d_t,
        dropout=params.dropout, **params.model.model_dump(),
    )  # fmt: skip
    model = seeded(seed, lambda: PartFieldMPNetModel(config))
    model.standardize(**statistics)
    model.to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=params.lr, weight_decay=params.weight_decay, fused=True
    )
    described = [
        asdict(config), params.model_dump(mode="json"), seed, store.fingerprint, split,
        vocabulary.model_dump(), texts.digest(),
    ]  # fmt: skip
    trainer = Trainer(
        "PartField+MPNet", model, optimizer, out / STATE, epochs=params.epochs, identity=described,
        score=lambda row: -row.get("validation/total", 0.0),
    )  # fmt: skip
    if not trainer.finished:
        task = _Task(model, data["train"], data["validation"], texts, params, seed, torch.device(device))
        steps = params.epochs * math.ceil(len(task.draws[0]) / params.batch_size)
        trainer.fit(
            task.batches,
            task.loss,
            lambda step: learning_rate(step, steps, params.lr, params.lr_min, warmup=0.0),
            steps=steps,
            size=lambda drawn: len(drawn[0]),
            validate=task.validate,
            keep=lambda: save_model(model, out),
            on_epoch=on_epoch,
        )
    write_text(out / "history.json", json.dumps(trainer.history, indent=1) + "\n")
    best = PartFieldMPNetModel.from_pretrained(out).to(device).eval()
    count = {name: len(some) for name, some in split.items()}
    return Trained(best, trainer.history, trainer.best_epoch, count)


@dataclass(frozen=True)
class _Task:
    model: PartFieldMPNetModel
    training: PartDataset
    validation: PartDataset
    texts: Texts
    params: PartFieldMPNetParams
    seed: int
    device: torch.device

    @cached_property
    def draws(self) -> list[Pooled]:
        """Return the training shapes, pooled over every draw of their points."""
        numbers = range(min(self.params.draws, self.params.epochs))
        bar = tqdm(numbers, desc="pooling", unit="draw", leave=False)
        draws = [draw for number in bar if (draw := pooled(self.training, self.texts, number)) is not None]
        if not draws:
            raise AlignPartsError("training: no shape of the split 'train' has a labeled point")
        return draws

    @cached_property
    def validated(self) -> Pooled | None:
        """Return the pooled validation shapes."""
        return pooled(self.validation, self.texts)

    def batches(self, epoch: int) -> Iterator[Drawn]:
        """Draw order, prompts and dropout of an epoch."""
        shapes = self.draws[epoch % len(self.draws)]
        rng = np.random.default_rng([self.seed, epoch, 1])
        style = rng.integers(1, STYLES, len(shapes))
        style *= rng.random(len(shapes)) < self.params.name_prompt_rate
        torch.manual_seed(int(rng.integers(2**63)))  # of dropout
        for indices in epoch_order(len(shapes), self.params.batch_size, self.seed, epoch):
            yield shapes.take(indices), torch.from_numpy(style[indices])

    def loss(self, _: nn.Module, drawn: Drawn) -> dict[str, Tensor]:
        """Return the losses of a batch."""
        return self._look(*drawn)[1]

    def _look(self, batch: Pooled, style: Tensor) -> tuple[PartFieldMPNetOutput, dict[str, Tensor]]:
        """Return the output for some shapes, and the losses against texts of a style per shape."""
        part_text = self.texts.parts[style[batch.shape], batch.row]
        class_text = self.texts.classes[style, batch.category]
        batch = moved(batch, self.device)
        output = self.model(batch.geometry, batch.appearance, batch.shape, batch.whole)
        text = self.model.text(torch.cat([part_text, class_text]).to(self.device))
        targets = PartTargets(
            label=batch.row,
            text=text[: len(part_text)],
            category=batch.category,
            class_text=text[len(part_text) :],
            parts=batch.parts,
        )
        return output, part_losses(output, targets, self.params.tau)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the losses against descriptions, and shares of right categories, counts and names."""
        if self.validated is None:
            return {}
        self.model.eval()
        texts, sums = self.texts, dict[str, float]()
        parts = F.normalize(self.model.text(texts.parts[0].to(self.device)), dim=-1).cpu()
        classes = F.normalize(self.model.text(texts.classes[0].to(self.device)), dim=-1).cpu()
        for indices in in_order(len(self.validated), self.params.batch_size):
            batch = self.validated.take(indices)
            output, losses = self._look(batch, torch.zeros(len(batch), dtype=torch.int64))
            foreign = texts.owner != batch.category[batch.shape].unsqueeze(1)
            right = {
                "category_right": (output.shapes.cpu() @ classes.T).argmax(1) == batch.category,
                "count_right": output.count.cpu().argmax(1) + 1 == batch.parts,
                "name_right": (output.parts.cpu() @ parts.T).masked_fill(foreign, -torch.inf).argmax(1)
                == batch.row,
            }
            for name, value in (losses | right).items():
                share = value.double().mean().item() * len(batch) / len(self.validated)
                sums[name] = sums.get(name, 0.0) + share
        return sums
