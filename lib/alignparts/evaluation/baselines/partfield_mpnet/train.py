"""Training of PartField+MPNet on stored features, pooled per part (section 12.1)."""

from collections.abc import Iterator
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
from alignparts.evaluation.baselines.partfield_mpnet.pooling import Pooled, pooled
from alignparts.evaluation.baselines.training import Training
from alignparts.evaluation.methods import MPNET
from alignparts.model.dataset import PartDataset, epoch_order, moved
from alignparts.model.texts import STYLES
from alignparts.model.validation import channel_statistics, in_order

Drawn = tuple[Pooled, Int64[Tensor, " b"]]
"""Pooled shapes, and the style of the texts of each."""
Outputs = tuple[Float[Tensor, "m latent"], Float[Tensor, "b latent"], Float[Tensor, "b max_parts"]]
"""Result of a forward pass: projected parts and shapes, logits of the number of parts."""


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
        model = PartFieldMPNetModel(
            PartFieldMPNetConfig(
                **sizes, d_t=self.table.d_t, dropout=self.params.dropout, **self.params.model.model_dump()
            )
        )
        model.standardize(**statistics)
        return model

    def _dataset(self, split: str) -> PartDataset:
        return PartDataset(
            self.store, self.split[split], self.table, points=self.params.points, k=1, seed=self.seed
        )

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

    def batches(self, epoch: int) -> Iterator[Drawn]:
        """Draw order, prompts and dropout of an epoch."""
        shapes = self.draws[epoch % len(self.draws)]
        rng = np.random.default_rng([self.seed, epoch, 1])
        style = rng.integers(1, STYLES, len(shapes))
        style *= rng.random(len(shapes)) < self.params.name_prompt_rate
        torch.manual_seed(int(rng.integers(2**63)))  # of dropout
        for indices in epoch_order(len(shapes), self.params.batch_size, self.seed, epoch):
            yield Pooled.join(shapes[index] for index in indices), torch.from_numpy(style[indices])

    def loss(self, drawn: Drawn) -> dict[str, Tensor]:
        """Return the losses of a batch."""
        return self._losses(*drawn)[1]

    def _losses(self, batch: Pooled, style: Int64[Tensor, " b"]) -> tuple[Outputs, dict[str, Tensor]]:
        """Return the outputs for a batch, and the losses against texts of a style per shape."""
        texts = [self.texts.parts[style[batch.shape], batch.row], self.texts.classes[style, batch.category]]
        batch = moved(batch, self.device)
        outputs = self.model(batch.geometry, batch.appearance, batch.parts, batch.whole)
        projected = self.model.text(torch.cat(texts).to(self.device))
        text, class_text = projected.split([len(batch.row), len(batch)])
        return outputs, losses(outputs, batch, text, class_text, self.params.tau)

    @torch.no_grad()
    def validate(self) -> Row:
        """Return the losses against descriptions, and shares of right categories, counts and names."""
        if not self.validation:
            return {}
        self.model.eval()
        parts, classes = (
            F.normalize(self.model.text(texts[0].to(self.device)), dim=-1).cpu()
            for texts in (self.texts.parts, self.texts.classes)
        )
        sums: Row = {}
        for indices in in_order(len(self.validation), self.params.batch_size):
            batch = Pooled.join(self.validation[index] for index in indices)
            outputs, terms = self._losses(batch, torch.zeros(len(batch), dtype=torch.int64))
            local, shapes, count = (output.cpu() for output in outputs)
            foreign = self.texts.owner != batch.category[batch.shape].unsqueeze(1)
            right = {
                "category_right": (shapes @ classes.T).argmax(1) == batch.category,
                "count_right": count.argmax(1) + 1 == batch.parts,
                "name_right": (local @ parts.T).masked_fill(foreign, -torch.inf).argmax(1) == batch.row,
            }
            for name, value in (terms | right).items():
                share = value.double().mean().item() * len(batch) / len(self.validation)
                sums[name] = sums.get(name, 0.0) + share
        return sums


def losses(
    outputs: Outputs,
    batch: Pooled,
    text: Float[Tensor, "m latent"],
    class_text: Float[Tensor, "b latent"],
    tau: float,
) -> dict[str, Float[Tensor, ""]]:
    """Return all terms by name against projected texts of parts and categories, and their sum as "total".

    Parts weigh alike, whatever their shape. More parts than the head can predict count as its maximum.
    """
    parts, shapes, count = outputs
    terms = {
        "local": symmetric_info_nce(parts, text, batch.row, tau),
        "global": symmetric_info_nce(shapes, class_text, batch.category, tau),
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
