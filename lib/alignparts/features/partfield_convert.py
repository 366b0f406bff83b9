"""Convert the published PartField checkpoint into a folder that `PartField.from_pretrained` reads.

    alignparts convert-partfield model_objaverse.ckpt --out models/partfield

The checkpoint is a pickle of weights, optimizer state and configuration objects. Nothing in it is
executed: only what rebuilds tensors is admitted, every other class becomes an inert dictionary.
The published weights are under the NVIDIA License (non-commercial research and education only), and
so is the converted folder.
"""

import pickle
import types
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alignparts.core.checkpoint import save_model
from alignparts.core.errors import AlignPartsError
from alignparts.features.partfield import PUBLISHED, PartField, PartFieldConfig

_ADMITTED = {
    ("collections", "OrderedDict"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch.storage", "UntypedStorage"),
    ("torch", "Size"),
    *(("torch", f"{kind}Storage") for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Bool")),
    *(("torch", kind) for kind in ("float16", "bfloat16", "float32", "float64", "int32", "int64")),
}


class _Inert(dict[Any, Any]):
    """Stand-in for every object that is not a tensor."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __call__(self, *_: object, **__: object) -> "_Inert":
        return _Inert()

    __setstate__ = append = extend = __call__


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(module, name) if (module, name) in _ADMITTED else _Inert


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint's ``state_dict``, without running any code of the file.

    Raises:
        AlignPartsError: no such file, not a checkpoint of torch, or without a ``state_dict``.
    """
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected a PartField checkpoint (.ckpt)")
    if not zipfile.is_zipfile(path):
        raise AlignPartsError(f"{path}: expected a checkpoint written by torch 1.6 or later (a zip archive)")
    with zipfile.ZipFile(path) as archive:
        if any(name.endswith("/constants.pkl") for name in archive.namelist()):
            raise AlignPartsError(f"{path}: a TorchScript program; expected a PartField checkpoint (.ckpt)")
    reader = types.ModuleType("restricted_pickle")
    reader.Unpickler = _Unpickler  # type: ignore[attr-defined]
    reader.UnpicklingError = pickle.UnpicklingError  # type: ignore[attr-defined]
    try:
        content = torch.load(path, map_location="cpu", pickle_module=reader, weights_only=False)
    except (pickle.UnpicklingError, RuntimeError, AttributeError, TypeError, ValueError, EOFError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise AlignPartsError(f"{path}: not a readable checkpoint: {first}") from None
    weights = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(weights, dict):
        raise AlignPartsError(f"{path}: state_dict: missing; expected a PartField checkpoint (.ckpt)")
    return {str(name): value.detach() for name, value in weights.items() if isinstance(value, Tensor)}


def convert(source: Path, folder: Path, config: PartFieldConfig = PUBLISHED) -> PartField:
    """Read a checkpoint and write it as ``config.json`` and ``model.safetensors`` (float32).

    Weights that the network does not have are ignored (the published file has 26 that nothing reads).

    Raises:
        AlignPartsError: the file cannot be read, or lacks a weight that the configuration needs.
    """
    model, weights = PartField(config), read_checkpoint(source)
    try:
        model.load_state_dict({name: weights[name] for name in model.state_dict()})
    except KeyError as error:
        raise AlignPartsError(f"{source}: {error}: missing; expected the weights of a PartField") from None
    except RuntimeError as error:
        raise AlignPartsError(f"{source}: {' '.join(str(error).split())[:300]}") from None
    save_model(model, folder)
    return model.eval()
