"""A mesh in, named parts out: the model with its encoders and its vocabulary."""

import contextlib
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int32
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.faces import face_labels
from alignparts.corpus.mesh.meshio import InputMesh, load_mesh
from alignparts.corpus.mesh.sampling import Sample, sample_surface, seed_of
from alignparts.corpus.mesh.surface import Surface
from alignparts.evaluation.calibration import weighed
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.extract import Encoders, extract
from alignparts.features.partfield import PartField
from alignparts.naming.confidence import CALIBRATION, PAPER, Calibration, Statistics
from alignparts.naming.export import Written, export_named
from alignparts.naming.inference import (
    Mode,
    category_candidates,
    category_confidence,
    closed_vocabulary,
    find_category,
    forward,
    open_vocabulary,
    retrieval,
)
from alignparts.naming.prediction import Candidate, Partlets, Prediction
from alignparts.ontology.text import TextEncoder
from alignparts.ontology.vocabulary import Vocabulary

MANIFEST = "pipeline.json"


class Manifest(BaseModel):
    """What a model was trained with, beside its weights; folders are relative to the model's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    geometry: str = "../geometry"
    appearance: str = "../appearance"
    text_encoder: str = "all-minilm-l6-v2"
    vocabulary: str = "vocabulary.json"
    calibration: str = f"../confidence/{CALIBRATION}"
    views: int = Field(default=8, ge=1)
    resolution: int = Field(default=112, ge=14)
    points: int = Field(default=2048, ge=16)


@dataclass(frozen=True)
class NamedMesh:
    """A mesh whose faces have names.

    Attributes:
        mesh: the input.
        face_part: index into ``prediction.parts`` of every face, -1 unlabeled.
        prediction: the named points that the faces took theirs from.
        mode: "closed", "open" or "query".
    """

    mesh: InputMesh
    face_part: Int32[np.ndarray, " faces"]
    prediction: Prediction
    mode: Mode

    def save(self, folder: Path, *, picture: bool = True) -> Written:
        """Write the GLB, the labels and the picture; see :func:`alignparts.naming.export.export_named`."""
        return export_named(
            self.mesh,
            self.face_part,
            self.prediction.parts,
            folder,
            category=self.prediction.category,
            mode=self.mode,
            picture=picture,
        )

    @property
    def summary(self) -> str:
        """One line: what was found."""
        found = ", ".join(
            f"{part.name} {part.confidence:.2f}{'?' if part.needs_review else ''}"
            for part in self.prediction.parts
        )
        category = f"{self.prediction.category}: " if self.prediction.category else ""
        rest = float((self.face_part < 0).mean())
        unlabeled = f"; {rest:.0%} of the faces unlabeled" if rest > 0.005 else ""
        return f"{self.mesh.path.name}: {category}{found or 'no part found'}{unlabeled}"


class NamedPartsPipeline:
    """ALIGN-Parts with everything it needs to read a mesh.

    Args:
        model: the trained model.
        encoders: the geometry and appearance encoders that it was trained with.
        text: the text encoder that it was trained with.
        vocabulary: for the closed vocabulary; None leaves the open one.
        statistics: for Eq. 18; None leaves Eq. 20.
        manifest: sizes of renders and samples.
        calibration: of the confidences; the paper's values by default.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        encoders: Encoders,
        text: TextEncoder,
        vocabulary: Vocabulary | None = None,
        statistics: Statistics | None = None,
        manifest: Manifest | None = None,
        calibration: Calibration = PAPER,
    ) -> None:
        self.model = model.eval()
        self.encoders = encoders
        self.text = text
        self.vocabulary = vocabulary
        self.statistics = statistics
        self.manifest = manifest or Manifest()
        self.calibration = calibration

    @classmethod
    def from_pretrained(cls, folder: str | Path, device: str = "cpu") -> "NamedPartsPipeline":
        """Load a model folder: weights, statistics, ``pipeline.json`` and what that refers to.

        Raises:
            AlignPartsError: something is missing or does not fit.
        """
        from alignparts.model.alignparts import AlignParts

        folder = Path(folder)
        if not (folder / "config.json").is_file():
            raise AlignPartsError(
                f"{folder}: no trained model (config.json); run: dvc repro train, or --model"
            )
        manifest = read_manifest(folder)
        _check_device(device)
        # huggingface_hub says on stdout where weights come from.
        with contextlib.redirect_stdout(io.StringIO()):
            model = AlignParts.from_pretrained(str(folder)).to(device)
        encoders = Encoders(
            geometry=PartField.from_pretrained(_source(folder, manifest.geometry)),
            appearance=AppearanceEncoder.from_pretrained(_source(folder, manifest.appearance)),
        )
        encoders.geometry.to(device)
        encoders.appearance.to(device)
        text = TextEncoder.from_name(manifest.text_encoder, device)
        own = folder / manifest.vocabulary
        # Without a copy of its own: that of the project whose models/ it lies in.
        path = own if own.is_file() else folder.resolve().parents[1] / "data" / "ontology" / "vocabulary.json"
        vocabulary = Vocabulary.load(path) if path.is_file() else None
        fitted = folder / manifest.calibration
        calibration = Calibration.load(fitted) if fitted.is_file() else PAPER
        known = (folder / "statistics.safetensors").is_file()
        statistics = Statistics.load(folder, calibration.ridge) if known else None
        return cls(model, encoders, text, vocabulary, statistics, manifest, calibration)

    def features(
        self, surface: Surface, key: str, points: int | None = None
    ) -> tuple[Sample, dict[str, Any]]:
        """Samples of a surface and their features; equal keys give equal samples."""
        sample = sample_surface(surface, points or self.manifest.points, seed_of(key, 0))
        arrays = extract(
            surface, sample, self.encoders, views=self.manifest.views, resolution=self.manifest.resolution
        )
        return sample, arrays

    def forward(self, features: dict[str, Any]) -> Partlets:
        """One pass of the model."""
        return forward(self.model, features, next(self.model.parameters()).device)

    def decode(
        self,
        partlets: Partlets,
        *,
        candidates: Sequence[Candidate] | None = None,
        query: Candidate | None = None,
        category: str | None = None,
        fill: bool = False,
    ) -> tuple[Prediction, Mode]:
        """Names for the partlets: by query, by given candidates (open), or by the vocabulary (closed).

        Raises:
            AlignPartsError: an unknown category; no vocabulary where one is needed.
        """
        if query is not None:
            return retrieval(partlets, self.text.encode, query), "query"
        if candidates is not None:
            found = open_vocabulary(
                partlets, self.text.encode, candidates, calibration=self.calibration, fill=fill
            )
            return found, "open"
        if self.vocabulary is None:
            raise AlignPartsError("this model has no vocabulary of its own; give names with --vocabulary")
        sure = 1.0
        if category is None:
            category = find_category(partlets, self.text.encode, self.vocabulary)
            sure = category_confidence(partlets, self.text.encode, self.vocabulary, self.calibration)
        category = self.vocabulary.resolve_category(category)
        prediction = closed_vocabulary(
            partlets,
            self.text.encode,
            category_candidates(self.vocabulary, category),
            category=category,
            statistics=self.statistics,
            calibration=self.calibration,
            sure=sure,
            fill=fill,
        )
        return weighed(prediction, self.calibration, sure), "closed"

    def name(
        self,
        mesh: InputMesh | str | Path,
        *,
        candidates: Sequence[Candidate] | None = None,
        query: Candidate | str | None = None,
        category: str | None = None,
        fill: bool = False,
        points: int | None = None,
    ) -> NamedMesh:
        """Name the parts of a mesh.

        Args:
            mesh: a file or a loaded mesh.
            candidates: your names (open vocabulary).
            query: one name to find.
            category: skips Eq. 16.
            fill: leave no face unlabeled.
            points: surface samples; the manifest's by default.

        Raises:
            AlignPartsError: an unreadable mesh, an unknown category, empty names.
        """
        if not isinstance(mesh, InputMesh):
            mesh = load_mesh(mesh)
        if category is not None and self.vocabulary is not None:
            self.vocabulary.resolve_category(category)
        asked = Candidate(query.strip()) if isinstance(query, str) else query
        if asked is not None and not asked.text:
            raise AlignPartsError("the query is empty; expected a part's name, such as 'handle'")
        sample, arrays = self.features(mesh.surface, mesh.path.name, points)
        prediction, mode = self.decode(
            self.forward(arrays), candidates=candidates, query=asked, category=category, fill=fill
        )
        return self.carry(mesh, sample, prediction, mode, fill)

    __call__ = name

    @staticmethod
    def carry(mesh: InputMesh, sample: Sample, prediction: Prediction, mode: Mode, fill: bool) -> NamedMesh:
        """Take a prediction from the samples to the faces; parts that win no face are dropped."""
        labels = face_labels(
            mesh.surface, sample, prediction.point_part, len(prediction.parts), fill=fill and mode != "query"
        )
        kept = np.unique(labels[labels >= 0])
        table = np.full(len(prediction.parts) + 1, -1, np.int32)
        table[kept] = np.arange(len(kept), dtype=np.int32)
        points = table[prediction.point_part].astype(np.int64)
        parts = [prediction.parts[index] for index in kept.tolist()]
        return NamedMesh(mesh, table[labels], Prediction(points, parts, prediction.category), mode)


def read_manifest(folder: Path) -> Manifest:
    """``pipeline.json`` of a model folder; the defaults where it has none.

    Raises:
        AlignPartsError: it is not valid.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return Manifest()
    try:
        return Manifest.model_validate_json(path.read_text())
    except ValidationError as error:
        first = error.errors()[0]
        raise AlignPartsError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def write_manifest(folder: Path, manifest: Manifest, vocabulary: Path | None = None) -> None:
    """Write ``pipeline.json`` into a model folder, and a copy of its vocabulary beside it."""
    if vocabulary is not None:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(vocabulary, folder / manifest.vocabulary)
    write_text(folder / MANIFEST, json.dumps(manifest.model_dump(), indent=2) + "\n")


def _source(folder: Path, name: str) -> str:
    beside = folder / name
    return str(beside.resolve()) if beside.is_dir() or name.startswith(".") else name


def _check_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise AlignPartsError(f"--device {device}: {str(error).splitlines()[0]}") from None
