"""Write the embedded TexVerse-like folder: generated shapes without part labels, and broken files."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32
from scipy.spatial import cKDTree

import procparts
from alignparts.core.atomic import write_atomically
from alignparts.core.config import Params
from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.corpus import dialects
from alignparts.corpus.dialects import Dialects, load_dialects
from alignparts.corpus.embedded import surface_of
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.corpus.mesh.sampling import seed_of
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.writers.common import write_bytes, write_json
from procparts import CATEGORIES, Piece, generate
from texparts.filter.inspection import has_colors
from texparts.raw import texverse
from texparts.raw.malformed import KINDS

TERMS = ("CC Attribution", "CC Attribution-ShareAlike", "CC Attribution-NonCommercial", "CC0 Public Domain")
_STAMP = "embedded.json"
_MOST_MESHES = 6


@dataclass(frozen=True)
class TexVerseLike:
    """The written folders.

    Attributes:
        root: TexVerse-like folder.
        truth: folder for a simulated annotator alone: ``<id>.npy``, the part of every face in the order in
            which :func:`meshio.load_mesh` gives them; ``<id>.json`` with category and part names;
            ``malformed.json``, the kind of every broken file by its id.
    """

    root: Path
    truth: Path

    def malformed(self) -> dict[str, str]:
        """Return the kind of every broken file, by id."""
        return json.loads((self.truth / "malformed.json").read_text())

    def labels(self, object_id: str) -> tuple[str, list[str], Int32[np.ndarray, " faces"]]:
        """Return category, part names and the part of every face, -1 unlabeled."""
        names = json.loads((self.truth / f"{object_id}.json").read_text())
        faces = np.load(self.truth / f"{object_id}.npy", allow_pickle=False)
        return names["category"], names["parts"], faces


@dataclass(frozen=True)
class _Job:
    """A good shape (``kind`` is "") or a broken file."""

    folder: TexVerseLike
    uid: str
    number: int
    seed: int
    free_yaw: float
    category: str = ""
    kind: str = ""

    @property
    def path(self) -> str:
        """Return the path of the GLB relative to the TexVerse-like folder."""
        return texverse.path_of(self.number, self.uid)


def write_texverse_like(root: Path, params: Params, seed: int) -> TexVerseLike:
    """Write ``root/texverse`` in TexVerse's own format and ``root/truth`` outside of it.

    None of the shapes is in the embedded corpus. They carry no part labels, and their meshes do not follow
    the parts. A run that was killed goes on; other sizes keep the existing files; equal seeds give equal
    files. AlignPartsError tells that ``root`` holds other files.
    """
    folder = TexVerseLike(root / "texverse", root / "truth")
    _clear_if_stale(folder, params, seed)
    jobs = _plan(folder, params, seed)
    workers, scheduler = params.base.workers, params.base.scheduler
    entries = map_shapes(_make, jobs, workers=workers, scheduler=scheduler, description="texverse-like")
    wanted = {folder.root / job.path for job in jobs}
    for path in folder.root.glob("glbs/*/*/*.glb"):
        if path not in wanted:
            path.unlink()
    write_json(folder.truth / "malformed.json", {job.uid: job.kind for job in jobs if job.kind}, indent=1)
    metadata = {job.uid: entry for job, entry in zip(jobs, entries, strict=True)}
    write_json(folder.root / "metadata.json", metadata, indent=1)
    return folder


def _read_labels(path: Path, surface: Surface, part: np.ndarray) -> Int32[np.ndarray, " faces"]:
    """Return the labels of a surface's faces in the order in which its file gives them back."""
    read = load_mesh(path).surface
    written = surface.vertices[surface.faces].reshape(-1, 9)
    distance, nearest = cKDTree(written).query(read.vertices[read.faces].reshape(-1, 9))
    # Corners may come back in turned order; none does here, and a shape that is another one is far off.
    extent = float(np.ptp(surface.vertices, axis=0).max())
    if len(read.faces) != len(written) or distance.max() > 1e-4 * extent:
        raise AlignPartsError(f"{path}: does not hold the shape that was written")
    return part[nearest].astype(np.int32)


def _plan(folder: TexVerseLike, params: Params, seed: int) -> list[_Job]:
    def job(key: str, number: int, category: str, kind: str = "") -> _Job:
        key_seed = seed_of(f"texverse/{f'broken/{kind}' if kind else key}", seed)
        uid = hashlib.sha256(f"texverse/{seed}/{key}".encode()).hexdigest()[:32]
        return _Job(
            folder, uid, number, key_seed, 0.0 if kind else params.corpus.embedded.free_yaw, category, kind
        )

    size, unseen = params.texparts, sorted({*params.corpus.heldout} & {*CATEGORIES})
    seen = sorted(set(CATEGORIES) - set(unseen))
    order = sorted(seen, key=lambda name: hashlib.sha256(f"texverse:{seed}:{name}".encode()).hexdigest())
    strange = size.unseen if unseen else 0
    names = [order[index % len(order)] for index in range(size.shapes - strange)]
    names += [unseen[index % len(unseen)] for index in range(strange)]
    jobs: list[_Job] = []
    for number, name in enumerate(names):
        jobs.append(job(f"{name}/{names[:number].count(name)}", number, name))
    for kind in KINDS:
        broken = job(kind, len(jobs), "", kind)
        broken = replace(broken, category=order[broken.seed % len(order)])
        if kind == "duplicate":
            # Of the first shape, and later in the order of files: the first stays.
            broken = replace(jobs[0], uid="f" * 8 + broken.uid[8:], number=broken.number, kind=kind)
        jobs.append(broken)
    return jobs


