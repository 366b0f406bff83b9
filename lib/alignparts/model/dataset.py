"""Training shapes: a seeded subset of the stored points, their parts and the texts that name them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Int64
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from alignparts.core.errors import AlignPartsError
from alignparts.features.store import FeatureStore
from alignparts.model.graph import nearest
from alignparts.model.losses import Targets
from alignparts.model.texts import STYLES, TextTable

R = TypeVar("R", bound=Any)
ARRAYS = ("points", "geometry", "appearance", "part")
"""Names of the arrays of a stored shape that training reads."""


def ids_of_split(store: FeatureStore, split: str) -> list[str]:
    """Return the ids of the shapes of a split, in the order of the store."""
    return [shape_id for shape_id in store.ids() if store.meta(shape_id).get("split") == split]


def training_ids(store: FeatureStore, ids: Mapping[str, Sequence[str]] | None = None) -> dict[str, list[str]]:
    """Return the ids of "train" and "validation": those given, or those of the store's splits.

    Raises:
        AlignPartsError: there is no training shape.
    """
    names = ("train", "validation")
    split = {name: ids_of_split(store, name) if ids is None else list(ids.get(name, ())) for name in names}
    if not split["train"]:
        raise AlignPartsError("training: no shape of the split 'train' in the feature store")
    return split


@dataclass(frozen=True)
class Target:
    """Points of a shape and its row of :class:`alignparts.model.losses.Targets`."""

    points: Float32[np.ndarray, "n 3"]
    part: Int64[np.ndarray, " n"]
    text: Float32[np.ndarray, "a d_t"]
    number: int
    class_text: Float32[np.ndarray, " d_t"]
    classes: Float32[np.ndarray, "c d_t"]
    negatives: Float32[np.ndarray, "v d_t"]


@dataclass(frozen=True)
class Shape(Target):
    """Shape of a batch, with the fields of :class:`Batch` and its targets."""

    shape_id: str
    category: str
    names: list[str]
    geometry: Float32[np.ndarray, "n d_g"]
    appearance: Float32[np.ndarray, "n d_a"]
    neighbors: Int64[np.ndarray, "n k"]


@dataclass(frozen=True)
class Batch:
    """Shapes, padded to the same size: coordinates in the model frame, raw features, targets and names.

    `neighbors` are indices of every point's nearest points, -1 for none; `padding_mask` is true where a point
    is padding, None if none is. Names are canonical, those of parts in the order of ``targets.text``.
    """

    points: Float[Tensor, "b n 3"]
    geometry: Float[Tensor, "b n d_g"]
    appearance: Float[Tensor, "b n d_a"]
    neighbors: Int64[Tensor, "b n k"]
    padding_mask: Bool[Tensor, "b n"] | None
    targets: Targets
    shape_ids: list[str]
    categories: list[str]
    names: list[list[str]]

    def __len__(self) -> int:
        return len(self.shape_ids)

    def inputs(self) -> dict[str, Tensor | None]:
        """Return the arguments of :meth:`alignparts.model.alignparts.AlignParts.forward`."""
        names = ("points", "geometry", "appearance", "padding_mask", "neighbors")
        return {name: getattr(self, name) for name in names}


def moved(record: R, device: torch.device) -> R:
    """Return a dataclass with all its tensors, those of nested dataclasses too, on a device."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    tensors = {name: value.to(device) for name, value in values.items() if isinstance(value, Tensor)}
    nested = {name: moved(value, device) for name, value in values.items() if is_dataclass(value)}
    return replace(record, **tensors, **nested)


