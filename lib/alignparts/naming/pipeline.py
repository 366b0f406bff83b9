"""The complete system: a mesh in, named parts out."""

import contextlib
import io
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float64, Int32, Int64
from pydantic import Field

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import InputMesh, load_mesh
from alignparts.corpus.mesh.sampling import Sample, face_labels, sample_surface
from alignparts.corpus.mesh.surface import Surface
from alignparts.model.backbone.learned import LearnedAlignParts, Model, load_model
from alignparts.naming.confidence import CALIBRATION, PAPER, STATISTICS, Calibration, Settings, Statistics
from alignparts.naming.export import Written, export_named, parts_glb
from alignparts.naming.granularity import Detail, Level, coarse, levels
from alignparts.naming.inference import PARTLETS, Mode, forward, name_parts, open_vocabulary, retrieval
from alignparts.naming.prediction import Candidate, Labels, Prediction
from alignparts.ontology.text import TEXTS, StoredTexts, TextEncoder
from alignparts.ontology.vocabulary import Vocabulary
from alignparts.patches.patches import surface_patches

if TYPE_CHECKING:  # a learned backbone needs none of what encoders need
    from alignparts.features.extract import Encoders

MANIFEST = "pipeline.json"
SAMPLE_SEED = 0
"""Seed of the samples of any mesh: names depend on the geometry, not on the name of the file."""


class Manifest(Settings):
    """Settings that a model was trained with, stored beside its weights.

    Attributes:
        geometry, appearance: folders of the encoders, or their names on the hub; "" with a learned backbone.
        text_encoder: name of the text encoder.
        vocabulary, calibration: files; as the folders, relative to the model's folder.
        views: rendered views per mesh.
        resolution: side of a view in pixels.
        points: surface samples per mesh.
    """

    stage = "train"

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
    """A mesh with named faces: an index into ``prediction.parts`` per face, -1 unlabeled.

    The prediction holds the named samples that the faces took their names from; the levels are the instances
    and pieces of the parts, where they were asked for.
    """

    mesh: InputMesh
    face_part: Int32[np.ndarray, " faces"]
    prediction: Prediction
    mode: Mode
    levels: tuple[Level, ...] = ()

    @property
    def faces(self) -> Int32[np.ndarray, " faces"]:
        """Return the index into ``names`` of every face, -1 unlabeled; ``labels.json`` explains the order."""
        return self.face_part

    @property
    def names(self) -> list[str]:
        """Return the names of the parts."""
        return self.prediction.names

    @property
    def confidence(self) -> Float64[np.ndarray, " parts"]:
        """Return the confidence of every part, 0..1."""
        return np.array([part.confidence for part in self.prediction.parts], np.float64)

    def to_glb(self) -> bytes:
        """Return the GLB with one node per part; see :func:`alignparts.naming.export.parts_glb`."""
        return parts_glb(self.mesh, self.face_part, self.prediction.parts, self.levels)

    def save(self, folder: str | Path, *, picture: bool = True, traced: bool = False) -> Written:
        """Write the GLB, the labels and the picture; see :func:`alignparts.naming.export.export_named`."""
        about: dict[str, Any] = {"category": self.prediction.category, "mode": self.mode}
        about |= {"levels": self.levels, "picture": picture, "traced": traced}
        return export_named(self.mesh, self.face_part, self.prediction.parts, Path(folder), **about)

    @property
    def summary(self) -> str:
        """Return one line: the file, the category, the parts with confidences and counts."""
        category = f"{self.prediction.category}: " if self.prediction.category else ""
        captions = [part.caption for part in self.prediction.parts]
        if self.levels:
            counts = np.zeros(len(captions), np.int32)
            named = self.face_part >= 0
            np.maximum.at(counts, self.face_part[named], self.levels[0].of_face[named])
            many = [f" ×{count}" if count > 1 else "" for count in counts.tolist()]
            captions = [caption + times for caption, times in zip(captions, many, strict=True)]
        parts = ", ".join(captions) or "no part found"
        rest = float((self.face_part < 0).mean())
        unlabeled = f"; {rest:.0%} of the faces unlabeled" if rest > 0.005 else ""
        return f"{self.mesh.path.name}: {category}{parts}{unlabeled}"


