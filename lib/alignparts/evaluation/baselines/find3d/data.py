"""Points and names on which Find3D is trained."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.training import Texts
from alignparts.features.store import FeatureStore
from alignparts.ontology.vocabulary import Vocabulary

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


def load_clouds(
    store: FeatureStore, ids: Sequence[str], vocabulary: Vocabulary, texts: Texts, kept: int, seed: int
) -> list[Cloud]:
    """Return `kept` random points of every shape that has a labeled point among them.

    Raises:
        AlignPartsError: an array is missing, or the vocabulary lacks the name of a part.
    """
    clouds = []
    for index, shape_id in enumerate(tqdm(ids, desc="points", leave=False, mininterval=2.0)):
        arrays, meta = store.load(shape_id, ARRAYS)
        for name in ARRAYS:
            if name not in arrays:
                raise AlignPartsError(f"shape '{shape_id}': no array '{name}'; extract it again")
        at = np.sort(np.random.default_rng([seed, index]).permutation(len(arrays["part"]))[:kept])
        category = vocabulary.resolve_category(meta["category"])
        rows = [texts.row[vocabulary.resolve(category, name)] for name in meta["part_names"]]
        row = np.array([*rows, -1])[np.maximum(arrays["part"][at], -1)]
        if (row >= 0).any():
            cloud = {name: torch.from_numpy(arrays[name][at]).half() for name in ARRAYS[:3]}
            clouds.append(cloud | {"row": torch.from_numpy(row)})
    return clouds


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
