"""Training of Find3D on stored points, by a contrast between parts and the texts of a batch."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor
from tqdm.auto import tqdm

from alignparts.core.config.baselines import Find3DParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import Row
from alignparts.evaluation.baselines.find3d.model import Find3DConfig, Find3DModel
from alignparts.evaluation.baselines.training import Training
from alignparts.evaluation.methods import FIND3D
from alignparts.model.backbone.grid import ORDERS
from alignparts.model.dataset import epoch_order, moved
from alignparts.model.texts import STYLES
from alignparts.model.train import CLIP
from alignparts.model.validation import in_order

MAX_SCALE = math.log(100)
"""Largest learned logarithm of the inverse temperature, as in CLIP."""
ALIKE = 1 - 1e-4
"""Cosine above which two texts mean the same: such a part is no negative of the other."""
ARRAYS = ("points", "normals", "colors", "part")
Cloud = dict[str, Tensor]
"""Points, normals and colors of a shape in half precision, and its ``row`` as in :class:`Points`."""


@dataclass(frozen=True)
class Points:
    """Points of several shapes, one after another.

    Attributes:
        points: coordinates in the model frame.
        normals: unit vectors.
        colors: RGB in 0..1.
        row: row of every point's part among the texts of all parts, -1 unlabeled.
        shape: number of every point's shape, from 0.
    """

    points: Float[Tensor, "n 3"]
    normals: Float[Tensor, "n 3"]
    colors: Float[Tensor, "n 3"]
    row: Int64[Tensor, " n"]
    shape: Int64[Tensor, " n"]

    def __len__(self) -> int:
        """Return the number of shapes, each of which has a point."""
        return int(self.shape[-1]) + 1

    def inputs(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the arguments of the model's ``forward``."""
        return self.points, self.normals, self.colors, self.shape


def draw(clouds: Sequence[Cloud], points: int, rng: np.random.Generator) -> Points:
    """Return some shapes with at most `points` random points of each."""
    drawn = []
    for cloud in clouds:
        at = torch.from_numpy(np.sort(rng.permutation(len(cloud["row"]))[:points]))
        drawn.append({name: values[at] for name, values in cloud.items()})
    joined = {name: torch.cat([cloud[name] for cloud in drawn]) for name in drawn[0]}
    counts = torch.tensor([len(cloud["row"]) for cloud in drawn])
    floats = {name: joined[name].float() for name in ARRAYS[:3]}
    return Points(**floats, row=joined["row"], shape=torch.repeat_interleave(counts))


