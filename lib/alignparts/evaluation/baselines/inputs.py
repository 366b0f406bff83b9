"""Inputs of the trained baselines, checked: the arrays of a shape and the embeddings of texts."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from alignparts.core.errors import AlignPartsError
from alignparts.naming.prediction import Encode


def shape_tensors(arrays: Mapping[str, np.ndarray], device: torch.device, **widths: int) -> list[Tensor]:
    """Return the named arrays of a shape as float32 tensors (n, width) on a device.

    Raises:
        AlignPartsError: an array is missing, empty, not finite, or of another width or length.
    """
    tensors: list[Tensor] = []
    for name, width in widths.items():
        if name not in arrays:
            raise AlignPartsError(f"features: '{name}' is missing; expected {', '.join(widths)}")
        values = np.asarray(arrays[name], dtype=np.float32)
        rows = len(tensors[0]) if tensors else max(len(values), 1)
        if values.shape != (rows, width) or not np.isfinite(values).all():
            raise AlignPartsError(
                f"features: {name} is {values.shape}, expected ({rows}, {width}) finite numbers; "
                "extract it with the encoders that the model was trained with"
            )
        tensors.append(torch.from_numpy(values).to(device))
    return tensors


def text_tensor(encode: Encode, texts: Sequence[str], d_t: int) -> Float[Tensor, "texts d_t"]:
    """Return the embeddings of texts.

    Raises:
        AlignPartsError: they are not `d_t` wide, as the model expects.
    """
    vectors = np.asarray(encode(texts), dtype=np.float32)
    if vectors.shape[1] != d_t:
        raise AlignPartsError(
            f"text embeddings are {vectors.shape[1]} wide, the model's {d_t}; "
            "take the text encoder that it was trained with"
        )
    return torch.from_numpy(vectors)
