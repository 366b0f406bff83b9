"""Find3D behind the common interface: every point takes the nearest of the given names."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.find3d.model import Find3DModel
from alignparts.evaluation.baselines.find3d.serialization import DEPTH, interleaved
from alignparts.evaluation.methods import FIND3D, Given
from alignparts.naming.prediction import Encode, Prediction
from alignparts.ontology.vocabulary import words


class Find3D:
    """The trained network as a method.

    Args:
        model: the network.
        encode: maps texts to embeddings of length 1, with the encoder that the model was trained with.
    """

    label = FIND3D

    def __init__(self, model: Find3DModel, encode: Encode) -> None:
        self.model, self.encode = model.eval(), encode
        self._device = next(model.parameters()).device

    @torch.inference_mode()
    def predict(self, arrays: Mapping[str, np.ndarray], given: Given) -> Prediction:
        """Return one segment per given name, though some may stay without a point.

        A query is "the seat of a chair" where the category is known, else "seat"; it is what the text says
        where a name has spaces in it, such as a description. Where there are more points than training had
        of a shape, the network sees them in shares of that density.

        Args:
            arrays: ``points``, ``normals`` and ``colors``, each (n, 3), are read.
            given: the names, and if known the category.

        Raises:
            AlignPartsError: no names; an array is missing, empty or not finite; another text encoder.
        """
        if not given.names:
            raise AlignPartsError("Find3D: no candidate names to choose from; it answers queries alone")
        points, normals, colors = (self._array(arrays, name) for name in ("points", "normals", "colors"))
        order, shape = shares(points.cpu().numpy(), self.model.config.points)
        at = torch.from_numpy(order).to(self._device)
        output = self.model(points[at], normals[at], colors[at], torch.from_numpy(shape).to(self._device))
        features = np.empty(output.shape, np.float32)
        features[order] = output.float().cpu().numpy()
        texts = np.asarray(self.encode([query(name, given.category) for name in given.names]))
        if texts.shape[1] != features.shape[1]:
            raise AlignPartsError(
                f"text embeddings are {texts.shape[1]} wide, the model's {features.shape[1]}; "
                "take the text encoder that it was trained with"
            )
        return Prediction.of_names((features @ texts.T).argmax(axis=1).astype(np.int64), given.names)

    def _array(self, arrays: Mapping[str, np.ndarray], name: str) -> Tensor:
        if name not in arrays:
            raise AlignPartsError(f"features: '{name}' is missing; expected points, normals and colors")
        values = np.asarray(arrays[name], dtype=np.float32)
        if values.ndim != 2 or not len(values) or values.shape[1] != 3 or not np.isfinite(values).all():
            raise AlignPartsError(f"features: {name} is {values.shape}: expected (points, 3) finite numbers")
        return torch.from_numpy(values).to(self._device)


def shares(
    points: Float[np.ndarray, "n 3"], most: int
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """Deal out points along a z-order curve, so that every share is spread evenly over the shape.

    Returns:
        The points in the order of their shares, and the share of each, 0..; no share has more than `most`
        points, and shares do not depend on the order of the points.
    """
    scale = (2**DEPTH - 1) / max(float(np.ptp(points, axis=0).max()), 1e-9)
    cells = torch.from_numpy(((points - points.min(axis=0)) * scale).astype(np.int64))
    along = np.lexsort((*points.T, interleaved(cells).numpy()))
    number = -(-len(points) // most)
    share = np.arange(len(points)) % number
    deal = np.argsort(share, kind="stable")
    return along[deal].astype(np.int64), share[deal].astype(np.int64)


def query(name: str, category: str | None) -> str:
    """Return the query text for a part."""
    if category is None or " " in name:
        return words(name)
    whole = words(category)
    return f"the {words(name)} of {'an' if whole[:1] in 'aeiou' else 'a'} {whole}"
