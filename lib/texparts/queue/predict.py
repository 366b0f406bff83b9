"""Predict masks, names and confidences of every object that the filter kept (section 13).

Writes ``objects/<id>/``, see :mod:`texparts.annotation.objects`, and ``predicted.csv``, one row per object.
An object that is there is not predicted again unless its file, the model or the settings have changed.

The model chooses the category (Eq. 16) among those that it knows. An object of an unknown category is taken
for the nearest one, and its names come out with low confidence: they go to the end of the queue, and none of
them is accepted unseen. If a language model has found the category in the filter, another may list its parts
(``llm``): the object is then named from that list, by the open vocabulary.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int32

from alignparts.core.atomic import write_atomically, write_text
from alignparts.core.config.texparts import TexPartsParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.corpus.mesh.glb import split_container
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.corpus.mesh.sampling import Sample, face_labels
from alignparts.corpus.mesh.surface import Surface
from alignparts.evaluation.baselines.partfield_clustering import agglomerative
from alignparts.naming.candidates import propose_parts
from alignparts.naming.export import parts_glb
from alignparts.naming.pipeline import NamedMesh, NamedPartsPipeline, read_manifest
from alignparts.naming.prediction import Candidate
from alignparts.ontology.llm.client import LanguageModel
from texparts.annotation.objects import About, PartRecord, write_object
from texparts.filter.filter import read_filtered
from texparts.filter.sources import one_line
from texparts.filter.thumbnails import part_thumbnail

MADE = "made.json"
"""File beside an object's files with all that they were made from."""
VERSION = 1
"""Version of the stage; raise it when the same file, model and settings give another object."""
COLUMNS = ("object_id", "done", "reason", "category", "parts", "confidence", "unlabeled")


@dataclass(frozen=True)
class _Model:
    """A model folder, as a worker loads it; threads None leaves their number to torch."""

    folder: Path
    device: str
    threads: int | None


@dataclass(frozen=True)
class _Job:
    """One object; ``made`` holds all that its folder depends on."""

    root: Path
    path: Path
    about: dict[str, Any]
    made: dict[str, Any]
    model: _Model
    params: TexPartsParams
    category: str
    candidates: tuple[Candidate, ...]

    @property
    def folder(self) -> Path:
        """Return the folder that the prediction goes to."""
        return self.root / "objects" / self.about["object_id"]


def predict(
    root: Path,
    model: Path,
    params: TexPartsParams,
    *,
    device: str = "cpu",
    workers: int = 1,
    scheduler: str | None = None,
    llm: LanguageModel | None = None,
) -> pd.DataFrame:
    """Name the parts of the objects that ``filtered.csv`` keeps.

    Args:
        root: folder that the filter wrote.
        model: folder of a model.
        params: number of samples and clusters, size of the pictures.
        device: torch device.
        workers: number of processes, each with the model; 1 runs in this process.
        scheduler: address of a Dask scheduler.
        llm: language model that lists the parts of categories that the model does not know.

    Returns:
        Content of predicted.csv: :data:`COLUMNS`; ``unlabeled`` is a share of the faces.

    Raises:
        AlignPartsError: no filtered.csv, no model, no room to write, or no reply from the language model.
    """
    folder, filtered = read_filtered(root)
    source = _Model(model.resolve(), device, 1 if workers > 1 or scheduler else None)
    pipeline = _loaded(source)
    identity = f"{model.name}@{digest_of(model)[:16]}"
    wanted = filtered[filtered["kept"]]
    if wanted.empty:
        raise AlignPartsError(f"{root / 'filtered.csv'}: no object was kept; its column 'reason' says why")
    proposed = _proposed(wanted["category"].tolist(), pipeline, llm)
    jobs = [_job(root, folder, row, source, identity, params, proposed) for row in wanted.to_dict("records")]
    known = {job.about["object_id"]: about for job in jobs if (about := _done(job)) is not None}
    todo = [job for job in jobs if job.about["object_id"] not in known]
    done = map_shapes(_predict, todo, workers=workers, scheduler=scheduler, description="predict")
    reasons = {job.folder: reason for job, reason in zip(todo, done, strict=True)}
    table = pd.DataFrame([_row(job, reasons.get(job.folder, "")) for job in jobs], columns=list(COLUMNS))
    write_atomically(
        root / "predicted.csv", lambda path: table.to_csv(path, index=False, lineterminator="\n")
    )
    return table


def digest_of(folder: Path) -> str:
    """Return a hash of all files of a model folder, and of those that its ``pipeline.json`` refers to."""
    named = [value for value in read_manifest(folder).model_dump().values() if isinstance(value, str)]
    places = [folder, *(folder / value for value in named)]
    paths = [path for place in places for path in (sorted(place.glob("*")) if place.is_dir() else [place])]
    total = hashlib.sha256()
    for path in filter(Path.is_file, paths):
        total.update(path.name.encode())
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def self_contained_glb(path: Path) -> bytes:
    """Return a mesh file as a GLB that refers to no other file; one that is such a GLB stays as it is."""
    if path.suffix.lower() == ".glb":
        data = path.read_bytes()
        header, _ = split_container(data, path.name)
        entries = [*header.get("buffers", []), *header.get("images", [])]
        if all(entry.get("uri", "data:").startswith("data:") for entry in entries):
            return data
    mesh = load_mesh(path)
    return parts_glb(mesh, np.full(len(mesh.surface.faces), -1, np.int32), [])


