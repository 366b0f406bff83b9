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
        points: in the model frame.
        normals: unit vectors.
        colors: 0..1.
        row: of every point's part among the texts of all parts, -1 unlabeled.
        shape: number of every point's shape.
    """

    points: Float[Tensor, "n 3"]
    normals: Float[Tensor, "n 3"]
    colors: Float[Tensor, "n 3"]
    row: Int64[Tensor, " n"]
    shape: Int64[Tensor, " n"]


class Clouds:
    """Shapes of a feature store in memory, `kept` random points of each.

    Args:
        store: where they are.
        ids: those to take.
        vocabulary: resolves their names.
        texts: where the rows of their parts are looked up.
        kept: points of a shape.
        seed: of the points.
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
            missing = [name for name in ARRAYS if name not in arrays]
            if missing:
                raise AlignPartsError(
                    f"shape '{shape_id}': features: '{missing[0]}' is missing; extract it again"
                )
            stored = len(arrays["part"])
            rng = np.random.default_rng([seed, index])
            at = np.sort(rng.permutation(stored)[:kept])
            category = vocabulary.resolve_category(meta["category"])
            rows = [texts.row[vocabulary.resolve(category, name)] for name in meta["part_names"]]
            part = arrays["part"][at].astype(np.int64)
            row = np.append(np.array(rows, np.int64), -1)[np.where(part < 0, -1, part)]
            if (row >= 0).any():
                self.shapes.append(
                    {name: arrays[name][at].astype(np.float16) for name in ARRAYS[:3]} | {"row": row}
                )

    def __len__(self) -> int:
        return len(self.shapes)

    def batch(self, indices: Sequence[int], points: int, rng: np.random.Generator) -> Points:
        """Some shapes, at most so many random points of each."""
        found = []
        for index in indices:
            one = self.shapes[index]
            at = np.sort(rng.permutation(len(one["row"]))[:points])
            found.append({name: value[at] for name, value in one.items()})
        sizes = torch.tensor([len(one["row"]) for one in found])
        floats = {
            name: torch.from_numpy(np.concatenate([one[name] for one in found]).astype(np.float32))
            for name in ARRAYS[:3]
        }
        row = torch.from_numpy(np.concatenate([one["row"] for one in found]))
        return Points(**floats, row=row, shape=torch.repeat_interleave(torch.arange(len(found)), sizes))
