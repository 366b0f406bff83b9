"""The reader of foreign checkpoints: torch's own answer on honest files, one error on all others."""

import io
import os
import pickle
import random
import struct
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from alignparts.core.errors import AlignPartsError
from alignparts.features.partfield_convert import read_checkpoint

Entries = dict[str, bytes]


def archive(entries: Entries, kind: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as zipped:
        for name, data in entries.items():
            zipped.writestr(name, data)
    return stream.getvalue()


def saved(content: Any, **options: Any) -> Entries:
    """Entries of a file of torch.save; numbers are in data/."""
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    with zipfile.ZipFile(stream) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def checkpoint() -> dict[str, Any]:
    base = torch.arange(24, dtype=torch.float32)
    kinds = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.bool)
    weights = OrderedDict(
        plain=base.reshape(4, 6).clone(), turned=base.reshape(4, 6).T, part=base[5:17].reshape(3, 4)[:, ::2],
        alone=torch.tensor(3.5), none=torch.zeros(0, 3), parameter=torch.nn.Parameter(torch.ones(2)),
        **{str(kind): torch.tensor([0, 1, 1]).to(kind) for kind in kinds},
    )  # fmt: skip
    weights._metadata = OrderedDict()  # type: ignore[attr-defined]  # as those of modules
    return {
        "state_dict": weights,
        "epoch": 3,
        "args": [torch.Size([2]), (1, 2.5, None, True, 2**70), {7: "x"}],
    }


def pickled(*opcodes: bytes) -> Entries:
    """A checkpoint whose pickle is made by hand; it leaves {"state_dict": {}} unless it stops before."""
    end = b"}X\x0a\x00\x00\x00state_dict}s."
    return {"a/data.pkl": b"\x80\x02" + b"".join(opcodes) + end, "a/version": b"3\n"}


def tensor(size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0, length: int = 4) -> Entries:
    """A checkpoint of one tensor with four numbers, which claims what it is told."""

    def number(value: int) -> bytes:
        return pickle.dumps(value, 2)[2:-1]

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    text = b"X\x07\x00\x00\x00storage"
    place = (
        b"(" + text + b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + number(length) + b"tQ"
    )
    arguments = b"(" + place + number(offset) + numbers(size) + numbers(stride) + b"\x89Nt"
    weights = b"}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rs"
    return {"a/data.pkl": b"\x80\x02}X\x0a\x00\x00\x00state_dict" + weights + b"s.", "a/data/0": bytes(16)}


def test_honest_files_are_read_as_torch_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    torch.save(checkpoint(), path)
    expected = torch.load(path, weights_only=True)["state_dict"]
    found = read_checkpoint(path)
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name
    path.write_bytes(archive(tensor((2, 2), (2, 1))))
    assert torch.equal(read_checkpoint(path)["w"], torch.zeros(2, 2))


def two_directories(shown: Entries, hidden: Entries) -> bytes:
    """A zip that is ``shown`` by the directory before its end, ``hidden`` by the one at the stated offset."""
    shown |= {f"a/{number}": b"" for number in range(len(hidden) - len(shown))}
    rooms, directories = [], []
    for entries in (shown, hidden):
        data = archive(entries)
        size, at = struct.unpack("<II", data[-10:-2])
        rooms.append(data[:at])
        directories.append(bytearray(data[at : at + size]))
    longest = max(map(len, directories))
    for directory in directories:  # a comment makes them one size
        last = directory.rindex(b"PK\1\2")
        directory[last + 32 : last + 34] = struct.pack("<H", longest - len(directory))
        directory += b" " * (longest - len(directory))
    at = 0
    while (at := directories[0].find(b"PK\1\2", at)) >= 0:
        (offset,) = struct.unpack("<I", directories[0][at + 42 : at + 46])
        directories[0][at + 42 : at + 46] = struct.pack("<I", offset + len(rooms[1]) - len(rooms[0]))
        at += 46
    count = len(hidden)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, longest, len(rooms[1]), 0)
    return b"".join([rooms[1], directories[1], rooms[0], directories[0], end])


INERT: dict[str, Callable[[], bytes]] = {
    "reduce": lambda: archive(pickled(b"cos\nsystem\nX\x0e\x00\x00\x00touch attacked\x85R")),
    "untyped": lambda: archive(pickled(b"ctorch.storage\nUntypedStorage\n\x8a\x08AAAAAAA\x00\x85R")),
    "memo of 4 GB": lambda: archive(pickled(b"Nr\xff\xff\xff\xff")),
}
LAUGHS = b"]" + b"q\x00(h\x00h\x00t" * 200
CRAFTED: dict[str, Callable[[], bytes]] = {
    "newobj_ex": lambda: archive(pickled(b"ctorch.storage\nUntypedStorage\n)}\x92")),
    "bytes8": lambda: archive(pickled(b"\x8e" + struct.pack("<Q", 2**40))),
    "text": lambda: archive(pickled(b"X\xff\xff\xff\x7f")),
    "memo": lambda: archive(pickled(b"h\x07")),
    "inst": lambda: archive(pickled(b"(X\x01\x00\x00\x00xios\nsystem\n")),
    "extension": lambda: archive(pickled(b"\x82\x01")),
    "global": lambda: archive(pickled(b"X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93")),
    "id": lambda: archive(pickled(b"NQ")),
    "kind": lambda: archive(pickled(b"(X\x07\x00\x00\x00storage" + b")" + b"\x85" * 100_000 + b"NNNtQ")),
    "laughs": lambda: archive(pickled(b"(" + LAUGHS + b"NNNNtQ")),
    "stack": lambda: archive(pickled(b"aaaa")),
    "cut": lambda: archive({"a/data.pkl": b"\x80\x02}X\x0a\x00\x00\x00state"}),
    "no state": lambda: archive({"a/data.pkl": b"\x80\x02N."}),
    "two pickles": lambda: archive({**pickled(), **{"b/data.pkl": b"N."}}),
    "compressed": lambda: archive({**pickled(), "a/data/0": bytes(1 << 24)}, zipfile.ZIP_DEFLATED),
    "big-endian": lambda: archive({**pickled(), "a/byteorder": b"big"}),
    "past the end": lambda: archive(tensor((2, 2), (3, 1))),
    "offset": lambda: archive(tensor((2,), (1,), offset=3)),
    "negative": lambda: archive(tensor((2,), (1,), offset=-1)),
    "backwards": lambda: archive(tensor((2,), (-1,), offset=3)),
    "expanded": lambda: archive(tensor((2**40,), (0,))),
    "vast": lambda: archive(tensor((2**62, 2**62, 0), (1, 1, 1), length=2**70)),
    "dimensions": lambda: archive(tensor((1,) * 10_000, (1,) * 10_000)),
    "claims": lambda: archive(tensor((8,), (1,), length=8)),
    "fewer": lambda: archive(tensor((2,), (1,), length=2)),
    "strides": lambda: archive(tensor((2, 2), (1,))),
    "no numbers": lambda: archive({"a/data.pkl": tensor((1,), (1,))["a/data.pkl"]}),
    "legacy": lambda: pickle.dumps(torch.serialization.MAGIC_NUMBER, 2),
    "protocol 4": lambda: archive(saved({"state_dict": {}}, pickle_protocol=4)),
    "prefixed": lambda: b"#!/bin/sh\n" + archive(pickled()),
    "empty": lambda: b"",
}  # fmt: skip


