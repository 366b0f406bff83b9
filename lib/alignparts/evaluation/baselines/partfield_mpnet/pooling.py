"""Features pooled per part, on which PartField+MPNet is trained (section 12.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from alignparts.evaluation.baselines.training import Texts
from alignparts.model.dataset import PartDataset


@dataclass(frozen=True)
class Pooled:
    """Means over the points of m parts and b shapes.

    Attributes:
        category: row of every shape's category in the table of texts.
        parts: number of parts of every shape.
        whole: geometry and appearance of every shape, means over all its points.
        row: row of every part in the table of texts.
        geometry: geometry of every part, a mean over its points; the parts of a shape follow one another.
        appearance: appearance of every part, likewise.
    """

    category: Int64[Tensor, " b"]
    parts: Int64[Tensor, " b"]
    whole: Float[Tensor, "b d_g_and_d_a"]
    row: Int64[Tensor, " m"]
    geometry: Float[Tensor, "m d_g"]
    appearance: Float[Tensor, "m d_a"]

    def __len__(self) -> int:
        return len(self.category)

    @property
    def shape(self) -> Int64[Tensor, " m"]:
        """Return the number of every part's shape, from 0."""
        return torch.repeat_interleave(self.parts)

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
        if not shape.names:
            continue
        both = np.concatenate([shape.geometry, shape.appearance], axis=1)
        inside = (shape.part == np.arange(len(shape.names))[:, None]).astype(np.float32)
        means = torch.from_numpy(inside @ both / inside.sum(axis=1, keepdims=True))
        geometry, appearance = means.split([shape.geometry.shape[1], shape.appearance.shape[1]], dim=1)
        records.append(
            Pooled(
                category=torch.tensor([texts.category[shape.category]]),
                parts=torch.tensor([len(shape.names)]),
                whole=torch.from_numpy(both.mean(axis=0, keepdims=True)),
                row=torch.tensor([texts.row[shape.category, name] for name in shape.names]),
                geometry=geometry,
                appearance=appearance,
            )
        )
    return records