def _make(job: _Job) -> dict[str, Any]:
    """Write one object, unless it is there; returns its entry of metadata.json."""
    rng = np.random.default_rng(job.seed)
    path, labels = job.folder.root / job.path, job.folder.truth / f"{job.uid}.npy"
    pieces, surface = _colored(job, rng)
    license = TERMS[int(rng.integers(len(TERMS)))]
    if job.kind:
        license = KINDS[job.kind].license or license
        if not path.is_file():
            write_bytes(path, KINDS[job.kind].make(replace(surface, face_part=_whole(surface)), rng))
    elif not path.is_file() or not labels.is_file():
        category, names, part = _named(
            job.category, [piece.part for piece in pieces], surface, load_dialects()
        )
        texverse.write(path, surface, _meshes(surface, rng))
        array = _read_labels(path, surface, part)
        write_json(labels.with_suffix(".json"), {"category": category, "parts": names})
        write_atomically(labels, lambda temporary: np.save(temporary, array, allow_pickle=False))
    return {
        "glb_paths": [job.path], "license": license,
        "name": f"{job.category.replace('_', ' ')} {job.number:02d}",
        "tags": [job.category.replace("_", "-"), "prop"], "faceCount": len(surface.faces),
        "max_texture": texverse.RESOLUTION, "pbrType": "metalness", "isRigged": False,
    }  # fmt: skip


def _colored(job: _Job, rng: np.random.Generator) -> tuple[list[Piece], Surface]:
    """Generate a shape that is not of one color all over, as all of TexVerse."""
    while True:
        pieces = generate(job.category, rng, job.free_yaw)
        surface = surface_of(pieces)
        if has_colors(surface):
            return pieces, surface


def _named(
    category: str, parts: Sequence[str], surface: Surface, words: Dialects
) -> tuple[str, list[str], np.ndarray]:
    """Return category and part names as the first data set with them writes them, and every face's part."""
    dataset = words.datasets(category)[0]
    written = [words.part(category, dataset, part) for part in parts]
    plain = ["" if name is None else name.rsplit("/", 1)[-1] for name in written]
    names = sorted({name for name in plain if name})
    table = np.array([names.index(name) if name else -1 for name in plain], np.int32)
    return words.category(category, dataset), names, table[surface.face_part]


def _meshes(surface: Surface, rng: np.random.Generator) -> np.ndarray:
    """Cut a file into meshes as a maker happens to: not at all, by material, or anyhow."""
    kind = rng.choice(["one", "material", "planes"], p=[0.5, 0.2, 0.3])
    if kind == "one":
        return _whole(surface)
    if kind == "material":
        return np.unique(surface.face_material, return_inverse=True)[1] % _MOST_MESHES
    center = surface.vertices[surface.faces].mean(axis=1)
    sides = np.zeros(len(center), np.int64)
    for _ in range(2):
        height = center @ rng.normal(size=3)
        sides = 2 * sides + (height > np.quantile(height, rng.uniform(0.3, 0.7)))
    return np.unique(sides, return_inverse=True)[1]


def _whole(surface: Surface) -> np.ndarray:
    return np.zeros(len(surface.faces), np.int32)


def _clear_if_stale(folder: TexVerseLike, params: Params, seed: int) -> None:
    """Start afresh where the folder was made by other code or another seed; sizes may change."""
    here = Path(__file__)
    corpus = Path(dialects.__file__).parent
    files = [
        here, here.with_name("malformed.py"), here.with_name("texverse.py"), corpus / "mesh" / "glb.py",
        *sorted(Path(procparts.__file__).parent.rglob("*.py")), *sorted(corpus.glob("dialects/*.yaml")),
    ]  # fmt: skip
    code = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    stamp = {"code": code, "seed": seed, "free_yaw": params.corpus.embedded.free_yaw}
    marker = folder.truth / _STAMP
    if marker.is_file() and json.loads(marker.read_text()) == stamp:
        return
    if marker.is_file():
        shutil.rmtree(folder.root, ignore_errors=True)
        shutil.rmtree(folder.truth, ignore_errors=True)
    elif any(path.is_dir() and any(path.iterdir()) for path in (folder.root, folder.truth)):
        raise AlignPartsError(f"{folder.root}: not empty and not embedded; choose another folder")
    write_json(marker, stamp)
