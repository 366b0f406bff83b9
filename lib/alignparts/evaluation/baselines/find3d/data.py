"""Points and names that Find3D is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.partfield_mpnet.pooling import Texts
from alignparts.features.store import FeatureStore
from alignparts.ontology.vocabulary import Vocabulary

ARRAYS = ("points", "normals", "colors", "part")


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


class Clouds:
    """Shapes of a feature store in memory, `kept` random points of each.

    Args:
        store: points, normals, colors and parts.
        ids: ids of the shapes.
        vocabulary: resolves the names of their parts.
        texts: gives the rows of their parts.
        kept: number of points kept per shape.
        seed: seed of the choice of points.
    """

    def __init__(
        self,
        store: FeatureStore,
        ids: Sequence[str],
        vocabulary: Vocabulary,
        texts: Texts,
        *,
        kept: int,
        seed: int = 0,
    ) -> None:
        self.shapes: list[dict[str, np.ndarray]] = []
        for index, shape_id in enumerate(tqdm(ids, desc="points", leave=False, mininterval=2.0)):
            arrays, meta = store.load(shape_id, ARRAYS)
            for name in ARRAYS:
                if name not in arrays:
                    raise AlignPartsError(f"shape '{shape_id}': no array '{name}'; extract it again")
            stored = len(arrays["part"])
            at = np.sort(np.random.default_rng([seed, index]).permutation(stored)[:kept])
            category = vocabulary.resolve_category(meta["category"])
            rows = [texts.row[vocabulary.resolve(category, name)] for name in meta["part_names"]]
            part = arrays["part"][at].astype(np.int64)
            row = np.append(np.array(rows, np.int64), -1)[np.where(part < 0, -1, part)]
            if (row >= 0).any():
                floats = {name: arrays[name][at].astype(np.float16) for name in ARRAYS[:3]}
                self.shapes.append(floats | {"row": row})

    def __len__(self) -> int:
        return len(self.shapes)

    def batch(self, indices: Sequence[int], points: int, rng: np.random.Generator) -> Points:
        """Return some shapes with at most `points` random points of each."""
        drawn: dict[str, list[np.ndarray]] = {name: [] for name in (*ARRAYS[:3], "row", "shape")}
        for number, index in enumerate(indices):
            shape = self.shapes[index]
            at = np.sort(rng.permutation(len(shape["row"]))[:points])
            for name, values in (shape | {"shape": np.full(len(shape["row"]), number)}).items():
                drawn[name].append(values[at])
        joined = {name: np.concatenate(values) for name, values in drawn.items()}
        floats = {name: torch.from_numpy(joined[name].astype(np.float32)) for name in ARRAYS[:3]}
        return Points(**floats, row=torch.from_numpy(joined["row"]), shape=torch.from_numpy(joined["shape"]))
