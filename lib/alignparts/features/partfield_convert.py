"""Convert the published PartField checkpoint into a folder that `PartField.from_pretrained` reads.

    alignparts convert-partfield model_objaverse.ckpt --out models/partfield

The checkpoint is a zip of a pickle and of tensors' bytes. torch is not asked to open it, as it takes some
zips for programs and runs them: Python reads the zip, and an interpreter of what ``torch.save`` writes the
pickle. It builds numbers, texts, lists, dictionaries and places of tensors; any other object of the file
becomes an inert stand-in.
The published weights are under the NVIDIA License (non-commercial research and education only), and
so is the converted folder.
"""

import io
import math
import pickle
import zipfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from alignparts.core.checkpoint import save_model
from alignparts.core.errors import AlignPartsError
from alignparts.features.partfield import PUBLISHED, PartField, PartFieldConfig

_EXPECTED = "expected a PartField checkpoint (.ckpt)"
_AGAIN = "save it again, where you trust it: torch.save(torch.load(FILE, weights_only=True), FILE)"
_MOST_PICKLE = 64 << 20
"""Bytes of the pickle, which holds no weights; the published one has less than one megabyte."""
_MOST_DIMENSIONS = 16
_DTYPES = {
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch BoolStorage": torch.bool,
}
_OPCODES = (
    "PROTO STOP MARK GLOBAL REDUCE NEWOBJ BUILD BINPERSID BINPUT LONG_BINPUT BINGET LONG_BINGET NONE "
    "NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 "
    "TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS"
)
"""All that a pickle of protocol 2, torch's own, needs."""


class _Global(str):
    """Module and name of a class or function of the file, which is never looked up."""


class _Inert:
    """Stand-in for every object that is no tensor and no plain value."""


class _Stored(NamedTuple):
    """Place of a tensor's numbers: entry of the zip, kind of its storage and its length."""

    key: str
    kind: str
    length: int


class _View(NamedTuple):
    """A tensor that was not read yet."""

    stored: _Stored
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Opcodes(dict[int, Any]):
    def __missing__(self, code: int) -> Any:
        raise ValueError(f"the opcode {code} of its pickle is none that torch writes")


# The pure Python class: it takes a table of opcodes, and its memo grows by what the file holds, not by what
# it claims. No value of the file is shown or hashed: nested ones may be a billion, or overflow the stack.
class _Reader(pickle._Unpickler):
    stack: list[Any]
    dispatch = _Opcodes()
    for _name in _OPCODES.split():
        dispatch[getattr(pickle, _name)[0]] = pickle._Unpickler.dispatch[getattr(pickle, _name)[0]]

    def find_class(self, module: str, name: str) -> _Global:
        return _Global(f"{module} {name}")

    def persistent_load(self, pid: Any) -> _Stored:
        word, kind, key, _, length = pid
        known = word == "storage" and type(kind) is _Global and kind in _DTYPES
        if not known or type(key) is not str or type(length) is not int:
            raise ValueError("the place of a tensor's numbers makes no sense")
        return _Stored(key, kind, length)

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = _called(self.stack[-1], arguments)

    def load_newobj(self) -> None:
        self.stack.pop()
        self.stack[-1] = _Inert()

    def load_build(self) -> None:
        self.stack.pop()  # the state of a stand-in, or attributes of a dictionary

    def load_appends(self) -> None:
        self._fill(self.pop_mark())  # type: ignore[attr-defined]

    def load_append(self) -> None:
        self._fill([self.stack.pop()])

    def load_setitems(self) -> None:
        self._fill(self.pop_mark())  # type: ignore[attr-defined]

    def load_setitem(self) -> None:
        self._fill([self.stack.pop(-2), self.stack.pop()])

    def _fill(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif type(target) is dict:
            pairs = zip(items[::2], items[1::2], strict=True)
            target.update((key, value) for key, value in pairs if type(key) in (str, int))

    dispatch |= {
        pickle.REDUCE[0]: load_reduce, pickle.NEWOBJ[0]: load_newobj, pickle.BUILD[0]: load_build,
        pickle.APPENDS[0]: load_appends, pickle.APPEND[0]: load_append,
        pickle.SETITEMS[0]: load_setitems, pickle.SETITEM[0]: load_setitem,
    }  # fmt: skip


def _called(function: Any, arguments: Any) -> Any:
    """Return what one of torch's constructors returns, or a stand-in."""
    if function == "collections OrderedDict" and arguments == ():
        return {}
    if function == "torch._utils _rebuild_parameter":
        return arguments[0]
    if function != "torch._utils _rebuild_tensor_v2":
        return _Inert()
    stored, offset, size, stride, *_ = arguments
    if type(stored) is not _Stored or type(size) is not tuple or len(size) > _MOST_DIMENSIONS:
        raise ValueError("a tensor's size makes no sense")
    if any(type(number) is not int or number < 0 for number in (offset, *size, *stride)):
        raise ValueError("a tensor's size is no number")
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if math.prod(size) > stored.length or (math.prod(size) and last >= stored.length):
        raise ValueError("a tensor is larger than the numbers stored for it")
    return _View(stored, offset, size, stride)


def _weights(path: Path) -> dict[str, Tensor] | None:
    """Return the tensors of the ``state_dict``; None without one."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        found = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(found) != 1 or len(set(names)) != len(names):
            raise ValueError("expected one data.pkl, and no name twice")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("its entries are compressed")
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise ValueError("its entries are larger than the file")
        root = found[0].removesuffix("data.pkl")
        if archive.getinfo(found[0]).file_size > _MOST_PICKLE:
            raise ValueError(f"its pickle has more than {_MOST_PICKLE:,} bytes")
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("its numbers are big-endian")
        content = _Reader(io.BytesIO(archive.read(found[0]))).load()
        weights = content.get("state_dict") if type(content) is dict else None
        if type(weights) is not dict:
            return None

        @cache  # tensors may share one storage
        def numbers(stored: _Stored) -> Tensor:
            data, dtype = bytearray(archive.read(f"{root}data/{stored.key}")), _DTYPES[stored.kind]
            if len(data) != stored.length * dtype.itemsize:
                raise ValueError(f"data/{stored.key} has {len(data):,} bytes; its tensors expect others")
            return torch.frombuffer(data, dtype=dtype) if data else torch.zeros(0, dtype=dtype)

        views = {name: value for name, value in weights.items() if type(value) is _View and type(name) is str}
        return {
            name: numbers(at.stored).as_strided(at.size, at.stride, at.offset) for name, at in views.items()
        }


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint's ``state_dict``, without running any code of the file.

    Raises:
        AlignPartsError: no such file, not a checkpoint of torch, or without a ``state_dict``.
    """
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; {_EXPECTED}")
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == b"PK\3\4"
        weights = _weights(path) if is_zip else None
    except Exception as error:  # a crafted file fails in ways without number
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise AlignPartsError(
            f"{path}: not a readable checkpoint ({reason}); {_EXPECTED}, or {_AGAIN}"
        ) from None
    if not is_zip:
        raise AlignPartsError(
            f"{path}: expected a checkpoint written by torch 1.6 or later (a zip archive); {_AGAIN}"
        )
    if weights is None:
        raise AlignPartsError(f"{path}: state_dict: missing; {_EXPECTED}")
    return weights


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
