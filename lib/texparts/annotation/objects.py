"""Write and read objects on their way through Tex-Parts, one folder per object.

``ROOT/objects/<object_id>/`` holds ``mesh.glb``, ``about.json``, ``face_labels.npy``, ``clusters.npz`` and
``thumbnail.png``. None of them changes once it is written; people's work is in the database.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Int32
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alignparts.core.config import load_params
from alignparts.core.config.texparts import FilterParams
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import InputMesh, load_mesh
from texparts.annotation.annotation import Annotation, Part
from texparts.filter.claims import check_claims
from texparts.filter.rejected import Rejected

OBJECT_ID = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$"
"""Names of objects, which are names of folders, too."""


@cache
def hard_limits() -> FilterParams:
    """Return limits for reading an object, looser than those of any sensible filter."""
    limits = {"megabytes": 2048, "faces": (1, 10_000_000), "texture_pixels": 2 * 8192**2}
    return load_params().texparts.filter.model_copy(update=limits)


class PartRecord(BaseModel):
    """A predicted part; its place in ``About.parts`` is its number in ``face_labels.npy``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    confidence: float = Field(ge=0, le=1)
    soft: float = Field(ge=0, le=1)
    mahalanobis: float | None = Field(None, ge=0, le=1)
    mask_confidence: float = Field(ge=0, le=1)
    auto_accepted: bool = False


class About(BaseModel):
    """Content of ``about.json``: an object's origin and prediction.

    Attributes:
        object_id: name of letters, digits, dots, dashes and underscores.
        source: input file, relative to the folder of the data set.
        license: license as the data set states it.
        title: author's title of the object, "" if there is none.
        category: predicted category.
        faces: number of faces of the mesh.
        parts: predicted parts.
        model: folder name and hash of the model's weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    object_id: str = Field(pattern=OBJECT_ID)
    source: str = ""
    license: str = ""
    title: str = ""
    category: str = ""
    faces: int = Field(ge=1)
    parts: tuple[PartRecord, ...] = ()
    model: str = ""

    @property
    def confidence(self) -> float:
        """Return the mean of the parts' confidences (section 13's order); 0 without parts."""
        return float(np.mean([part.confidence for part in self.parts])) if self.parts else 0.0


@dataclass(frozen=True)
class ObjectFolder:
    """One object's folder."""

    path: Path

    @property
    def object_id(self) -> str:
        """Return the name of the folder."""
        return self.path.name

    @property
    def thumbnail(self) -> Path:
        """Return the path of the picture."""
        return self.path / "thumbnail.png"

    def about(self) -> About:
        """Return the content of ``about.json``; raises AlignPartsError if it is missing or not valid."""
        path = self.path / "about.json"
        try:
            return About.model_validate_json(path.read_text())
        except OSError as error:
            raise AlignPartsError(
                f"{path}: cannot be read ({error.strerror}); run: texparts predict"
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            raise AlignPartsError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    def mesh(self) -> InputMesh:
        """Return the mesh, whose faces are in the order of every label of the folder.

        Raises:
            AlignPartsError: the mesh cannot be read, or claims more than :func:`hard_limits`.
        """
        path = self.path / "mesh.glb"
        try:
            check_claims(path, path.read_bytes(), hard_limits(), decode=False)
        except Rejected as rejected:
            if rejected.reason != "texture_broken":  # without it, the shape is still there
                raise AlignPartsError(f"{path}: {rejected.detail}") from None
        except OSError:
            pass  # load_mesh tells the fault
        return load_mesh(path)

    def prediction(self) -> Annotation:
        """Return the model's annotation; raises AlignPartsError if the files do not fit each other."""
        about = self.about()
        labels = self._load("face_labels.npy", lambda stored: _labels(stored, about.faces, -1))
        if labels.max(initial=-1) >= len(about.parts):
            raise AlignPartsError(
                f"{self.path / 'face_labels.npy'}: expected labels below {len(about.parts)}"
            )
        fields = ("name", "description", "confidence", "mask_confidence", "auto_accepted")
        parts = tuple(Part(i, *(getattr(part, key) for key in fields)) for i, part in enumerate(about.parts))
        return Annotation(about.category, labels.astype(np.int32), parts, len(parts))

    def clusters(self) -> dict[int, Int32[np.ndarray, " faces"]]:
        """Return the geometry field's cluster of every face, by the number of clusters."""
        faces = self.about().faces
        return self._load(
            "clusters.npz",
            lambda stored: {
                int(key): _labels(stored[key], faces, 0) for key in sorted(stored.files, key=int)
            },
        )

    def _load(self, name: str, read: Callable[[Any], Any]) -> Any:
        path = self.path / name
        try:
            return read(np.load(path, allow_pickle=False))
        except Exception as error:  # NumPy and zipfile fail in many ways, by MemoryError for one
            raise AlignPartsError(f"{path}: cannot be read: {error}") from None


def _labels(stored: np.ndarray, faces: int, lowest: int) -> Int32[np.ndarray, " faces"]:
    """Return a whole number per face; raise ValueError where the array is none."""
    if stored.shape != (faces,) or stored.dtype.kind not in "iu" or stored.min(initial=lowest) < lowest:
        raise ValueError(f"{stored.dtype} {stored.shape}; expected {faces} whole numbers from {lowest}")
    return stored.astype(np.int32)


def write_object(
    root: Path,
    about: About,
    mesh_glb: bytes,
    face_part: Int[np.ndarray, " faces"],
    clusters: Mapping[int, Int[np.ndarray, " faces"]],
    thumbnail_png: bytes,
) -> ObjectFolder:
    """Write an object's folder under ``root / "objects"``, whole or not at all, in place of an earlier one.

    Args:
        root: work folder.
        about: content of ``about.json``.
        mesh_glb: mesh as a GLB file.
        face_part: place of every face's part in ``about.parts``, -1 unlabeled.
        clusters: cluster of every face, by the number of clusters.
        thumbnail_png: picture as a PNG file.

    Raises:
        AlignPartsError: the folder cannot be written.
    """
    objects = root / "objects"
    target = objects / about.object_id
    try:
        objects.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=objects, prefix=".writing-"))
        try:
            (work / "mesh.glb").write_bytes(mesh_glb)
            (work / "about.json").write_text(about.model_dump_json(indent=2) + "\n")
            np.save(work / "face_labels.npy", face_part.astype(np.int32), allow_pickle=False)
            arrays = {str(count): labels.astype(np.uint16) for count, labels in clusters.items()}
            np.savez_compressed(work / "clusters.npz", allow_pickle=False, **arrays)
            (work / "thumbnail.png").write_bytes(thumbnail_png)
            work.chmod(0o755)
            if target.exists():
                shutil.rmtree(target)
            os.replace(work, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise AlignPartsError(f"{target}: cannot be written: {error.strerror or error}") from None
    return ObjectFolder(target)


def object_folders(root: Path) -> list[ObjectFolder]:
    """Return all objects under ``root / "objects"``, by id; raises AlignPartsError if there is none."""
    folders = sorted(path.parent for path in (root / "objects").glob("[!.]*/about.json"))
    if not folders:
        raise AlignPartsError(f"{root / 'objects'}: no object; run: texparts predict")
    return [ObjectFolder(path) for path in folders]
