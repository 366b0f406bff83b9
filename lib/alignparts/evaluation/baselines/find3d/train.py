"""Training of Find3D on stored points."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from alignparts.core.atomic import write_text
from alignparts.core.checkpoint import load_state, save_model, save_state
from alignparts.core.config.baselines import Find3DParams
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.find3d.data import Clouds, Points
from alignparts.evaluation.baselines.find3d.losses import part_contrast
from alignparts.evaluation.baselines.find3d.model import Find3DConfig, Find3DModel
from alignparts.evaluation.baselines.find3d.serialization import ORDERS
from alignparts.evaluation.baselines.partfield_mpnet.pooling import Texts
from alignparts.features.store import FeatureStore
from alignparts.model.dataset import STYLES, Encode, TextTable, epoch_order, ids_of_split
from alignparts.model.optim import CLIP, learning_rate
from alignparts.model.train import STATE, Row
from alignparts.model.validation import in_order
from alignparts.ontology.vocabulary import Vocabulary

MOST_SCALE = math.log(100)
"""Of the learned inverse temperature, as in CLIP."""


@dataclass(frozen=True)
class Find3DTrained:
    """What training leaves behind.

    Attributes:
        model: the last weights, in evaluation mode.
        history: one row an epoch: ``epoch``, ``lr``, ``train/total``, ``validation/name_right``.
        shapes: of training and validation.
    """

    model: Find3DModel
    history: list[Row]
    shapes: dict[str, int]


def train(
    store: FeatureStore,
    vocabulary: Vocabulary,
    encode: Encode,
    params: Find3DParams,
    out: Path,
    *,
    seed: int = 0,
    threads: int = 1,
    device: str | torch.device = "cpu",
    ids: Mapping[str, Sequence[str]] | None = None,
    on_epoch: Callable[[int, Row], None] | None = None,
) -> Find3DTrained:
    """Train on the split "train" of a store, watch the split "validation", and write a model folder.

    Every random choice depends on the seed and the epoch alone, so that a run that was killed goes on, after
    its last finished epoch, to the very weights of one that never stopped; a finished one is not done again
    until its ``resume.safetensors`` is gone (:func:`alignparts.model.train.forget_progress`).

    Args:
        store: points, normals, colors, parts and splits.
        vocabulary: names and descriptions.
        encode: texts to embeddings of length 1.
        params: optimization and sizes.
        out: model folder: weights and ``history.json``.
        seed: of weights, order, subsets, prompts and curves.
        threads: CPU threads; part of the result's identity.
        device: where to train.
        ids: shapes of "train" and "validation"; those of the store's splits by default.
        on_epoch: called with every finished epoch and its row, after its checkpoint.

    Raises:
        AlignPartsError: no training shapes, arrays that are missing, names that the vocabulary lacks, or a
            loss that is not finite.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    shapes = ids or {name: ids_of_split(store, name) for name in ("train", "validation")}
    run = _Run(store, vocabulary, encode, params, out, seed, torch.device(device), shapes)
    run.restore()
    bar = tqdm(total=params.epochs, initial=len(run.history), desc="Find3D", unit="epoch")
    with bar:
        for epoch in range(len(run.history), params.epochs):
            row = run.epoch(epoch)
            bar.set_postfix(loss=f"{row['train/total']:.3f}")
            bar.update()
            if on_epoch is not None:
                on_epoch(epoch, row)
    return run.finish()


