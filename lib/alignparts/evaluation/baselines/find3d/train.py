"""Training of Find3D on stored points."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from alignparts.core.atomic import write_text
from alignparts.core.checkpoint import save_model
from alignparts.core.config.baselines import Find3DParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import STATE, Row, Trained, Trainer, learning_rate, seeded
from alignparts.evaluation.baselines.find3d.data import Clouds, Points
from alignparts.evaluation.baselines.find3d.losses import part_contrast
from alignparts.evaluation.baselines.find3d.model import Find3DConfig, Find3DModel
from alignparts.evaluation.baselines.find3d.serialization import ORDERS
from alignparts.evaluation.baselines.partfield_mpnet.pooling import Texts
from alignparts.features.store import FeatureStore
from alignparts.model.dataset import epoch_order, moved, training_ids
from alignparts.model.texts import STYLES, Encode, TextTable
from alignparts.model.train import CLIP
from alignparts.model.validation import in_order
from alignparts.ontology.vocabulary import Vocabulary

MAX_SCALE = math.log(100)
"""Largest learned logarithm of the inverse temperature, as in CLIP."""
Drawn = tuple[Points, int, list[int]]
"""A batch, the style of its texts, and the curves that the blocks take."""


def train(
    store: FeatureStore,
    vocabulary: Vocabulary,
    encode: Encode,
    params: Find3DParams,
    out: Path,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    ids: Mapping[str, Sequence[str]] | None = None,
    on_epoch: Callable[[int, Row], None] | None = None,
) -> Trained[Find3DModel]:
    """Train on the split "train" of a store, watch the split "validation", and write a model folder.

    A killed run goes on and a finished one is not repeated (:class:`alignparts.core.trainer.Trainer`).

    Args:
        store: points, normals, colors, parts and splits.
        vocabulary: names and descriptions.
        encode: maps texts to embeddings of length 1.
        params: optimization and sizes.
        out: model folder: the last epoch's weights and ``history.json``.
        seed: seed of weights, order, subsets, prompts and curves.
        device: device to train on.
        ids: ids of the shapes of "train" and "validation"; those of the store's splits by default.
        on_epoch: called with the number and the row of every finished epoch, after its checkpoint.

    Raises:
        AlignPartsError: no training shapes, arrays that are missing, names that the vocabulary lacks, or a
            loss that is not finite.
    """
    split = training_ids(store, ids)
    texts = Texts(TextTable(vocabulary, encode))
    data = {
        name: Clouds(store, some, vocabulary, texts, kept=params.kept, seed=seed)
        for name, some in split.items()
    }
    if not len(data["train"]):
        raise AlignPartsError("training: no labeled shape of the split 'train' in the feature store")
    config = Find3DConfig(d_t=texts.parts.shape[-1], points=params.points, **params.model.model_dump())
    model = seeded(seed, lambda: Find3DModel(config)).to(device)
    with torch.no_grad():
        model.scale.fill_(-math.log(params.tau))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=params.lr, weight_decay=params.weight_decay, fused=True
    )
    described = [
        asdict(config), params.model_dump(mode="json"), seed, store.fingerprint, split,
        vocabulary.model_dump(), texts.digest(),
    ]  # fmt: skip
    trainer = Trainer(
        "Find3D", model, optimizer, out / STATE, epochs=params.epochs, identity=described
    )  # fmt: skip
    task = _Task(model, data["train"], data["validation"], texts, params, seed, torch.device(device))
    steps = params.epochs * math.ceil(len(data["train"]) / params.batch_size)
    trainer.fit(
        task.batches,
        task.loss,
        lambda step: learning_rate(step, steps, params.lr, params.lr_min),
        steps=steps,
        size=lambda drawn: len(drawn[0]),
        clip=CLIP,
        after_step=task.bound_scale,
        validate=task.validate,
        keep=lambda: save_model(model, out),
        on_epoch=on_epoch,
    )
    write_text(out / "history.json", json.dumps(trainer.history, indent=1) + "\n")
    best = Find3DModel.from_pretrained(out).to(device).eval()
    count = {name: len(some) for name, some in data.items()}
    return Trained(best, trainer.history, trainer.best_epoch, count)


@dataclass(frozen=True)
class _Task:
    model: Find3DModel
    training: Clouds
    validation: Clouds
    texts: Texts
    params: Find3DParams
    seed: int
    device: torch.device

    def batches(self, epoch: int) -> Iterator[Drawn]:
        """Draw the points, prompts and curves of an epoch."""
        rng = np.random.default_rng([self.seed, epoch, 1])
        for indices in epoch_order(len(self.training), self.params.batch_size, self.seed, epoch):
            style = int(rng.integers(1, STYLES)) if rng.random() < self.params.name_prompt_rate else 0
            points = self.training.batch(indices, self.params.points, rng)
            yield points, style, rng.permutation(len(ORDERS)).tolist()

    def loss(self, _: nn.Module, drawn: Drawn) -> dict[str, Tensor]:
        """Return the contrast of the parts of a batch with their texts."""
        points, style, orders = drawn
        points, texts = moved(points, self.device), self.texts.parts[style].to(self.device)
        features = self.model(*points.inputs(), orders)
        return {"total": part_contrast(features, points.row, points.shape, texts, self.model.scale.exp())}

    @torch.no_grad()
    def bound_scale(self, _: int) -> None:
        """Keep the temperature from falling too low."""
        self.model.scale.clamp_(max=MAX_SCALE)

    @torch.no_grad()
    def validate(self) -> Row:
        """Return the share of labeled points whose nearest name, among their shape's, is right."""
        if not len(self.validation):
            return {}
        self.model.eval()
        right = labeled = 0
        for indices in in_order(len(self.validation), self.params.batch_size):
            rng = np.random.default_rng([self.seed, *indices])
            points = self.validation.batch(indices, self.params.points, rng)
            features = self.model(*moved(points, self.device).inputs()).cpu()
            for number in range(len(indices)):
                inside = (points.shape == number) & (points.row >= 0)
                rows = torch.unique(points.row[inside])
                if len(rows):
                    nearest = rows[(features[inside] @ self.texts.parts[2][rows].T).argmax(1)]
                    right += int((nearest == points.row[inside]).sum())
                    labeled += int(inside.sum())
        return {"name_right": right / max(labeled, 1)}