class PartDataset(Dataset[Shape]):
    """Shapes of a feature store, read as they are asked for.

    Args:
        store: features of the shapes.
        ids: ids of the shapes.
        table: text embeddings of the vocabulary.
        points: size of the random subset of the stored points.
        k: number of neighbors of a point in that subset.
        name_prompt_rate: share of shapes whose parts are named by prompts instead of descriptions.
        negatives: "shape" gives Eq. 9 as printed; "category" adds the category's other parts as negatives.
        classes: "batch" gives Eq. 14 as printed; "all" contrasts a shape with every category of `ids`.
        balance: a point of a part of n stored points is drawn with a weight of n^-balance; 0: uniformly.
        seed: with epoch and index it fixes every draw.
    """

    def __init__(
        self,
        store: FeatureStore,
        ids: Sequence[str],
        table: TextTable,
        *,
        points: int,
        k: int,
        name_prompt_rate: float = 0.0,
        negatives: Literal["shape", "category"] = "shape",
        classes: Literal["batch", "all"] = "batch",
        balance: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.store, self.ids, self.table = store, list(ids), table
        self.points, self.k, self.seed = points, k, seed
        self.name_prompt_rate, self.negatives, self.balance = name_prompt_rate, negatives, balance
        resolve = table.vocabulary.resolve_category
        categories = sorted({resolve(store.meta(shape_id)["category"]) for shape_id in self.ids})
        self.number = {category: index for index, category in enumerate(categories)}
        texts = [table.category(name) for name in categories if classes == "all"]
        self.classes = np.array(texts, np.float32).reshape(-1, table.d_t)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: int | tuple[int, int]) -> Shape:
        """Return the shape at an index, or at (epoch, index): other epochs draw other points and prompts.

        Raises:
            AlignPartsError: arrays are missing, unfit or not finite; names that the vocabulary lacks.
        """
        epoch, index = (0, key) if isinstance(key, int) else key
        shape_id = self.ids[index]
        rng = np.random.default_rng([self.seed, epoch, index])
        arrays, meta = self.store.load(shape_id, ARRAYS)
        stored = len(arrays.get("points", ()))
        if not stored or {len(arrays.get(name, ())) for name in ARRAYS} != {stored}:
            raise _again(shape_id, f"expected arrays {', '.join(ARRAYS)} with a row per point")
        drawn = np.arange(stored)
        if stored > self.points:
            chance = _balanced(arrays["part"], self.balance) if self.balance else None
            drawn = np.sort(rng.choice(stored, self.points, replace=False, p=chance))
        style = int(rng.integers(1, STYLES)) if rng.random() < self.name_prompt_rate else 0
        feature = {name: np.ascontiguousarray(arrays[name][drawn], dtype=np.float32) for name in ARRAYS[:3]}
        if infinite := [name for name, value in feature.items() if not np.isfinite(value).all()]:
            raise _again(shape_id, f"{infinite[0]}: expected finite numbers")
        category = self.table.vocabulary.resolve_category(meta["category"])
        part, present = self._parts(shape_id, category, arrays["part"][drawn], meta["part_names"])
        vectors = self.table.parts(category, style)
        others = [row for row in range(len(vectors)) if row not in present and self.negatives == "category"]
        return Shape(
            shape_id=shape_id,
            category=category,
            names=[self.table.names[category][row] for row in present],
            neighbors=nearest(feature["points"], self.k),
            part=part,
            text=vectors[present],
            number=self.number[category],
            class_text=self.table.category(category, style),
            classes=self.classes,
            negatives=vectors[others],
            **feature,
        )

    def _parts(
        self, shape_id: str, category: str, part: np.ndarray, names: Sequence[str]
    ) -> tuple[np.ndarray, list[int]]:
        """Return every point's part, numbered among those that occur, and the rows of these in the table."""
        if len(part) and part.max() >= len(names):
            raise _again(shape_id, f"part {part.max()} has no name")
        row_of = {name: row for row, name in enumerate(self.table.names[category])}
        rows = [row_of[self.table.vocabulary.resolve(category, name)[1]] for name in names]
        row = np.append(np.asarray(rows, dtype=np.int64), -1)[np.where(part < 0, -1, part)]
        present = np.unique(row[row >= 0])
        return np.where(row < 0, -1, np.searchsorted(present, row)).astype(np.int64), present.tolist()


def collate(shapes: Sequence[Shape]) -> Batch:
    """Return shapes as a batch, padded to one size."""
    stack, valid = partial(stacked, shapes), partial(filled, shapes)
    padding, neighbors = ~valid("points"), stack("neighbors", -1)
    # The only neighbor of a padding point is itself.
    neighbors[:, :, 0] = torch.where(padding, torch.arange(padding.shape[1]), neighbors[:, :, 0])
    return Batch(
        **{name: stack(name) for name in ARRAYS[:3]},
        neighbors=neighbors,
        padding_mask=padding if bool(padding.any()) else None,
        targets=targets_of(shapes),
        shape_ids=[shape.shape_id for shape in shapes],
        categories=[shape.category for shape in shapes],
        names=[shape.names for shape in shapes],
    )


def targets_of(shapes: Sequence[Target]) -> Targets:
    """Return the targets of a batch, padded to the same numbers of points and parts."""
    return Targets(
        part=stacked(shapes, "part", -1),
        text=stacked(shapes, "text"),
        parts=filled(shapes, "text"),
        category=torch.tensor([shape.number for shape in shapes]),
        class_text=torch.from_numpy(np.stack([shape.class_text for shape in shapes])),
        classes=torch.from_numpy(shapes[0].classes),
        negatives=stacked(shapes, "negatives"),
        negative_parts=filled(shapes, "negatives"),
    )


def stacked(shapes: Sequence[object], name: str, fill: int = 0) -> Tensor:
    """Return an array of every shape in one tensor, padded by ``fill``."""
    arrays = [torch.from_numpy(getattr(shape, name)) for shape in shapes]
    return pad_sequence(arrays, batch_first=True, padding_value=fill)


def filled(shapes: Sequence[Target], name: str) -> Bool[Tensor, "b n"]:
    """Return true where :func:`stacked` has a row of the shape, false where it has padding."""
    rows = [torch.ones(len(getattr(shape, name)), dtype=torch.bool) for shape in shapes]
    return pad_sequence(rows, batch_first=True)


def epoch_order(count: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Return the shuffled indices of every batch of an epoch; the last batch may be smaller."""
    order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


def batches(
    dataset: PartDataset, order: Sequence[Sequence[int]], epoch: int = 0, workers: int = 0
) -> Iterator[Batch]:
    """Return the batches of an order; the number of the epoch fixes their draws.

    `workers` is the number of processes that prepare batches ahead: 0 beside a model on the CPU, since they
    would take its cores.
    """
    keys = [[(epoch, index) for index in indices] for indices in order]
    generator = torch.Generator()  # the global one stays as it is
    return iter(
        DataLoader(dataset, batch_sampler=keys, collate_fn=collate, num_workers=workers, generator=generator)
    )


def _again(shape_id: str, fault: str) -> AlignPartsError:
    return AlignPartsError(f"shape '{shape_id}': {fault}; extract it again")


def _balanced(part: Int[np.ndarray, " n"], balance: float) -> Float[np.ndarray, " n"]:
    """Return the probability of every point to be drawn first; unlabeled points count as a part."""
    weight = (np.maximum(np.bincount(part + 1), 1) ** -balance)[part + 1]
    return weight / weight.sum()
