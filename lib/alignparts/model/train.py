"""Training of ALIGN-Parts on stored features (sections 3.2, 3.4 and 9)."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from alignparts.core import paths
from alignparts.core.checkpoint import clear, load_state, save_model, save_state, weights_digest
from alignparts.core.config import TrainParams
from alignparts.core.errors import AlignPartsError
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts, AlignPartsConfig
from alignparts.model.dataset import Encode, PartDataset, TextTable, batches, epoch_order, ids_of_split
from alignparts.model.distributed import Processes
from alignparts.model.losses import alignment_losses
from alignparts.model.optim import adamw, clipped_step, learning_rate
from alignparts.model.validation import class_statistics, save_statistics, validate
from alignparts.ontology.vocabulary import Vocabulary

MEASURED = 128
"""Shapes that the features' mean and standard deviation are taken from."""

STATE = "resume.safetensors"

Row = dict[str, float | int]


@dataclass(frozen=True)
class Trained:
    """What training leaves behind.

    Attributes:
        model: the weights of the best epoch, in evaluation mode.
        history: one row an epoch: ``epoch``, ``lr``, ``train/…`` and ``validation/…``.
        best_epoch: the epoch (from 0) with the highest validation LA-mIoU; the last without validation.
        shapes: of training and validation.
    """

    model: AlignParts
    history: list[Row]
    best_epoch: int
    shapes: dict[str, int]


def loss_weights(params: TrainParams) -> dict[str, float]:
    """Lambdas of Eq. 15 by the names of :func:`alignparts.model.losses.alignment_losses`."""
    values = params.loss.model_dump(by_alias=True)
    return {name: values[name] for name in ("mask", "part", "text", "cov", "overlap", "global")}