class Find3DTraining(Training[Find3DModel, Find3DParams]):
    """Training on random points of every shape; the weights of the last epoch are kept."""

    name, clip = FIND3D, CLIP

    def build(self) -> Find3DModel:
        """Return the network with random weights and the initial temperature."""
        sizes = self.params.model.model_dump()
        model = Find3DModel(Find3DConfig(d_t=self.table.d_t, points=self.params.points, **sizes))
        torch.nn.init.constant_(model.scale, -math.log(self.params.tau))
        return model

    @cached_property
    def training(self) -> list[Cloud]:
        """Return the labeled training shapes."""
        if not (clouds := self._clouds("train")):
            raise AlignPartsError("training: no labeled shape of the split 'train' in the feature store")
        return clouds

    @cached_property
    def validation(self) -> list[Cloud]:
        """Return the labeled validation shapes."""
        return self._clouds("validation")

    def _clouds(self, split: str) -> list[Cloud]:
        """Return `kept` random points of every shape that has a labeled point among them."""
        clouds, resolve = [], self.table.vocabulary.resolve
        for index, shape_id in enumerate(
            tqdm(self.split[split], desc="points", leave=False, mininterval=2.0)
        ):
            arrays, meta = self.store.load(shape_id, ARRAYS)
            if missing := set(ARRAYS) - set(arrays):
                raise AlignPartsError(f"shape '{shape_id}': no array '{min(missing)}'; extract it again")
            order = np.random.default_rng([self.seed, index]).permutation(len(arrays["part"]))
            at = np.sort(order[: self.params.kept])
            rows = [self.texts.row[resolve(meta["category"], name)] for name in meta["part_names"]]
            row = np.array([*rows, -1])[np.maximum(arrays["part"][at], -1)]
            if (row >= 0).any():
                cloud = {name: torch.from_numpy(arrays[name][at]).half() for name in ARRAYS[:3]}
                clouds.append(cloud | {"row": torch.from_numpy(row)})
        return clouds

    def shapes(self) -> int:
        """Return the number of labeled training shapes."""
        return len(self.training)

    def batches(self, epoch: int) -> Iterator[tuple[Points, int, list[int]]]:
        """Draw the points of an epoch, the style of their texts and the curves that the blocks take."""
        rng = np.random.default_rng([self.seed, epoch, 1])
        for indices in epoch_order(self.shapes(), self.params.batch_size, self.seed, epoch):
            style = int(rng.integers(1, STYLES)) if rng.random() < self.params.name_prompt_rate else 0
            points = draw([self.training[index] for index in indices], self.params.points, rng)
            yield points, style, rng.permutation(len(ORDERS)).tolist()

    def loss(self, drawn: tuple[Points, int, list[int]]) -> dict[str, Tensor]:
        """Return the contrast of the parts of a batch with their texts."""
        points, style, orders = drawn
        points, texts = moved(points, self.device), self.texts.parts[style].to(self.device)
        features = self.model(*points.inputs(), orders)
        return {"total": part_contrast(features, points.row, points.shape, texts, self.model.scale.exp())}

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Keep the temperature from falling too low."""
        self.model.scale.clamp_(max=MAX_SCALE)

    @torch.no_grad()
    def validate(self) -> Row:
        """Return the share of labeled points whose nearest name, among their shape's, is right."""
        clouds, right, labeled = self.validation, 0, 0
        if not clouds:
            return {}
        self.model.eval()
        for indices in in_order(len(clouds), self.params.batch_size):
            rng = np.random.default_rng([self.seed, *indices])
            points = draw([clouds[index] for index in indices], self.params.points, rng)
            cosines = self.model(*moved(points, self.device).inputs()).cpu() @ self.texts.parts[2].T
            row, shape = points.row[points.row >= 0], points.shape[points.row >= 0]
            foreign = torch.ones(len(indices), cosines.shape[1], dtype=torch.bool)
            foreign[shape, row] = False
            nearest = cosines[points.row >= 0].masked_fill(foreign[shape], -torch.inf).argmax(1)
            right, labeled = right + int((nearest == row).sum()), labeled + len(row)
        return {"name_right": right / max(labeled, 1)}


def part_contrast(
    features: Float[Tensor, "n d_t"],
    row: Int64[Tensor, " n"],
    shape: Int64[Tensor, " n"],
    texts: Float[Tensor, "rows d_t"],
    scale: Float[Tensor, ""] | float,
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the mean feature of a part against the texts of all parts of the batch.

    It is a mean over the parts of all shapes, 0 where no point is labeled (`row` -1). Features and texts are
    unit vectors; `scale` is the inverse temperature.
    """
    labeled = row >= 0
    keys = shape[labeled] * len(texts) + row[labeled]
    parts, inverse = torch.unique(keys, return_inverse=True)
    if not len(parts):
        return features.sum() * 0
    total = features.new_zeros(len(parts), features.shape[1]).index_add(0, inverse, features[labeled])
    rows, target = torch.unique(parts % len(texts), return_inverse=True)
    candidates = texts[rows]
    alike = (candidates @ candidates.T > ALIKE)[target]
    alike[torch.arange(len(target)), target] = False
    logits = (scale * F.normalize(total, dim=-1) @ candidates.T).masked_fill(alike, -torch.inf)
    return F.cross_entropy(logits, target)
