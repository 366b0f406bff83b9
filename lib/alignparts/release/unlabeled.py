"""Real shapes without names: samples whose parts are the connected components of their surface.

Samples of all shapes are drawn once, since reading the meshes takes a minute.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int64
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from scipy.spatial import cKDTree
from tqdm.auto import tqdm

from alignparts.core import paths
from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError
from alignparts.corpus import geometry
from alignparts.corpus.duplicates import TOLERANCE, describe_triangles
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.readers import Locator, read
from alignparts.model.backbone.pose import QUARTERS, posed
from alignparts.patches.components import component_parts
from alignparts.release.changes import changed_samples
from alignparts.release.stream import TRIES, drawn

SAMPLES = 8192
"""Samples per shape that are kept."""
DRAWS = 2
"""Draws of every shape, which should get one category."""
VERSION = 1
"""To be raised where the same meshes give other samples."""
FILE = "samples.safetensors"


@dataclass(frozen=True)
class Pieces:
    """Shape of a batch without names, the connected component of every point as its part."""

    points: Float32[np.ndarray, "n 3"]
    normals: Float32[np.ndarray, "n 3"]
    colors: Float32[np.ndarray, "n 3"]
    part: Int64[np.ndarray, " n"]


class Unlabeled:
    """Unlabeled shapes by their number, drawn and changed at random; one is read when it is asked for.

    Args:
        path: file that :func:`prepared` wrote.
        seed: seed of everything.
    """

    def __init__(self, path: Path, seed: int = 0) -> None:
        self.file, self.seed, self.digest = safe_open(path, framework="np"), seed, _made_of(path)
        self.count = self.file.get_slice("part").get_shape()[0]

    def shape(self, number: int, points: int) -> Pieces:
        """Return the shape of a number at some of its points, at most `SAMPLES`.

        :data:`DRAWS` numbers that follow each other are draws of one shape.
        """
        # The stream's attempts are below TRIES.
        index = int(np.random.default_rng([self.seed, number // DRAWS, TRIES]).integers(self.count))
        rng = np.random.default_rng([self.seed, number, TRIES + 1])
        part = self.file.get_slice("part")[index].astype(np.int64)
        at = drawn(part, points, rng)
        arrays = {
            name: self.file.get_slice(name)[index][at].astype(np.float32) / scale
            for name, scale in (("points", 1), ("normals", 1), ("colors", 255))
        }
        arrays = changed_samples(arrays, part[at], rng)
        quarter = int(rng.integers(QUARTERS))
        arrays["points"], arrays["normals"] = posed(arrays["points"], arrays["normals"], quarter)
        return Pieces(**arrays, part=part[at])


def unlabeled_of(
    located: Mapping[str, tuple[str, Locator]], splits: pd.DataFrame, seed: int = 0
) -> Unlabeled:
    """Return the unlabeled shapes beside the open set; arguments are what :func:`open_splits` returns.

    Raises:
        AlignPartsError: as :func:`prepared`.
    """
    apart = {name: located[name] for name in splits.shape_id[splits.split != "train"]}
    return Unlabeled(prepared(paths.DATA / "open" / geometry.MANIFEST, apart), seed)


def prepared(manifest: Path, apart: Mapping[str, tuple[str, Locator]]) -> Path:
    """Return the file of samples of a manifest's shapes, made anew where manifest or ``apart`` changed.

    Left out are files that cannot be read, shapes whose components are no parts, and copies of a shape before
    or of one in ``apart``, the shapes that models are tried on, by id.

    Raises:
        AlignPartsError: the files are not there, or no shape is left.
    """
    path = manifest.parent / geometry.FILES / FILE
    known = [VERSION, hashlib.sha256(manifest.read_bytes()).hexdigest(), sorted(apart)]
    made_of = hashlib.sha256(json.dumps(known).encode()).hexdigest()
    if _made_of(path) != made_of:
        tested = [describe_triangles(_triangles(read(*at).surface)) for at in apart.values()]
        found = list(_samples(geometry.meshes(manifest), tested))
        if not found:
            raise AlignPartsError(f"{manifest}: no shape of 2 to 50 connected components in it")
        arrays = {name: np.stack([one[name] for one in found]) for name in found[0]}
        write_atomically(path, lambda at: at.write_bytes(save(arrays, {"made_of": made_of})))
    return path


def _samples(paths: list[Path], tested: list[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Yield the arrays of the shapes that are kept."""
    seen = list(tested)
    for path in tqdm(paths, desc="unlabeled shapes", mininterval=1.0):
        try:
            surface = component_parts(load_mesh(path).surface)
        except AlignPartsError:
            continue
        if surface is None:
            continue
        moments = describe_triangles(_triangles(surface))
        if seen and cKDTree(seen).query(moments, p=np.inf)[0] < TOLERANCE:
            continue
        seen.append(moments)
        sample = sample_surface(surface, SAMPLES, 0)
        yield {
            "points": sample.points.astype(np.float16),
            "normals": sample.normals.astype(np.float16),
            "colors": np.round(sample.colors * 255).astype(np.uint8),
            "part": sample.instance.astype(np.uint8),
        }


def _triangles(surface: Surface) -> np.ndarray:
    return surface.vertices[surface.faces]


def _made_of(path: Path) -> str:
    """Return what the samples of a file were made of; "" where there is none."""
    try:
        with safe_open(path, framework="np") as file:
            return (file.metadata() or {}).get("made_of", "")
    except (FileNotFoundError, SafetensorError):
        return ""