def train(
    store: FeatureStore,
    vocabulary: Vocabulary,
    encode: Encode,
    params: TrainParams,
    out: Path,
    *,
    seed: int = 0,
    threads: int = 2,
    device: str | torch.device | None = None,
    ids: Mapping[str, Sequence[str]] | None = None,
    statistics: bool = True,
    start: AlignParts | None = None,
    on_epoch: Callable[[int, Row], None] | None = None,
) -> Trained:
    """Train on the split "train" of a store, watch the split "validation", and write a model folder.

    Every random choice depends on the seed, the epoch and the shape alone, so that a run that was killed goes
    on, after its last finished epoch, to the very weights of one that never stopped; a finished one is not
    done again until its ``resume.safetensors`` is gone. Under ``accelerate launch`` every process takes its
    share of each batch (:class:`alignparts.model.distributed.Processes`).

    Args:
        store: features, parts and splits.
        vocabulary: names and descriptions.
        encode: texts to embeddings of length 1.
        params: the block ``train`` of params.yaml.
        out: model folder: the best epoch's weights, ``last/``, ``statistics.safetensors`` and ``curves/``.
        seed: of weights, order and subsets.
        threads: CPU threads; part of the result's identity.
        device: where to train; the accelerator if there is one.
        ids: shapes of "train" and "validation"; those of the store's splits by default.
        statistics: also write what the Mahalanobis confidence needs; it takes a look at every training shape.
        start: a trained model to go on from (fine-tuning), of the same sizes; else random weights.
        on_epoch: called with every finished epoch and its row, after its checkpoint.

    Raises:
        AlignPartsError: no training shapes, unfit features, names that the vocabulary lacks, or a loss that
            is not finite.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    shapes = ids or {name: ids_of_split(store, name) for name in ("train", "validation")}
    run = _Run(store, vocabulary, encode, params, out, seed, Processes(device), shapes, start)
    run.restore()
    for epoch in range(run.finished, params.epochs):
        row = run.epoch(epoch)
        if on_epoch is not None:
            on_epoch(epoch, row)
    return run.finish(statistics)


def train_stage() -> Trained | None:
    """The stage "train" of params.yaml, for launchers; None in every process but the first."""
    from alignparts.core.config import load_params
    from alignparts.core.run import settle
    from alignparts.ontology.text import TextEncoder

    params = load_params()
    settle(params)
    trained = train(
        FeatureStore(paths.DATA / "features"),
        Vocabulary.load(paths.DATA / "ontology" / "vocabulary.json"),
        TextEncoder.from_name(params.ontology.text_encoder).encode,
        params.train,
        paths.MODELS / "alignparts",
        seed=params.base.seed,
        threads=params.base.threads,
    )
    return trained if Processes().first else None


class _Run:
    def __init__(
        self,
        store: FeatureStore,
        vocabulary: Vocabulary,
        encode: Encode,
        params: TrainParams,
        out: Path,
        seed: int,
        processes: Processes,
        shapes: Mapping[str, Sequence[str]],
        start: AlignParts | None,
    ) -> None:
        self.params, self.out, self.seed, self.processes = params, out, seed, processes
        self.started = start is not None
        self.device = processes.device
        ids = {name: list(shapes.get(name, ())) for name in ("train", "validation")}
        if not ids["train"]:
            raise AlignPartsError("training: no shape of the split 'train' in the feature store")
        table = TextTable(vocabulary, encode)
        common: dict[str, Any] = {
            "points": params.points,
            "k": params.model.k,
            "negatives": params.text_negatives,
            "classes": params.class_negatives,
            "seed": seed,
        }
        self.training = PartDataset(
            store,
            ids["train"],
            table,
            name_prompt_rate=params.name_prompt_rate,
            balance=params.point_balance,
            **common,
        )
        self.measured = PartDataset(store, ids["train"], table, **common)
        self.validation = PartDataset(store, ids["validation"], table, **common)
        first = self.training[0]
        sizes = {"d_g": first.geometry.shape[1], "d_a": first.appearance.shape[1], "d_t": table.d_t}
        config = AlignPartsConfig(**sizes, **params.model.model_dump())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = AlignParts(config)
        if start is not None:
            if start.config != config:
                raise AlignPartsError(f"fine-tuning: the model is {start.config}; expected {config}")
            self.model.load_state_dict(start.state_dict())
        self.model.to(self.device)
        self.optimizer = adamw(self.model, params)
        self.weights = loss_weights(params)
        self.history: list[Row] = []
        self.best_epoch = 0
        self.identity = hashlib.sha256(
            json.dumps(
                [
                    asdict(config),
                    params.model_dump(mode="json"),
                    seed,
                    store.fingerprint,
                    ids,
                    vocabulary.model_dump(),
                    weights_digest(start) if start is not None else "",
                ]
            ).encode()
        ).hexdigest()
        self.state = out / STATE

    @property
    def finished(self) -> int:
        """Finished epochs."""
        return len(self.history)

    def restore(self) -> None:
        """Take up an interrupted run, or begin."""
        self.out.mkdir(parents=True, exist_ok=True)
        found = load_state(self.state, self.identity, self.model, self.optimizer)
        if found is not None:
            self.history, self.best_epoch = found["history"], found["best_epoch"]
        elif not self.started:
            self.model.standardize(**_spread(self.training))
        self.processes.wait()
        self.wrapped = self.processes.wrap(self.model)
        if not self.processes.first:
            return
        from dvclive import Live

        clear(self.out / "curves")
        self.live = Live(
            str(self.out / "curves"), dvcyaml=None, save_dvc_exp=False, report=None, resume=False
        )
        for row in self.history:
            self._log(row)

    def epoch(self, epoch: int) -> Row:
        """Train an epoch, validate, checkpoint."""
        params, processes = self.params, self.processes
        order = processes.shares(epoch_order(len(self.training), params.batch_size, self.seed, epoch))
        total, done, rate = params.epochs * len(order), epoch * len(order), 0.0
        self.model.train()
        ahead = 0 if self.device.type == "cpu" else 2
        shapes = batches(self.training, order, epoch, ahead)
        sums = {"shapes": 0.0}
        quiet = None if processes.first else True
        bar = tqdm(shapes, total=len(order), desc=f"epoch {epoch}", disable=quiet)
        for step, batch in enumerate(bar):
            rate = learning_rate(done + step, total, params.lr, params.lr_min)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            losses = self._step(batch.to(self.device))
            sums["shapes"] += len(batch.shape_ids)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value * len(batch.shape_ids)
            bar.set_postfix(loss=f"{losses['total']:.3f}")
        sums = processes.total(sums)
        seen = sums.pop("shapes")
        row: Row = {"epoch": epoch, "lr": rate}
        row |= {f"train/{name}": value / seen for name, value in sums.items()}
        if processes.first:
            self._keep(row)
        else:
            self.history.append(row)
        processes.wait()
        return row

    def _keep(self, row: Row) -> None:
        """Validate, log and write what an epoch came to."""
        params = self.params
        if len(self.validation):
            found = validate(
                self.model, self.validation, params.batch_size, self.weights, params.loss.tau, self.device
            )
            row |= {f"validation/{name}": value for name, value in found.items()}
        self.history.append(row)
        best = max(self.history, key=lambda row: (row.get("validation/la_miou", 0.0), row["epoch"]))
        self.best_epoch = int(best["epoch"])
        if self.best_epoch == row["epoch"]:
            save_model(self.model, self.out)
        progress = {"history": self.history, "best_epoch": self.best_epoch}
        save_state(self.state, self.identity, progress, self.model, self.optimizer)
        self._log(row)

    def finish(self, statistics: bool) -> Trained:
        """The last weights, the curves, the best weights, and their statistics if wanted."""
        if self.processes.first:
            self.live.end()
            save_model(self.model, self.out / "last")
        self.processes.wait()
        model = AlignParts.from_pretrained(self.out).to(self.device).eval()
        if statistics and self.processes.first:
            labels, tensors = class_statistics(model, self.measured, self.params.batch_size, self.device)
            save_statistics(self.out, labels, tensors)
        self.processes.wait()
        shapes = {"train": len(self.training), "validation": len(self.validation)}
        return Trained(model, self.history, self.best_epoch, shapes)

    def _step(self, batch: Any) -> Row:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            output = self.wrapped(**batch.inputs())
        losses = alignment_losses(
            output.float(), batch.targets, self.weights, self.params.loss.tau, gather=self.processes.gather
        )
        if not bool(torch.isfinite(losses["total"])):
            raise AlignPartsError(
                f"training: the loss of {batch.shape_ids[0]} and others is not finite; "
                f"try a lower train.lr than {self.params.lr}"
            )
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        clipped_step(self.optimizer, self.model.parameters())
        return {name: value.item() for name, value in losses.items()}

    def _log(self, row: Row) -> None:
        for name, value in row.items():
            if name != "epoch":
                self.live.log_metric(name, value)
        self.live.next_step()


def forget_progress(out: Path) -> None:
    """Remove what a finished run would be recognized by; call it once the stage's last output is there."""
    (out / STATE).unlink(missing_ok=True)


def _spread(dataset: PartDataset) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Mean and standard deviation of every feature channel, over up to `MEASURED` shapes spread evenly."""
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), MEASURED)).round().astype(int))
    sums: dict[str, list[Any]] = {name: [0, 0.0, 0.0] for name in ("geometry", "appearance")}
    for index in chosen.tolist():
        arrays, _ = dataset.store.load(dataset.ids[index])
        for name, running in sums.items():
            values = arrays[name].astype(np.float64)
            running[0] += len(values)
            running[1] = running[1] + values.sum(axis=0)
            running[2] = running[2] + np.square(values).sum(axis=0)
    found = {}
    for name, (count, total, squares) in sums.items():
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - np.square(mean), 0))
        found[name] = (torch.from_numpy(mean).float(), torch.from_numpy(std).float())
    return found
