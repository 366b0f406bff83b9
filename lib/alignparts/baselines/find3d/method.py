"""Find3D behind the common interface: every point takes the given name that it is nearest to."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from alignparts.baselines.find3d.model import Find3DModel
from alignparts.baselines.method import Given, Segments
from alignparts.errors import AlignPartsError
from alignparts.inference import Encode
from alignparts.vocabulary import words


class Find3D:
    """The trained network as a method.

    Args:
        model: the network.
        encode: texts to embeddings of length 1, of the encoder that it was trained with.
    """

    label = "Find3D"

    def __init__(self, model: Find3DModel, encode: Encode) -> None:
        self.model, self.encode = model.eval(), encode
        self._device = next(model.parameters()).device

    @torch.inference_mode()
    def predict(self, arrays: Mapping[str, np.ndarray], given: Given) -> Segments:
        """One segment a given name, though some may stay without a point.

        A query is "the seat of a chair" where the category is known, else "seat"; it is what the text says
        where a name has spaces in it, such as a description.

        Args:
            arrays: ``points``, ``normals`` and ``colors``, each (n, 3).
            given: the names, and if known the category.

        Raises:
            AlignPartsError: no names, an array is missing, empty or not finite, or another text encoder.
        """
        if not given.names:
            raise AlignPartsError("Find3D: no candidate names to choose from; it answers queries alone")
        points, normals, colors = (self._array(arrays, name) for name in ("points", "normals", "colors"))
        shape = torch.zeros(len(points), dtype=torch.int64, device=self._device)
        features = self.model(points, normals, colors, shape).float().cpu().numpy()
        texts = np.asarray(self.encode([query(name, given.category) for name in given.names]))
        if texts.shape[1] != features.shape[1]:
            raise AlignPartsError(
                f"text embeddings are {texts.shape[1]} wide, the model's {features.shape[1]}; "
                "take the text encoder that it was trained with"
            )
        return Segments((features @ texts.T).argmax(axis=1).astype(np.int64), list(given.names))

    def _array(self, arrays: Mapping[str, np.ndarray], name: str) -> Tensor:
        if name not in arrays:
            raise AlignPartsError(f"features: '{name}' is missing; expected points, normals and colors")
        values = np.asarray(arrays[name], dtype=np.float32)
        if values.ndim != 2 or not len(values) or values.shape[1] != 3 or not np.isfinite(values).all():
            raise AlignPartsError(f"features: {name} is {values.shape}: expected (points, 3) finite numbers")
        return torch.from_numpy(values).to(self._device)


def query(name: str, category: str | None) -> str:
    """What is asked for a part."""
    if category is None or " " in name:
        return words(name)
    whole = words(category)
    return f"the {words(name)} of {'an' if whole[:1] in 'aeiou' else 'a'} {whole}"
