"""Find3D behind the common interface: every point takes the nearest of the given names."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int64

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.find3d.model import Find3DModel
from alignparts.evaluation.baselines.inputs import shape_tensors, text_tensor
from alignparts.evaluation.methods import FIND3D, Given
from alignparts.model.backbone.grid import DEPTH, z_order
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

        It reads ``points``, ``normals`` and ``colors``, each (n, 3). More points than training had of a shape
        are passed through the network in shares of that density.

        Raises:
            AlignPartsError: no names, unfit arrays, or another text encoder.
        """
        if not given.names:
            raise AlignPartsError("Find3D: no candidate names to choose from; it answers queries alone")
        inputs = shape_tensors(arrays, self._device, points=3, normals=3, colors=3)
        dealt = shares(inputs[0].cpu().numpy(), self.model.config.points)
        order = torch.from_numpy(np.concatenate(dealt)).to(self._device)
        shape = torch.repeat_interleave(torch.tensor([len(share) for share in dealt], device=self._device))
        output = self.model(*(values[order] for values in inputs), shape)
        features = torch.empty_like(output).index_copy(0, order, output).float().cpu().numpy()
        queries = [query(name, given.category) for name in given.names]
        texts = text_tensor(self.encode, queries, features.shape[1]).numpy()
        return Prediction.of_names((features @ texts.T).argmax(axis=1).astype(np.int64), given.names)


def shares(points: Float[np.ndarray, "n 3"], most: int) -> list[Int64[np.ndarray, " share"]]:
    """Deal out points along a z-order curve, so that every share is spread evenly over the shape.

    Returns:
        Indices of the points of every share, at most `most`; they do not depend on the order of the points.
    """
    scale = (2**DEPTH - 1) / max(float(np.ptp(points, axis=0).max()), 1e-9)
    cells = torch.from_numpy(((points - points.min(axis=0)) * scale).astype(np.int64))
    along = np.lexsort((*points.T, z_order(cells).numpy())).astype(np.int64)
    count = -(-len(points) // most)
    return [along[start::count] for start in range(count)]


def query(name: str, category: str | None) -> str:
    """Return the query "the seat of a chair" or "seat"; a name with spaces, as a description, stays."""
    if category is None or " " in name:
        return words(name)
    whole = words(category)
    return f"the {words(name)} of {'an' if whole[:1] in 'aeiou' else 'a'} {whole}"
