"""Train the release model: resumable, on as many processes as torch starts (``make release``).

``python -m alignparts.release.train`` takes its settings from profiles/release.yaml, the vocabulary of the
pipeline, the train part of the open set and the named shapes of names.csv.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from alignparts.core import paths
from alignparts.core.atomic import write_text
from alignparts.core.checkpoint import save_model
from alignparts.core.config.loading import load_block
from alignparts.core.config.release import ReleaseParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import STATE, Row, Trained, Trainer, adamw, seeded
from alignparts.corpus.readers import read
from alignparts.corpus.shape import LabeledShape
from alignparts.corpus.sources import open_splits
from alignparts.evaluation.folder import locate
from alignparts.features.partfield_train import PartFieldTraining, contrastive_loss
from alignparts.model.alignparts import AlignPartsOutput
from alignparts.model.backbone.grid import ORDERS
from alignparts.model.backbone.learned import LearnedAlignParts, LearnedConfig
from alignparts.model.dataset import moved, stacked, targets_of
from alignparts.model.losses import alignment_losses, point_loss
from alignparts.model.matching import Targets
from alignparts.model.stage import Stage
from alignparts.model.texts import TextTable
from alignparts.model.train import CLIP, accelerator, gather
from alignparts.ontology.vocabulary import CategoryEntry, PartEntry, Vocabulary, spelling
from alignparts.release.named import named_shapes
from alignparts.release.stream import Sampled, Stream
from alignparts.release.unlabeled import DRAWS, Pieces, Unlabeled, unlabeled_of

Batch = tuple[list[Sampled], list[Pieces], list[int]]
"""Labeled shapes, unlabeled ones, and the order of the backbone's curves."""

EPOCH = 250
"""Number of steps between two checkpoints."""
WARMUP = 300
"""Number of steps over which the rate rises."""
FIELD_POINTS = 256
"""Points per shape that are contrasted with each other."""
MAX_SCALE = math.log(100)
"""Largest learned logarithm of the inverse temperature, as in CLIP."""
HISTORY = "history.csv"
"""File of the losses by epoch, beside the model."""
VALIDATION = 64
"""Number of fresh shapes that every checkpoint is tried on."""


class Averaged(nn.Module):
    """A model, and the exponential moving average of its weights, which is what is kept."""

    def __init__(self, model: LearnedAlignParts, average: LearnedAlignParts) -> None:
        super().__init__()
        self.model, self.average = model, average.requires_grad_(False).eval()
        average.load_state_dict(model.state_dict())

    def forward(self, batch: dict[str, Tensor], orders: Sequence[int]) -> AlignPartsOutput:
        """Return the model's output."""
        return self.model(**batch, orders=orders)

    @torch.no_grad()
    def update(self, step: int, decay: float) -> None:
        """Take the weights after a step into the average, at the beginning with more weight."""
        self.model.scale.clamp_(max=MAX_SCALE)
        decay = min(decay, (step + 1) / (step + 20))
        for kept, weight in zip(self.average.parameters(), self.model.parameters(), strict=True):
            kept.lerp_(weight, 1 - decay)


def field_loss(fused: Float[Tensor, "b n d_f"], part: Int64[Tensor, "b n"]) -> Float[Tensor, ""]:
    """Return PartField's contrast of points of one part with those of others, at some points per shape."""
    drawn = slice(FIELD_POINTS)  # samples come in no order
    return contrastive_loss(fused[:, drawn], part[:, drawn], PartFieldTraining.temperature)


def steady_loss(
    embedding: Float[Tensor, "b d_t"], classes: Float[Tensor, "c d_t"], tau: float
) -> Float[Tensor, ""]:
    """Return the divergence (Jensen-Shannon) of the category between pairs of draws of one shape.

    Which category does not matter: the vocabulary may have none that fits.
    """
    scores = nn.functional.normalize(embedding, dim=1) @ nn.functional.normalize(classes, dim=1).T / tau
    pairs = scores.log_softmax(1).unflatten(0, (-1, 2))
    mean = (pairs.logsumexp(1, keepdim=True) - math.log(2)).expand_as(pairs)
    return nn.functional.kl_div(mean, pairs, reduction="sum", log_target=True) / len(embedding)


def rate(step: int, params: ReleaseParams) -> float:
    """Return the learning rate of a step: constant, after a rise and before a fall to 0 at the end."""
    left = (params.steps - step) / max(params.cooldown * params.steps, 1)
    return params.lr * min(1.0, (step + 1) / WARMUP, max(left, 0.0))


