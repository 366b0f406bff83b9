"""Training of PartField+MPNet on stored features, pooled a part at a time (section 12.1)."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from alignparts.core.atomic import write_text
from alignparts.core.checkpoint import load_state, save_model, save_state
from alignparts.core.config.baselines import PartFieldMPNetParams
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.partfield_mpnet.losses import PartTargets, part_losses
from alignparts.evaluation.baselines.partfield_mpnet.model import (
    PartFieldMPNetConfig,
    PartFieldMPNetModel,
    PartFieldMPNetOutput,
)
from alignparts.evaluation.baselines.partfield_mpnet.pooling import Pooled, Texts, pooled
from alignparts.features.store import FeatureStore
from alignparts.model.dataset import STYLES, Encode, PartDataset, TextTable, epoch_order, ids_of_split
from alignparts.model.optim import learning_rate
from alignparts.model.train import MEASURED, STATE, Row
from alignparts.model.validation import in_order
from alignparts.ontology.vocabulary import Vocabulary


@dataclass(frozen=True)
class PartFieldMPNetTrained:
    """What training leaves behind.

    Attributes:
        model: the weights of the best epoch, in evaluation mode.
        history: one row an epoch: ``epoch``, ``lr``, ``train/…`` and ``validation/…``.
        best_epoch: the epoch (from 0) with the lowest validation loss; the last without validation.
        shapes: of training and validation.
    """

    model: PartFieldMPNetModel
    history: list[Row]
    best_epoch: int
    shapes: dict[str, int]


def train(
    store: FeatureStore,
    vocabulary: Vocabulary,
    encode: Encode,
    params: PartFieldMPNetParams,
    out: Path,
    *,
    seed: int = 0,
    threads: int = 1,
    device: str | torch.device = "cpu",
    ids: Mapping[str, Sequence[str]] | None = None,
    on_epoch: Callable[[int, Row], None] | None = None,
) -> PartFieldMPNetTrained:
    """Train on the split "train" of a store, watch the split "validation", and write a model folder.

    Parts are means over random subsets of a shape's points, `draws` of them, which the epochs take in turn.
    All are drawn before the first epoch; none reads the store again. Every random choice depends on the seed
    and the epoch alone, so that a run that was killed goes on, after its last finished epoch, to the very
    weights of one that never stopped; a finished one is not done again until its ``resume.safetensors`` is
    gone (:func:`alignparts.model.train.forget_progress`).

    Args:
        store: features, parts and splits.
        vocabulary: names and descriptions.
        encode: texts to embeddings of length 1.
        params: optimization and sizes.
        out: model folder: the best epoch's weights and ``history.json``.
        seed: of weights, order, subsets, prompts and dropout.
        threads: CPU threads; part of the result's identity.
        device: where to train.
        ids: shapes of "train" and "validation"; those of the store's splits by default.
        on_epoch: called with every finished epoch and its row, after its checkpoint.

    Raises:
        AlignPartsError: no training shapes, unfit features, names that the vocabulary lacks, or a loss that
            is not finite.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    shapes = ids or {name: ids_of_split(store, name) for name in ("train", "validation")}
    run = _Run(store, vocabulary, encode, params, out, seed, torch.device(device), shapes)
    run.restore()
    bar = tqdm(total=params.epochs, initial=len(run.history), desc="PartField+MPNet", unit="epoch")
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
        params: PartFieldMPNetParams,
        out: Path,
        seed: int,
        device: torch.device,
        shapes: Mapping[str, Sequence[str]],
    ) -> None:
        self.params, self.out, self.seed, self.device = params, out, seed, device
        ids = {name: list(shapes.get(name, ())) for name in ("train", "validation")}
        if not ids["train"]:
            raise AlignPartsError("training: no shape of the split 'train' in the feature store")
        table = TextTable(vocabulary, encode)
        self.texts = Texts(table)
        self.data = {
            name: PartDataset(store, some, table, points=params.points, k=1, seed=seed)
            for name, some in ids.items()
        }
        self.shapes = {name: len(some) for name, some in ids.items()}
        first = self.data["train"][0]
        config = PartFieldMPNetConfig(
            d_g=first.geometry.shape[1],
            d_a=first.appearance.shape[1],
            d_t=table.d_t,
            dropout=params.dropout,
            **params.model.model_dump(),
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = PartFieldMPNetModel(config).to(device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=params.lr, weight_decay=params.weight_decay, fused=True
        )
        self.history: list[Row] = []
        texts = [self.texts.parts.numpy().tobytes(), self.texts.classes.numpy().tobytes()]
        self.identity = hashlib.sha256(
            json.dumps(
                [
                    asdict(config),
                    params.model_dump(mode="json"),
                    seed,
                    torch.get_num_threads(),
                    store.fingerprint,
                    ids,
                    vocabulary.model_dump(),
                    [hashlib.sha256(content).hexdigest() for content in texts],
                ]
            ).encode()
        ).hexdigest()

    def restore(self) -> None:
        """Take up an interrupted run, or begin."""
        self.out.mkdir(parents=True, exist_ok=True)
        found = load_state(self.out / STATE, self.identity, self.model, self.optimizer)
        if found is None:
            self.model.standardize(*spread(self.data["train"]))
        else:
            self.history = found["history"]
        self.draws: list[Pooled] = []
        self.validation: Pooled | None = None
        if len(self.history) < self.params.epochs:
            draws = range(min(self.params.draws, self.params.epochs))
            bar = tqdm(draws, desc="pooling", unit="draw", leave=False)
            drawn = [pooled(self.data["train"], self.texts, draw) for draw in bar]
            self.draws = [draw for draw in drawn if draw is not None]
            self.validation = pooled(self.data["validation"], self.texts)
            if not self.draws:
                raise AlignPartsError("training: no shape of the split 'train' has a labeled point")

    def epoch(self, epoch: int) -> Row:
        """Train an epoch, validate, checkpoint."""
        params, shapes = self.params, self.draws[epoch % len(self.draws)]
        order = epoch_order(len(shapes), params.batch_size, self.seed, epoch)
        rng = np.random.default_rng([self.seed, epoch, 1])
        style = rng.integers(1, STYLES, len(shapes)) * (rng.random(len(shapes)) < params.name_prompt_rate)
        sums: Row = {}
        rate = params.lr
        self.model.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**63)))  # of dropout
            for step, indices in enumerate(order):
                done, total = epoch * len(order) + step, params.epochs * len(order)
                rate = learning_rate(done, total, params.lr, params.lr_min, warmup=0.0)
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
                _, losses = self._look(shapes.take(indices), torch.from_numpy(style[indices]))
                if not bool(torch.isfinite(losses["total"])):
                    raise AlignPartsError(
                        f"PartField+MPNet: the loss of epoch {epoch} is not finite; "
                        f"try a lower lr than {params.lr}"
                    )
                self.optimizer.zero_grad(set_to_none=True)
                losses["total"].backward()
                self.optimizer.step()
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0.0) + value.item() * len(indices) / len(shapes)
        row: Row = {"epoch": epoch, "lr": rate}
        row |= {f"train/{name}": value for name, value in sums.items()}
        row |= {f"validation/{name}": value for name, value in self._validate().items()}
        self.history.append(row)
        if self._best() == epoch:
            save_model(self.model, self.out)
        save_state(self.out / STATE, self.identity, {"history": self.history}, self.model, self.optimizer)
        return row

    def finish(self) -> PartFieldMPNetTrained:
        """The curves and the best weights."""
        write_text(self.out / "history.json", json.dumps(self.history, indent=1) + "\n")
        model = PartFieldMPNetModel.from_pretrained(self.out).to(self.device).eval()
        return PartFieldMPNetTrained(model, self.history, self._best(), self.shapes)

    def _best(self) -> int:
        """The epoch of the lowest validation loss; of equal ones the last."""
        best = min(self.history, key=lambda row: (row.get("validation/total", 0.0), -row["epoch"]))
        return int(best["epoch"])

    def _look(self, batch: Pooled, style: Tensor) -> tuple[PartFieldMPNetOutput, dict[str, Tensor]]:
        """What the model says about some shapes, and its losses beside texts of a style for every shape."""
        part_text = self.texts.parts[style[batch.shape], batch.row]
        class_text = self.texts.classes[style, batch.category]
        moved = batch.to(self.device)
        output = self.model(moved.geometry, moved.appearance, moved.shape, moved.whole)
        text = self.model.text(torch.cat([part_text, class_text]).to(self.device))
        targets = PartTargets(
            label=moved.row,
            text=text[: len(part_text)],
            category=moved.category,
            class_text=text[len(part_text) :],
            parts=moved.parts,
        )
        return output, part_losses(output, targets, tau=self.params.tau)

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """Losses beside descriptions, and shares of right categories, counts and (category given) names."""
        if self.validation is None:
            return {}
        self.model.eval()
        texts, sums = self.texts, dict[str, float]()
        parts = F.normalize(self.model.text(texts.parts[0].to(self.device)), dim=-1).cpu()
        classes = F.normalize(self.model.text(texts.classes[0].to(self.device)), dim=-1).cpu()
        for indices in in_order(len(self.validation), self.params.batch_size):
            batch = self.validation.take(indices)
            output, losses = self._look(batch, torch.zeros(len(batch), dtype=torch.int64))
            foreign = texts.owner != batch.category[batch.shape].unsqueeze(1)
            named = (output.parts.cpu() @ parts.T).masked_fill(foreign, -torch.inf).argmax(1)
            scores = {name: value.item() for name, value in losses.items()}
            scores["category_right"] = _share((output.shapes.cpu() @ classes.T).argmax(1) == batch.category)
            scores["count_right"] = _share(output.count.cpu().argmax(1) + 1 == batch.parts)
            scores["name_right"] = _share(named == batch.row)
            for name, value in scores.items():
                sums[name] = sums.get(name, 0.0) + value * len(batch) / len(self.validation)
        return sums


def _share(right: Tensor) -> float:
    return float(right.double().mean())


def spread(dataset: PartDataset) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of both features' channels, over up to `MEASURED` shapes spread evenly."""
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), MEASURED)).round().astype(int))
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for index in chosen.tolist():
        arrays, _ = dataset.store.load(dataset.ids[index], ("geometry", "appearance"))
        values = np.concatenate([arrays["geometry"], arrays["appearance"]], axis=1).astype(np.float64)
        count += len(values)
        total = total + values.sum(axis=0)
        squares = squares + np.square(values).sum(axis=0)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - np.square(mean), 0))
    return torch.from_numpy(mean).float(), torch.from_numpy(std).float()