@pytest.mark.parametrize("name", [*CRAFTED, *INERT])
def test_a_crafted_file_is_one_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("crafted.ckpt")
    path.write_bytes((CRAFTED | INERT)[name]())
    if name in INERT:  # what they name is never looked up
        assert read_checkpoint(path) == {}
    else:
        with pytest.raises(AlignPartsError, match=r"^crafted\.ckpt: [^\n]*(expected|missing)"):
            read_checkpoint(path)
    assert os.listdir() == ["crafted.ckpt"]


def test_deep_nesting_neither_overflows_nor_is_taken_for_a_key(tmp_path: Path) -> None:
    path = tmp_path / "deep.ckpt"
    for nested in (b")" + b"\x85" * 200_000, b"]" * 200_000 + b"a" * 199_999):
        path.write_bytes(archive(pickled(b"}" + nested + b"Ns")))
        assert read_checkpoint(path) == {}


def test_a_program_is_not_run_whatever_directory_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python reads one directory of the zip; torch's own reader finds the other, which is a program."""

    class Program(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    def never(*_: object, **__: object) -> None:
        raise AssertionError("torch has opened a foreign file")

    torch.jit.save(torch.jit.script(Program()), stream := io.BytesIO())
    with zipfile.ZipFile(stream) as zipped:
        program = {name: zipped.read(name) for name in zipped.namelist()}
    monkeypatch.setattr(torch, "load", never)
    monkeypatch.setattr(torch.jit, "load", never)
    path = tmp_path / "two.ckpt"
    path.write_bytes(two_directories(pickled(), program))
    with zipfile.ZipFile(path) as zipped:
        assert zipped.namelist()[:2] == ["a/data.pkl", "a/version"]
    assert "constants.pkl" in torch._C.PyTorchFileReader(str(path)).get_all_records()
    assert read_checkpoint(path) == {}
    path.write_bytes(archive(program))
    with pytest.raises(AlignPartsError, match="state_dict: missing"):
        read_checkpoint(path)


def test_what_is_no_file_of_its_own_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ckpt")
    with pytest.raises(AlignPartsError, match="no such file"):
        read_checkpoint(tmp_path / "pipe.ckpt")
    with tarfile.open(tmp_path / "tar.ckpt", "w") as tar:
        about = tarfile.TarInfo("storages")
        about.type = tarfile.FIFOTYPE
        tar.addfile(about)
    with pytest.raises(AlignPartsError, match="save it again, where you trust it: torch.save"):
        read_checkpoint(tmp_path / "tar.ckpt")


def mutant(chance: random.Random, data: bytes) -> bytes:
    """Change, drop, double or insert a few bytes."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        at, kind = chance.randrange(len(changed)), chance.randrange(4)
        piece = changed[at : at + chance.choice([1, 2, 8, 64])]
        if kind == 0:
            changed[at] = chance.randrange(256)
        elif kind == 1 and len(changed) > 100:
            del changed[at : at + len(piece)]
        elif kind == 2:
            changed[at:at] = piece
        else:
            changed[at:at] = chance.randbytes(chance.choice([1, 4])) + chance.choice(
                [b"", b"R", b"Q", b"t", b"s"]
            )
    return bytes(changed)


def fuzzed(count: int, seed: int, path: Path) -> dict[str, int]:
    """Read mutants of a checkpoint; return how many were read and how many refused."""
    chance, entries, seen = random.Random(seed), saved(checkpoint()), {"read": 0, "refused": 0}
    (name,) = [name for name in entries if name.endswith("data.pkl")]
    whole = archive(entries)
    for number in range(count):
        inner = {**entries, name: mutant(chance, entries[name])}
        path.write_bytes(mutant(chance, whole) if number % 4 == 3 else archive(inner))
        try:
            read_checkpoint(path)
            seen["read"] += 1
        except AlignPartsError:
            seen["refused"] += 1
    return seen


def test_every_mutant_is_read_or_refused(tmp_path: Path) -> None:
    seen = fuzzed(400, 0, tmp_path / "mutant.ckpt")
    assert min(seen.values()) > 10