def train_release(
    table: TextTable,
    params: ReleaseParams,
    out: Path,
    *,
    heldout: Sequence[str],
    real: Sequence[LabeledShape] = (),
    unlabeled: Unlabeled | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
) -> Trained[LearnedAlignParts]:
    """Train on a stream of shapes and write the average of the weights; a killed run is resumed.

    More ``steps`` than a finished run had continue it. Under ``torch.distributed.run`` every process takes
    its share of each batch.

    Args:
        table: text embeddings of the vocabulary.
        params: settings of profiles/release.yaml.
        out: model folder.
        heldout: categories of the generator that are never trained on.
        real: real shapes with named parts.
        unlabeled: real shapes without names, where ``params.unlabeled`` is not 0.
        seed: seed of the weights and of the stream.
        device: device to train on; a GPU if there is one.

    Raises:
        AlignPartsError: shapes of a batch that do not divide among the processes, no unlabeled ones where
            some are asked for, or a loss that is not finite.
    """
    processes = accelerator(device)
    target, rank, count = processes.device, processes.process_index, processes.num_processes
    for name, each in (("batch_size", 1), ("unlabeled", DRAWS)):
        if (size := getattr(params, name)) % (each * count):
            raise AlignPartsError(
                f"release.{name}: {size}; expected a multiple of {each * count} for {count} processes"
            )
    if params.unlabeled and unlabeled is None:
        raise AlignPartsError("release.unlabeled: no unlabeled shapes are given; expected 0")
    config = LearnedConfig(d_t=table.d_t, **params.model.model_dump())
    model, average = (seeded(seed, lambda: LearnedAlignParts(config)) for _ in range(2))
    both = Averaged(model, average).to(target)
    stream = Stream(
        table,
        heldout,
        real,
        real_share=params.real_share,
        name_prompt_rate=params.name_prompt_rate,
        seed=seed,
    )
    settings, known = (
        params.model_dump(mode="json", exclude={"steps"}),
        table.vocabulary.model_dump(),
    )
    described = [asdict(config), settings, known, seed, list(heldout), [shape.shape_id for shape in real]]
    if unlabeled is not None:
        described.append(unlabeled.digest)
    optimizer = adamw(both.model, params.lr, params.weight_decay, spared=["decoder.partlets"], fused=True)
    trainer = Trainer(
        "release", both, optimizer, out / STATE, epochs=-(-params.steps // EPOCH), identity=described,
        processes=processes,
    )  # fmt: skip

    def batches(epoch: int) -> Iterator[Batch]:
        for step in range(epoch * EPOCH, min((epoch + 1) * EPOCH, params.steps)):
            rng = np.random.default_rng([seed, step])
            points, orders = int(rng.choice(params.points)), rng.permutation(len(ORDERS)).tolist()
            shapes, others = (
                range((step * count + rank) * size, (step * count + rank + 1) * size)
                for size in (params.batch_size // count, params.unlabeled // count)
            )
            yield (
                [stream.shape(number, points) for number in shapes],
                [unlabeled.shape(number, points) for number in others] if unlabeled else [],
                orders,
            )

    def loss(wrapped: nn.Module, batch: Batch) -> dict[str, Tensor]:
        shapes, others, orders = batch
        inputs, targets = tensors(shapes, target, others)
        with torch.autocast(target.type, torch.bfloat16, enabled=target.type == "cuda"):
            output = wrapped(inputs, orders).float()
        named = output.first(len(shapes))
        terms = alignment_losses(named, targets, params.loss, gather=gather)
        terms["points"] = point_loss(named.text, targets)
        total = terms.pop("total") + params.point_weight * terms["points"]
        if params.field_weight:
            part = stacked([*shapes, *others], "part").to(target)
            terms["field"] = field_loss(output.fused, part)
            total = total + params.field_weight * terms["field"]
        if others:
            draws = output.global_embedding[len(shapes) :]
            terms["steady"] = steady_loss(draws, targets.classes, params.loss.tau)
            total = total + params.steady_weight * terms["steady"]
        return {**terms, "total": total}

    fresh = Stream(table, heldout, seed=seed + 1, plain=True)

    @torch.no_grad()
    def validate() -> Row:
        rows, size = [], 16
        for start in range(0, VALIDATION, size):
            shapes = [fresh.shape(number, max(params.points)) for number in range(start, start + size)]
            inputs, targets = tensors(shapes, target)
            output = both.average(**inputs)
            terms = alignment_losses(output, targets, params.loss)
            near = nn.functional.normalize(output.global_embedding, dim=1) @ targets.classes.T
            right = (near.argmax(1) == targets.category).float().mean()
            rows.append({name: value.item() for name, value in {**terms, "category": right}.items()})
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def keep() -> None:
        save_model(both.average, out)
        table = pd.DataFrame(trainer.history).assign(
            step=lambda rows: ((rows.epoch + 1) * EPOCH).clip(upper=params.steps)
        )
        write_text(out / HISTORY, table.to_csv(index=False, float_format="%.5g", lineterminator="\n"))

    trainer.fit(
        batches, loss, lambda step: rate(step, params), steps=params.steps, size=lambda batch: len(batch[0]),
        clip=CLIP, after_step=lambda step: both.update(step, params.average), validate=validate, keep=keep,
    )  # fmt: skip
    trainer.wait()
    best = LearnedAlignParts.from_pretrained(out)
    return Trained(best, trainer.history, trainer.best_epoch, {"stream": params.steps * params.batch_size})


def main() -> None:
    """Train the model of profiles/release.yaml into ``models/release`` (:func:`folder_of`)."""
    params = load_block(paths.PROFILES / "release.yaml", ReleaseParams)
    stage = Stage.start()
    torch.set_num_threads(1)  # per process; with two of them faster than two threads
    located, splits = open_splits(paths.DATA / "open", stage.params.reality, stage.params.base.seed)
    real = [read(*located[shape_id]) for shape_id in splits.shape_id[splits.split == "train"]]
    real += named_shapes(paths.DATA / "open")
    if params.research is not None:
        real += [read(*at) for at in locate(paths.DATA / "raw" / params.research)]
    heldout, vocabulary = stage.params.corpus.heldout, stage.vocabulary
    real = but_heldout(real, vocabulary, heldout)
    vocabulary = extended(vocabulary, real)
    out = folder_of(stage.models, params)
    vocabulary.save(out / "vocabulary.json")
    table = TextTable(vocabulary, stage.encode)
    with accelerator().main_process_first():
        unlabeled = unlabeled_of(located, splits, stage.params.base.seed) if params.unlabeled else None
    train_release(
        table, params, out, heldout=heldout, real=real, unlabeled=unlabeled,
        seed=stage.params.base.seed,
    )  # fmt: skip


def folder_of(models: Path, params: ReleaseParams) -> Path:
    """Return the model's folder: one of its own where research-only shapes are in the training."""
    return models / ("release" if params.research is None else "research")


def but_heldout(
    shapes: Sequence[LabeledShape], vocabulary: Vocabulary, heldout: Sequence[str]
) -> list[LabeledShape]:
    """Return the shapes but those of held-out categories, whatever name of it they bear."""
    return [
        shape for shape in shapes
        if not vocabulary.has(shape.category) or vocabulary.resolve_category(shape.category) not in heldout
    ]  # fmt: skip


def extended(vocabulary: Vocabulary, shapes: Sequence[LabeledShape]) -> Vocabulary:
    """Return a vocabulary with the categories and part names of further shapes, which it may have already."""
    entries = dict(vocabulary.entries)
    for shape in shapes:
        known = Vocabulary(entries=entries)
        category = known.resolve_category(shape.category) if known.has(shape.category) else shape.category
        entry = entries.get(category, CategoryEntry(description="", count=0, aliases=(), parts={}))
        new = [name for name in shape.part_names if not known.has(category, name)]
        parts = {spelling(name): PartEntry(description="", count=0, aliases=()) for name in new}
        entries[spelling(category)] = entry.model_copy(update={"parts": entry.parts | parts})
    return Vocabulary(entries=entries)


def tensors(
    shapes: Sequence[Sampled], device: torch.device, others: Sequence[Pieces] = ()
) -> tuple[dict[str, Tensor], Targets]:
    """Return the inputs of the model and the targets of a batch of shapes, with equal numbers of points.

    ``others`` are further shapes, without targets.
    """
    inputs = {name: stacked([*shapes, *others], name).to(device) for name in LearnedAlignParts.inputs}
    return inputs, moved(targets_of(shapes), device)


if __name__ == "__main__":
    main()