@dataclass
class NamedPartsPipeline:
    """ALIGN-Parts with all that it needs to read a mesh: the encoders that it was trained with, and settings.

    A model with a learned backbone has no encoders. Without a vocabulary there is no closed mode; without
    training statistics for Eq. 18, Eq. 20 is left.
    """

    model: Model
    encoders: "Encoders | None"
    text: TextEncoder | StoredTexts
    vocabulary: Vocabulary | None = None
    statistics: Statistics | None = None
    manifest: Manifest = field(default_factory=Manifest)
    calibration: Calibration = PAPER

    @classmethod
    def from_pretrained(cls, folder: str | Path, device: str = "cpu") -> "NamedPartsPipeline":
        """Load a model folder: weights, statistics, ``pipeline.json`` and the files that it refers to.

        Raises:
            AlignPartsError: a file is missing or does not fit, or the device is not there.
        """
        folder = Path(folder)
        if not (folder / "config.json").is_file():
            raise AlignPartsError(
                f"{folder}: no trained model (config.json); run: dvc repro train, or --model"
            )
        manifest = read_manifest(folder)
        try:
            torch.empty(1, device=device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise AlignPartsError(f"--device {device}: {str(error).splitlines()[0]}") from None
        # huggingface_hub prints the source of the weights on stdout.
        with contextlib.redirect_stdout(io.StringIO()):
            model = load_model(folder).to(device)
        encoders = None if isinstance(model, LearnedAlignParts) else _encoders(folder, manifest, device)
        stored = folder / TEXTS
        text: TextEncoder | StoredTexts = (
            StoredTexts(stored, manifest.text_encoder, device)
            if stored.is_file()
            else TextEncoder.from_name(manifest.text_encoder, device)
        )
        path = folder / manifest.vocabulary
        if not path.is_file():  # take that of the project whose models/ the folder lies in
            path = folder.resolve().parents[1] / "data" / "ontology" / "vocabulary.json"
        vocabulary = Vocabulary.load(path) if path.is_file() else None
        fitted = folder / manifest.calibration
        calibration = Calibration.load(fitted) if fitted.is_file() else PAPER
        known = (folder / STATISTICS).is_file()
        statistics = Statistics.load(folder, calibration.ridge) if known else None
        return cls(model, encoders, text, vocabulary, statistics, manifest, calibration)

    def features(
        self, surface: Surface, points: int | None = None, seed: int = SAMPLE_SEED
    ) -> tuple[Sample, dict[str, Any]]:
        """Return samples of a surface and their features; the same surface has the same samples.

        With a learned backbone its features h stand for those of the part field, which split large patches.
        """
        settings = self.manifest
        sample = sample_surface(surface, points or settings.points, seed)
        if self.encoders is not None:
            from alignparts.features.extract import extract

            views, resolution = settings.views, settings.resolution
            return sample, extract(surface, sample, self.encoders, views=views, resolution=resolution)
        features: dict[str, Any] = {name: getattr(sample, name) for name in self.model.inputs}
        features[PARTLETS] = forward(self.model, features)
        features["geometry"] = features[PARTLETS].fused
        if not surface.is_cloud:
            features |= surface_patches(surface, sample, features["geometry"]).arrays(sample)
        return sample, features

    def decode(
        self,
        features: Mapping[str, Any],
        *,
        candidates: Sequence[Candidate | str] | None = None,
        query: Candidate | str | None = None,
        category: str | None = None,
        labels: Labels = "patches",
    ) -> tuple[Prediction, Mode]:
        """Run the model once, and name its partlets by a query, by candidates (open) or by the vocabulary.

        Raises:
            AlignPartsError: no names, an empty name, an unknown category, a missing vocabulary.
        """
        partlets = forward(self.model, features)
        encode, calibration = self.text.encode, self.calibration
        if query is not None:
            return retrieval(partlets, encode, Candidate.of(query), labels), "query"
        if candidates is not None:
            if isinstance(candidates, str):
                raise AlignPartsError(
                    f"candidates: expected a list of names, got '{candidates}'; put it in [ ]"
                )
            names = [Candidate.of(name) for name in candidates]
            return open_vocabulary(partlets, encode, names, calibration=calibration, labels=labels), "open"
        if self.vocabulary is None:
            raise AlignPartsError("this model has no vocabulary of its own; give names with --vocabulary")
        closed = partial(name_parts, partlets, encode, self.vocabulary, statistics=self.statistics)
        return closed(category=category, calibration=calibration, labels=labels), "closed"

    def name(
        self,
        mesh: InputMesh | str | Path,
        *,
        candidates: Sequence[Candidate | str] | None = None,
        query: Candidate | str | None = None,
        category: str | None = None,
        labels: Labels = "patches",
        points: int | None = None,
        detail: Detail = "default",
        instances: bool = False,
    ) -> NamedMesh:
        """Name the parts of a mesh: by candidates (open vocabulary), a query for one part, or the vocabulary.

        The model chooses the category (Eq. 16) where none is given. ``labels`` "points" is the paper's rule,
        which leaves faces unlabeled; ``points`` is the number of surface samples, the manifest's by default.
        ``detail`` and ``instances`` are as in :mod:`alignparts.naming.granularity`.

        Raises:
            AlignPartsError: an unreadable mesh, an unknown category, no names or an empty one.
        """
        if not isinstance(mesh, InputMesh):
            mesh = load_mesh(mesh)
        if category is not None and self.vocabulary is not None:
            self.vocabulary.resolve_category(category)  # before the features, which take seconds
        sample, features = self.features(mesh.surface, points)
        names: dict[str, Any] = {"candidates": candidates, "query": query, "category": category}
        prediction, mode = self.decode(features, **names, labels=labels)
        return self.carry(mesh, sample, features, prediction, mode, labels, detail, instances)

    def face_names(self, surface: Surface, seed: int = SAMPLE_SEED) -> tuple[np.ndarray, str]:
        """Return the name of every face, by the closed vocabulary and mesh-aware labels, and the category."""
        sample, features = self.features(surface, seed=seed)
        prediction, mode = self.decode(features)
        face_part = face_parts(surface, sample, features, prediction.point_part, mode, "patches")
        return np.array([*prediction.names, ""])[face_part], prediction.category

    @staticmethod
    def carry(
        mesh: InputMesh,
        sample: Sample,
        features: Mapping[str, Any],
        prediction: Prediction,
        mode: Mode,
        labels: Labels = "patches",
        detail: Detail = "default",
        instances: bool = False,
    ) -> NamedMesh:
        """Transfer a prediction from the samples to the faces; parts that win no face are dropped."""
        part, partlet = prediction.point_part, prediction.point_partlet
        face_part = face_parts(mesh.surface, sample, features, part, mode, labels)
        count = len(prediction.parts)
        becomes = coarse(mesh.surface, face_part, count) if detail == "coarse" else np.arange(count)
        visible = np.unique(becomes[face_part[face_part >= 0]])
        table = np.full(count + 1, -1, np.int32)  # the last entry is for -1
        table[visible] = np.arange(len(visible), dtype=np.int32)
        table[:count] = table[becomes]
        parts = [prediction.parts[index] for index in visible.tolist()]
        kept = Prediction(table[part].astype(np.int64), parts, prediction.category, point_partlet=partlet)
        face_part, face_partlet = table[face_part], None
        if detail == "fine" and partlet is not None:
            face_partlet = face_parts(mesh.surface, sample, features, partlet, mode, labels)
        return NamedMesh(
            mesh, face_part, kept, mode, levels(mesh.surface, face_part, face_partlet, instances)
        )


def face_parts(
    surface: Surface,
    sample: Sample,
    features: Mapping[str, Any],
    part: Int64[np.ndarray, " n"],
    mode: Mode,
    labels: Labels,
) -> Int32[np.ndarray, " faces"]:
    """Return the part of every face, -1 unlabeled, from the parts of the samples; or the partlet likewise."""
    if labels == "patches" and "face_patch" in features:
        of_patch = np.empty(int(features["face_patch"].max()) + 1, np.int32)
        of_patch[features["patch"]] = part  # every patch has a sample, and all of its samples one part
        return of_patch[features["face_patch"]]
    filled = labels == "filled" and mode != "query"
    return face_labels(surface, sample, part, int(part.max(initial=-1)) + 1, fill=filled)


def read_manifest(folder: Path) -> Manifest:
    """Read ``pipeline.json`` of a model folder; the defaults where there is none.

    Raises:
        AlignPartsError: the file is not valid.
    """
    path = folder / MANIFEST
    return Manifest.load(path) if path.is_file() else Manifest()


def write_manifest(folder: Path, manifest: Manifest, vocabulary: Path | None = None) -> None:
    """Write ``pipeline.json`` into a model folder, and a copy of its vocabulary beside it."""
    if vocabulary is not None:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(vocabulary, folder / manifest.vocabulary)
    manifest.save(folder / MANIFEST)


def _encoders(folder: Path, manifest: Manifest, device: str) -> "Encoders":
    from alignparts.features.appearance import AppearanceEncoder
    from alignparts.features.extract import Encoders
    from alignparts.features.partfield import PartField

    geometry, appearance = (_source(folder, name) for name in (manifest.geometry, manifest.appearance))
    return Encoders(
        geometry=PartField.from_pretrained(geometry).to(device),
        appearance=AppearanceEncoder.from_pretrained(appearance).to(device),
    )


def _source(folder: Path, name: str) -> str:
    beside = folder / name
    return str(beside.resolve()) if beside.is_dir() or name.startswith(".") else name