class _Run:
    def __init__(
        self,
        store: FeatureStore,
        vocabulary: Vocabulary,
        encode: Encode,
        params: Find3DParams,
        out: Path,
        seed: int,
        device: torch.device,
        shapes: Mapping[str, Sequence[str]],
    ) -> None:
        self.params, self.out, self.seed, self.device = params, out, seed, device
        ids = {name: list(shapes.get(name, ())) for name in ("train", "validation")}
        table = TextTable(vocabulary, encode)
        self.texts = Texts(table)
        self.data = {
            name: Clouds(store, some, vocabulary, self.texts, kept=params.kept, seed=seed)
            for name, some in ids.items()
        }
        if not len(self.data["train"]):
            raise AlignPartsError("training: no labeled shape of the split 'train' in the feature store")
        config = Find3DConfig(d_t=table.d_t, points=params.points, **params.model.model_dump())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = Find3DModel(config).to(device)
        with torch.no_grad():
            self.model.scale.fill_(-math.log(params.tau))
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=params.lr, weight_decay=params.weight_decay, fused=True
        )
        self.history: list[Row] = []
        texts = hashlib.sha256(self.texts.parts.numpy().tobytes()).hexdigest()
        described = [
            asdict(config), params.model_dump(mode="json"), seed, torch.get_num_threads(), store.fingerprint,
            ids, vocabulary.model_dump(), texts,
        ]  # fmt: skip
        self.identity = hashlib.sha256(json.dumps(described).encode()).hexdigest()

    def restore(self) -> None:
        """Take up an interrupted run, or begin."""
        self.out.mkdir(parents=True, exist_ok=True)
        found = load_state(self.out / STATE, self.identity, self.model, self.optimizer)
        if found is not None:
            self.history = found["history"]

    def epoch(self, epoch: int) -> Row:
        """Train an epoch, validate, checkpoint."""
        params, data = self.params, self.data["train"]
        order = epoch_order(len(data), params.batch_size, self.seed, epoch)
        rng = np.random.default_rng([self.seed, epoch, 1])
        total = rate = 0.0
        self.model.train()
        for step, indices in enumerate(order):
            rate = learning_rate(
                epoch * len(order) + step, params.epochs * len(order), params.lr, params.lr_min
            )
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            style = int(rng.integers(1, STYLES)) if rng.random() < params.name_prompt_rate else 0
            batch = data.batch(indices, params.points, rng)
            features = self._features(batch, rng.permutation(len(ORDERS)).tolist())
            texts = self.texts.parts[style].to(self.device)
            row, shape = batch.row.to(self.device), batch.shape.to(self.device)
            loss = part_contrast(features, row, shape, texts, self.model.scale.exp())
            if not bool(torch.isfinite(loss)):
                raise AlignPartsError(
                    f"Find3D: the loss of epoch {epoch} is not finite; try a lower lr than {params.lr}"
                )
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
            self.optimizer.step()
            with torch.no_grad():
                self.model.scale.clamp_(max=MOST_SCALE)
            total += loss.item() * len(indices) / len(data)
        row_: Row = {"epoch": epoch, "lr": rate, "train/total": total} | self._validate()
        self.history.append(row_)
        save_state(self.out / STATE, self.identity, {"history": self.history}, self.model, self.optimizer)
        return row_

    def finish(self) -> Find3DTrained:
        """The curve and the last weights."""
        write_text(self.out / "history.json", json.dumps(self.history, indent=1) + "\n")
        save_model(self.model, self.out)
        model = Find3DModel.from_pretrained(self.out).to(self.device).eval()
        return Find3DTrained(model, self.history, {name: len(one) for name, one in self.data.items()})

    def _features(self, batch: Points, orders: Sequence[int] = tuple(range(len(ORDERS)))) -> torch.Tensor:
        arrays = (batch.points, batch.normals, batch.colors, batch.shape)
        return self.model(*(one.to(self.device) for one in arrays), orders)

    @torch.no_grad()
    def _validate(self) -> Row:
        """Share of labeled points whose nearest name, among those of their shape's parts, is right."""
        data = self.data["validation"]
        if not len(data):
            return {}
        self.model.eval()
        right = labeled = 0
        for indices in in_order(len(data), self.params.batch_size):
            batch = data.batch(indices, self.params.points, np.random.default_rng([self.seed, *indices]))
            features = self._features(batch).cpu()
            for number in range(len(indices)):
                mine = (batch.shape == number) & (batch.row >= 0)
                rows = torch.unique(batch.row[mine])
                if len(rows):
                    nearest = rows[(features[mine] @ self.texts.parts[2][rows].T).argmax(1)]
                    right += int((nearest == batch.row[mine]).sum())
                    labeled += int(mine.sum())
        return {"validation/name_right": right / max(labeled, 1)}
