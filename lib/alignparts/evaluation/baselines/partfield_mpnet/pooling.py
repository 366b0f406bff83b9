"""Features a part at a time: what PartField+MPNet is trained on (section 12.1)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from alignparts.model.dataset import PartDataset
from alignparts.model.texts import STYLES, TextTable


@dataclass(frozen=True)
class Pooled:
    """m parts of b shapes as means over points.

    Attributes:
        category: row of every shape's category in the table of texts.
        parts: number of parts of every shape.
        whole: geometry and appearance of every shape, means over all its points.
        row: of every part among the texts of all parts.
        geometry: of every part, a mean over its points; the parts of a shape follow one another.
        appearance: likewise.
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
        """The shape of every part."""
        return torch.repeat_interleave(self.parts)

    @classmethod
    def join(cls, several: "Sequence[Pooled]") -> "Pooled":
        """The shapes of all of them, in their order; of one at least."""
        return cls(**{f.name: torch.cat([getattr(one, f.name) for one in several]) for f in fields(cls)})

    def take(self, shapes: Sequence[int]) -> "Pooled":
        """Some of the shapes, in this order."""
        chosen = torch.as_tensor(shapes, dtype=torch.int64)
        length = self.parts[chosen]
        first = (self.parts.cumsum(0) - self.parts)[chosen]
        # Of every part taken: its shape's first part, and which part of the shape it is.
        within = torch.arange(int(length.sum())) - torch.repeat_interleave(length.cumsum(0) - length, length)
        part = torch.repeat_interleave(first, length) + within
        return Pooled(
            category=self.category[chosen],
            parts=length,
            whole=self.whole[chosen],
            row=self.row[part],
            geometry=self.geometry[part],
            appearance=self.appearance[part],
        )


class Texts:
    """Embeddings of all texts of a vocabulary as tensors.

    Attributes:
        parts: of every part of every category, (`STYLES`, parts, d_t).
        classes: of every category, (`STYLES`, categories, d_t).
        category: row of every category by its name.
        row: of every part by its category's name and its own.
        owner: row of every part's category.
    """

    def __init__(self, table: TextTable) -> None:
        names, styles = table.categories, range(STYLES)
        pairs = [(name, part) for name in names for part in table.names[name]]
        self.category = {name: row for row, name in enumerate(names)}
        self.row = {pair: row for row, pair in enumerate(pairs)}
        self.owner = torch.tensor([self.category[name] for name, _ in pairs])
        self.parts = torch.from_numpy(
            np.stack([np.concatenate([table.parts(name, style) for name in names]) for style in styles])
        )
        self.classes = torch.from_numpy(
            np.stack([np.stack([table.category(name, style) for name in names]) for style in styles])
        )

    def digest(self) -> str:
        """Return a hash of all embeddings."""
        return hashlib.sha256(self.parts.numpy().tobytes() + self.classes.numpy().tobytes()).hexdigest()


def pooled(dataset: PartDataset, texts: Texts, draw: int = 0) -> Pooled | None:
    """Every shape of a data set that has a labeled point; None where none has one.

    Args:
        dataset: the shapes.
        texts: where the rows of their categories and parts are looked up.
        draw: other draws take other points of a shape.
    """
    found = []
    for index in range(len(dataset)):
        shape = dataset[draw, index]
        if not shape.names:
            continue
        both = np.concatenate([shape.geometry, shape.appearance], axis=1)
        means = torch.from_numpy(part_means(both, shape.part, len(shape.names)))
        geometry, appearance = means.split([shape.geometry.shape[1], shape.appearance.shape[1]], dim=1)
        found.append(
            Pooled(
                category=torch.tensor([texts.category[shape.category]]),
                parts=torch.tensor([len(shape.names)]),
                whole=torch.from_numpy(both.mean(axis=0, keepdims=True)),
                row=torch.tensor([texts.row[shape.category, name] for name in shape.names]),
                geometry=geometry,
                appearance=appearance,
            )
        )
    return Pooled.join(found) if found else None


def part_means(
    features: Float[np.ndarray, "n d"], part: Int[np.ndarray, " n"], parts: int
) -> Float[np.ndarray, "p d"]:
    """Mean feature of every part, each of which has a point; unlabeled points (-1) do not count."""
    inside = (part == np.arange(parts)[:, None]).astype(features.dtype)
    return inside @ features / inside.sum(axis=1, keepdims=True)
