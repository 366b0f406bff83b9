"""Reviewed objects as a data set: named GLBs, labels, an index, a card and Croissant metadata.

``objects/<id>/`` is what ``alignparts name`` writes (``<id>.parts.glb``, ``labels.json``,
``face_labels.npy``) beside the object itself, ``<id>.glb``, and its ``license.txt``: ``alignparts ingest``
reads it as it lies.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int32

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.naming.export import export_named
from alignparts.naming.prediction import PredictedPart
from texparts.annotation.annotation import UNLABELED, Annotation
from texparts.annotation.objects import ObjectFolder
from texparts.export.describe import FIELDS, Release, card, croissant
from texparts.review.models import Submitted

INDEX = "index.parquet"
COLUMNS = tuple(FIELDS)
MARK = "croissant.json"
"""The file by which a folder is known as an export that may be replaced."""


@dataclass(frozen=True)
class Exported:
    """Content of an export.

    Attributes:
        folder: where it lies.
        index: one row per object; see :data:`texparts.export.describe.FIELDS`.
        rejected: object_id and note of the objects that people rejected.
        failed: object_id and reason of the objects that could not be written.
    """

    folder: Path
    index: pd.DataFrame
    rejected: pd.DataFrame
    failed: pd.DataFrame


def export_dataset(
    submitted: Iterable[Submitted],
    root: Path,
    out: Path,
    *,
    title: str = "Tex-Parts",
    version: str = "1.0.0",
    license: str = "",
    by: str = "people",
) -> Exported:
    """Write a data set of all objects that were handed in as done.

    An object that cannot be written is left out with its reason. The folder takes its place when it is whole;
    an earlier export there is replaced. Equal input gives equal bytes.

    Args:
        submitted: of :meth:`texparts.review.submissions.Submissions.submitted`.
        root: holds ``objects/``.
        out: the data set's folder.
        title: what it is called.
        version: of the data set.
        license: of the labels; every object keeps its own.
        by: who reviewed, for the card.

    Raises:
        AlignPartsError: nothing was handed in; ``out`` holds something else or cannot be written.
    """
    if out.exists() and any(out.iterdir()) and not (out / MARK).is_file():
        raise AlignPartsError(f"{out}: not empty and not an earlier export; choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=out.parent, prefix=".writing-"))
    try:
        result = _write(submitted, root, work, Release(title, version, license, by))
        work.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        os.replace(work, out)
    except OSError as error:
        raise AlignPartsError(f"{out}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Exported(out, *result)


def _write(
    submitted: Iterable[Submitted], root: Path, work: Path, release: Release
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    rows: list[dict[str, Any]] = []
    rejected: list[tuple[str, str]] = []
    failed: list[tuple[str, str]] = []
    pseudonyms: dict[str, str] = {}
    last = ""
    for one in sorted(submitted, key=lambda one: one.object_id):
        last = max(last, *(f"{opinion.at:%Y-%m-%d}" for opinion in one.opinions))
        if one.status == "rejected":
            rejected.append((one.object_id, one.note))
            continue
        try:
            for name in one.annotators:
                pseudonyms.setdefault(name, f"annotator-{len(pseudonyms) + 1}")
            folder = ObjectFolder(root / "objects" / one.object_id)
            rows.append(_write_object(one, folder, work, [pseudonyms[name] for name in one.annotators]))
        except AlignPartsError as error:
            shutil.rmtree(work / "objects" / one.object_id, ignore_errors=True)
            failed.append((one.object_id, " ".join(str(error).split())))
    if not rows:
        raise AlignPartsError(f"{root}: no object was handed in as done; run: texparts review {root}")
    index = pd.DataFrame(rows, columns=list(COLUMNS))
    index.to_parquet(work / INDEX, index=False)
    tables = {"rejected.csv": (rejected, "note"), "failed.csv": (failed, "reason")}
    frames = []
    for name, (pairs, column) in tables.items():
        frames.append(pd.DataFrame(pairs, columns=["object_id", column]))
        frames[-1].to_csv(work / name, index=False, lineterminator="\n")
    release = replace(release, date=last)
    (work / "README.md").write_text(card(index, release), encoding="utf-8")
    sha256 = hashlib.sha256((work / INDEX).read_bytes()).hexdigest()
    content = croissant(release, sha256, len(index))
    (work / MARK).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return index, frames[0], frames[1]


def _write_object(one: Submitted, folder: ObjectFolder, work: Path, who: list[str]) -> dict[str, Any]:
    about = folder.about()
    target = work / "objects" / one.object_id
    target.mkdir(parents=True)
    source = target / f"{one.object_id}.glb"
    shutil.copyfile(folder.path / "mesh.glb", source)
    mesh = load_mesh(source)
    face_part, parts = numbered(one.annotation)
    written = export_named(
        mesh, face_part, parts, target, category=one.category, mode="reviewed", picture=False
    )
    review = {
        "annotators": who,
        "seconds": one.seconds,
        "edits": one.opinions[0].edits,
        "agreement": asdict(one.agreement) if one.agreement else None,
        "accepted": [part.accepted for part in one.annotation.parts],
    }
    labels = {**json.loads(written.labels.read_text(encoding="utf-8")), "review": review}
    written.labels.write_text(json.dumps(labels, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if about.license:
        (target / "license.txt").write_text(about.license + "\n", encoding="utf-8")
    return {
        "object_id": one.object_id,
        "category": one.category,
        "parts": len(parts),
        "names": json.dumps([part.name for part in parts], ensure_ascii=False),
        "faces": len(face_part),
        "unlabeled_faces": int((face_part < 0).sum()),
        "edits": one.opinions[0].edits,
        "seconds": one.seconds,
        "opinions": len(one.opinions),
        "annotators": ", ".join(who),
        "agreement": one.agreement.same if one.agreement else None,
        "license": about.license,
        "source": about.source,
        "model": about.model,
        "glb": f"objects/{one.object_id}/{written.glb.name}",
        "sha256": hashlib.sha256(written.glb.read_bytes()).hexdigest(),
    }


def numbered(annotation: Annotation) -> tuple[Int32[np.ndarray, " faces"], list[PredictedPart]]:
    """Return face labels and parts numbered from 0, without parts that hold no face."""
    kept = [part for part in annotation.parts if (annotation.face_part == part.id).any()]
    table = np.full(annotation.next_id + 1, UNLABELED, np.int32)
    for index, part in enumerate(kept):
        table[part.id] = index
    parts = [
        PredictedPart(part.name, part.description, part.confidence, part.mask_confidence, UNLABELED)
        for part in kept
    ]
    return table[annotation.face_part], parts
