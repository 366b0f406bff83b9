"""Train ALIGN-Parts on stored features (sections 3.2, 3.4 and 9)."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from alignparts.core.checkpoint import save_model, weights_digest
from alignparts.core.config import TrainParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import STATE, Row, Trained, Trainer, adamw, learning_rate, seeded
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts, AlignPartsConfig
from alignparts.model.dataset import Batch, PartDataset, batches, epoch_order, moved, training_ids
from alignparts.model.losses import alignment_losses
from alignparts.model.texts import Encode, TextTable
from alignparts.model.validation import channel_statistics, class_statistics, save_statistics, validate
from alignparts.ontology.vocabulary import Vocabulary

if TYPE_CHECKING:
    from accelerate import Accelerator
    from dvclive import Live

CLIP = 1.0
"""Largest norm of the gradient."""


def train(
    store: FeatureStore,
    vocabulary: Vocabulary,
    encode: Encode,
    params: TrainParams,
    out: Path,
    *,
    seed: int = 0,
    device: str | torch.device | None = None,
    ids: Mapping[str, Sequence[str]] | None = None,
    statistics: bool = True,
    start: AlignParts | None = None,
    on_epoch: Callable[[int, Row], None] | None = None,
) -> Trained[AlignParts]:
    """Train on the split "train" of a store, validate on its split "validation", and write a model folder.

    A killed run is resumed and a finished one not repeated (:class:`alignparts.core.trainer.Trainer`). Under
    ``accelerate launch`` every process takes its share of each batch; only the first writes files.

    Args:
        store: features, parts and splits of the shapes.
        vocabulary: names and descriptions.
        encode: function from texts to embeddings of length 1.
        params: block ``train`` of params.yaml.
        out: model folder: weights of the epoch with the highest validation LA-mIoU (of the last without
            validation), ``last/``, ``statistics.safetensors`` and ``curves/``.
        seed: seed of the weights, the order and the subsets.
        device: device to train on; a GPU if there is one.
        ids: ids of the shapes of "train" and "validation"; those of the store's splits by default.
        statistics: also write what the Mahalanobis confidence needs, in one pass over the training shapes.
        start: trained model of the same sizes to continue from (fine-tuning); else random weights.
        on_epoch: called with the number and the row of every finished epoch, after its checkpoint.

    Raises:
        AlignPartsError: no training shapes, unfit features, names that the vocabulary lacks, or a loss that
            is not finite.
    """
    processes = accelerator(device)
    target = processes.device
    split = training_ids(store, ids)
    table = TextTable(vocabulary, encode)

    def dataset(name: str, prompts: float = 0.0, balance: float = 0.0) -> PartDataset:
        return PartDataset(
            store, split[name], table, points=params.points, k=params.model.k, seed=seed, balance=balance,
            name_prompt_rate=prompts, negatives=params.text_negatives, classes=params.class_negatives,
        )  # fmt: skip

    training = dataset("train", params.name_prompt_rate, params.point_balance)
    validation = dataset("validation")
    model = _model(training, params, seed, start).to(target)
    optimizer = adamw(model, params.lr, params.weight_decay, spared=["decoder.partlets"], fused=True)
    described = [
        asdict(model.config), params.model_dump(mode="json"), seed, store.fingerprint, split,
        vocabulary.model_dump(), "" if start is None else weights_digest(start),
    ]  # fmt: skip
    trainer = Trainer(
        "training", model, optimizer, out / STATE, epochs=params.epochs, identity=described,
        score=lambda row: row.get("validation/la_miou", 0.0), processes=processes,
    )  # fmt: skip

    def order(epoch: int) -> list[list[int]]:
        drawn = epoch_order(len(training), params.batch_size, seed, epoch)
        return shares(drawn, processes.process_index, processes.num_processes)

    def drawn(epoch: int) -> Iterator[Batch]:
        return batches(training, order(epoch), epoch, workers=0 if target.type == "cpu" else 2)

    def loss(wrapped: nn.Module, batch: Batch) -> dict[str, Tensor]:
        batch = moved(batch, target)
        with torch.autocast(target.type, torch.bfloat16, enabled=target.type == "cuda"):
            output = wrapped(**batch.inputs())
        return alignment_losses(output.float(), batch.targets, params.loss, gather=gather)

    curves = _curves(out / "curves", trainer.history) if trainer.first else None

    def log(epoch: int, row: Row) -> None:
        if curves is not None:
            _log(curves, row)
        if on_epoch is not None:
            on_epoch(epoch, row)

    steps = params.epochs * len(order(0))
    rate = partial(learning_rate, total=steps, peak=params.lr, floor=params.lr_min)
    check = partial(validate, model, validation, params.batch_size, params.loss, target)
    keep = partial(save_model, model, out)
    trainer.fit(drawn, loss, rate, steps=steps, size=len, clip=CLIP, validate=check, keep=keep, on_epoch=log)
    if curves is not None:
        curves.end()
        save_model(model, out / "last")
    trainer.wait()
    best = AlignParts.from_pretrained(out).to(target)
    if statistics and trainer.first:
        save_statistics(out, *class_statistics(best, dataset("train"), params.batch_size, target))
    trainer.wait()
    return Trained(best, trainer.history, trainer.best_epoch, {name: len(ids) for name, ids in split.items()})


def _model(training: PartDataset, params: TrainParams, seed: int, start: AlignParts | None) -> AlignParts:
    """Return the model before the first step: standardized and with random weights, or a copy of `start`."""
    first = training[0]
    sizes = {"d_g": first.geometry.shape[1], "d_a": first.appearance.shape[1], "d_t": training.table.d_t}
    config = AlignPartsConfig(**sizes, **params.model.model_dump())
    model = seeded(seed, lambda: AlignParts(config))
    if start is None:
        model.standardize(**channel_statistics(training))
    elif start.config != config:
        raise AlignPartsError(f"fine-tuning: the model is {start.config}; expected {config}")
    else:
        model.load_state_dict(start.state_dict())
    return model


def _curves(folder: Path, history: Sequence[Row]) -> "Live":
    """Return DVCLive's log with the history so far."""
    from dvclive import Live

    shutil.rmtree(folder, ignore_errors=True)
    curves = Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None, resume=False)
    _log(curves, *history)
    return curves


def _log(curves: "Live", *rows: Row) -> None:
    for row in rows:
        for name in [name for name in row if name != "epoch"]:
            curves.log_metric(name, row[name])
        curves.next_step()


def accelerator(device: str | torch.device | None = None) -> "Accelerator":
    """Return accelerate's handle on the processes that train a model together; on a GPU if there is one."""
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs

    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    # A parameter that softmax cancels (the bias of a key) never has a gradient.
    options = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(cpu=torch.device(device).type == "cpu", kwargs_handlers=[options])


def shares(order: Sequence[Sequence[int]], rank: int, count: int) -> list[list[int]]:
    """Return one process's part of every batch; up to count - 1 shapes of the last batch are skipped.

    Raises:
        AlignPartsError: a batch has fewer shapes than there are processes.
    """
    if order and max(map(len, order)) < count:
        raise AlignPartsError(f"train.batch_size: {len(order[0])} shapes are too few for {count} processes")
    shared = [batch[rank : len(batch) - len(batch) % count : count] for batch in order]
    return [list(batch) for batch in shared if batch]


def gather(tensor: Tensor) -> Tensor:
    """Return the rows of all processes, with gradients to each; a single process's tensor as it is."""
    if not torch.distributed.is_initialized() or torch.distributed.get_world_size() == 1:
        return tensor
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(tensor.contiguous()))