def field_clusters(
    surface: Surface, sample: Sample, features: Mapping[str, np.ndarray], counts: Sequence[int]
) -> dict[int, Int32[np.ndarray, " faces"]]:
    """Cluster the geometry field at several granularities, each a refinement of the coarser ones.

    Args:
        surface: mesh of the object.
        sample: samples on the mesh.
        features: ``geometry`` and ``points`` of the samples.
        counts: numbers of clusters; fewer come out where there are fewer samples.

    Returns:
        Cluster of every face, by the number of clusters.
    """
    field = np.asarray(features["geometry"], np.float32)
    partition = agglomerative(field, np.asarray(features["points"], np.float64))
    finest = partition(max(counts))
    faces = face_labels(surface, sample, finest, int(finest.max()) + 1, fill=True)
    result = {}
    for count in counts:
        table = np.zeros(int(finest.max()) + 1, np.int32)
        table[finest] = partition(count)
        result[count] = table[faces]
    return result


@lru_cache(maxsize=1)
def _loaded(model: _Model) -> NamedPartsPipeline:
    import torch

    if model.threads is not None:
        torch.set_num_threads(model.threads)
    return NamedPartsPipeline.from_pretrained(model.folder, model.device)


def _proposed(
    categories: Sequence[str], pipeline: NamedPartsPipeline, llm: LanguageModel | None
) -> dict[str, tuple[Candidate, ...]]:
    """Return the parts of the categories that the vocabulary lacks, as a language model lists them."""
    if llm is None:
        return {}
    known = pipeline.vocabulary
    strange = sorted({name for name in categories if name and not (known and known.has(name))})
    return {name: tuple(propose_parts(name, llm)) for name in strange}


def _job(
    root: Path,
    folder: Path,
    row: Mapping[Any, Any],
    model: _Model,
    identity: str,
    params: TexPartsParams,
    proposed: Mapping[str, tuple[Candidate, ...]],
) -> _Job:
    candidates = proposed.get(row["category"], ())
    made = {
        "version": VERSION, "model": identity, "content": row["content"], "points": params.points,
        "clusters": list(params.clusters), "thumbnail": params.thumbnail,
        "candidates": [[candidate.name, candidate.description] for candidate in candidates],
    }  # fmt: skip
    about = {
        "object_id": row["object_id"], "source": row["file"], "license": row["license"],
        "title": row["title"], "model": identity,
    }  # fmt: skip
    category = row["category"] if candidates else ""
    return _Job(root, folder / row["file"], about, made, model, params, category, candidates)


def _done(job: _Job) -> About | None:
    """Return the record of an object that was made from the same before; else None."""
    try:
        if json.loads((job.folder / MADE).read_text()) != job.made:
            return None
        return About.model_validate_json((job.folder / "about.json").read_text())
    except (OSError, ValueError):
        return None


def _predict(job: _Job) -> str:
    """Predict one object and write its folder; returns the reason if that is not possible, else ""."""
    try:
        glb = self_contained_glb(job.path)
        named, clusters, picture = _named(job, glb)
    except AlignPartsError as error:
        return one_line(str(error).replace(str(job.path), job.path.name))
    except Exception as error:
        # One odd file among thousands must not end the run; its reason goes into predicted.csv.
        return one_line(f"{type(error).__name__}: {error}")
    fields = ("name", "description", "confidence", "soft", "mahalanobis", "mask_confidence")
    parts = tuple(
        PartRecord(**{key: getattr(part, key) for key in fields}, auto_accepted=part.accepted)
        for part in named.prediction.parts
    )
    category = named.prediction.category or job.category
    about = About(**job.about, category=category, faces=len(named.face_part), parts=parts)
    written = write_object(job.root, about, glb, named.face_part, clusters, picture)
    write_text(written.path / MADE, json.dumps(job.made, indent=1) + "\n")
    return ""


def _named(job: _Job, glb: bytes) -> tuple[NamedMesh, dict[int, Int32[np.ndarray, " faces"]], bytes]:
    pipeline = _loaded(job.model)
    with tempfile.TemporaryDirectory() as folder:
        # Every label is in the order of the stored file, so that one is read.
        path = Path(folder) / "mesh.glb"
        path.write_bytes(glb)
        mesh = load_mesh(path)
    sample, features = pipeline.features(mesh.surface, job.params.points)
    prediction, mode = pipeline.decode(features, candidates=job.candidates or None)
    named = pipeline.carry(mesh, sample, features, prediction, mode)
    clusters = field_clusters(mesh.surface, sample, features, job.params.clusters)
    picture = part_thumbnail(mesh.surface, named.face_part, named.prediction.names, job.params.thumbnail)
    return named, clusters, picture


def _row(job: _Job, reason: str) -> tuple[Any, ...]:
    """Return an object's row of predicted.csv; a reason tells that it could not be predicted."""
    object_id = job.about["object_id"]
    about = None if reason else _done(job)
    if about is None:
        return object_id, False, reason or "its folder is gone", "", 0, 0.0, 1.0
    labels = np.load(job.folder / "face_labels.npy", allow_pickle=False)
    unlabeled = round(float((labels < 0).mean()), 4)
    return object_id, True, "", about.category, len(about.parts), round(about.confidence, 6), unlabeled
