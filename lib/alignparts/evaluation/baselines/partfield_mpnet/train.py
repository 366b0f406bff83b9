"""Training of PartField+MPNet on stored features, pooled per part (section 12.1)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor
from tqdm.auto import tqdm

from alignparts.core.config.baselines import PartFieldMPNetParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import Row
from alignparts.evaluation.baselines.partfield_mpnet.model import PartFieldMPNetConfig, PartFieldMPNetModel
from alignparts.evaluation.baselines.training import Texts, Training
from alignparts.evaluation.methods import MPNET
from alignparts.model.dataset import PartDataset, epoch_order, moved
from alignparts.model.texts import STYLES
from alignparts.model.validation import channel_statistics, in_order


@dataclass(frozen=True)
class Pooled:
    """Means over the points of m parts and b shapes.

    Attributes:
        category: row of every shape's category in the table of texts.
        parts: number of parts of every shape.
        whole: geometry and appearance of every shape, means over all its points.
        row: row of every part in the table of texts.
        features: geometry and appearance of every part, means over its points, shape by shape.
    """

    category: Int64[Tensor, " b"]
    parts: Int64[Tensor, " b"]
    whole: Float[Tensor, "b d_g_and_d_a"]
    row: Int64[Tensor, " m"]
    features: Float[Tensor, "m d_g_and_d_a"]

    def __len__(self) -> int:
        return len(self.category)

    @classmethod
    def join(cls, several: "Iterable[Pooled]") -> "Pooled":
        """Return the shapes of at least one record, in their order."""
        records = list(several)
        return cls(
            **{f.name: torch.cat([getattr(record, f.name) for record in records]) for f in fields(cls)}
        )


def pooled(dataset: PartDataset, texts: Texts, draw: int = 0) -> list[Pooled]:
    """Return every shape of a data set that has a labeled point; other draws take other points of a shape."""
    records = []
    for index in range(len(dataset)):
        shape = dataset[draw, index]
        if shape.names:
            both = np.concatenate([shape.geometry, shape.appearance], axis=1)
            inside = (shape.part == np.arange(len(shape.names))[:, None]).astype(np.float32)
            record = Pooled(
                category=torch.tensor([texts.category[shape.category]]),
                parts=torch.tensor([len(shape.names)]),
                whole=torch.from_numpy(both.mean(axis=0, keepdims=True)),
                row=torch.tensor([texts.row[shape.category, name] for name in shape.names]),
                features=torch.from_numpy(inside @ both / inside.sum(axis=1, keepdims=True)),
            )
            records.append(record)
    return records


class PartFieldMPNetTraining(Training[PartFieldMPNetModel, PartFieldMPNetParams]):
    """Training on means over random subsets of a shape's points, `draws` of them, by the epochs in turn.

    All subsets are drawn before the first epoch; none reads the store again. The weights of the epoch with
    the lowest validation loss are kept, without validation those of the last.
    """

    name, warmup = MPNET, 0.0

    def build(self) -> PartFieldMPNetModel:
        """Return the network with random weights, standardized on the training shapes."""
        statistics = channel_statistics(self._dataset("train"))
        sizes = {"d_g": len(statistics["geometry"][0]), "d_a": len(statistics["appearance"][0])}
        sizes |= {"d_t": self.table.d_t, **self.params.model.model_dump()}
        model = PartFieldMPNetModel(PartFieldMPNetConfig(**sizes, dropout=self.params.dropout))
        model.standardize(*(torch.cat(both) for both in zip(*statistics.values(), strict=True)))
        return model

    def _dataset(self, split: str) -> PartDataset:
        points, seed = self.params.points, self.seed
        return PartDataset(self.store, self.split[split], self.table, points=points, k=1, seed=seed)

    @cached_property
    def draws(self) -> list[list[Pooled]]:
        """Return the training shapes, pooled over every draw of their points."""
        numbers = range(min(self.params.draws, self.params.epochs))
        dataset, bar = self._dataset("train"), tqdm(numbers, desc="pooling", unit="draw", leave=False)
        draws = [shapes for number in bar if (shapes := pooled(dataset, self.texts, number))]
        if not draws:
            raise AlignPartsError("training: no shape of the split 'train' has a labeled point")
        return draws

    @cached_property
    def validation(self) -> list[Pooled]:
        """Return the pooled validation shapes."""
        return pooled(self._dataset("validation"), self.texts)

    def shapes(self) -> int:
        """Return the number of labeled training shapes."""
        return len(self.draws[0])

    def score(self, row: Row) -> float:
        """Return the negative validation loss."""
        return -row.get("validation/total", 0.0)

    def batches(self, epoch: int) -> Iterator[tuple[Pooled, Tensor]]:
        """Draw order, prompts and dropout of an epoch: pooled shapes, and the style of the texts of each."""
        shapes = self.draws[epoch % len(self.draws)]
        rng = np.random.default_rng([self.seed, epoch, 1])
        style = rng.integers(1, STYLES, len(shapes))
        style *= rng.random(len(shapes)) < self.params.name_prompt_rate
        torch.manual_seed(int(rng.integers(2**63)))  # of dropout
        for indices in epoch_order(len(shapes), self.params.batch_size, self.seed, epoch):
            yield Pooled.join(shapes[index] for index in indices), torch.from_numpy(style[indices])

    def loss(self, drawn: tuple[Pooled, Tensor]) -> dict[str, Tensor]:
        """Return the losses of a batch."""
        batch, style = drawn
        part_style = torch.repeat_interleave(style, batch.parts)
        texts = [self.texts.parts[part_style, batch.row], self.texts.classes[style, batch.category]]
        batch = moved(batch, self.device)
        outputs = self.model(batch.features, batch.parts, batch.whole)
        projected = self.model.text(torch.cat(texts).to(self.device))
        return losses(outputs, batch, projected, self.params.tau)

    @torch.no_grad()
    def validate(self) -> Row:
        """Return the losses against descriptions."""
        self.model.eval()
        sums: Row = {}
        for indices in in_order(len(self.validation), self.params.batch_size):
            batch = Pooled.join(self.validation[index] for index in indices)
            for name, value in self.loss((batch, torch.zeros_like(batch.category))).items():
                sums[name] = sums.get(name, 0.0) + value.double().item() * len(batch) / len(self.validation)
        return sums


def losses(
    outputs: tuple[Float[Tensor, "m latent"], Float[Tensor, "b latent"], Float[Tensor, "b max_parts"]],
    batch: Pooled,
    texts: Float[Tensor, "m_and_b latent"],
    tau: float,
) -> dict[str, Float[Tensor, ""]]:
    """Return all terms by name against projected texts of parts, then categories, and their sum as "total".

    Parts weigh alike, whatever their shape. More parts than the head can predict count as its maximum.
    """
    parts, shapes, count = outputs
    terms = {
        "local": symmetric_info_nce(parts, texts[: len(parts)], batch.row, tau),
        "global": symmetric_info_nce(shapes, texts[len(parts) :], batch.category, tau),
        "count": F.cross_entropy(count, batch.parts.clamp(max=count.shape[1]) - 1),
    }
    return {**terms, "total": torch.stack(list(terms.values())).sum()}


def symmetric_info_nce(
    first: Float[Tensor, "m d"], second: Float[Tensor, "m d"], label: Int64[Tensor, " m"], tau: float
) -> Float[Tensor, ""]:
    """Return the InfoNCE loss of two lists of vectors that belong together row by row, from both sides.

    Rows of one label are positives of each other: the loss is -log of their total probability, which is
    InfoNCE as usually printed where labels differ.
    """
    scores = F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T / tau
    positive = scores.masked_fill(label.unsqueeze(0) != label.unsqueeze(1), -torch.inf)
    rows = scores.logsumexp(1) - positive.logsumexp(1)
    columns = scores.logsumexp(0) - positive.logsumexp(0)
    return (rows.mean() + columns.mean()) / 2
