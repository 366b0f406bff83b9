"""Export reviewed objects as a data set: named GLBs, labels, an index, a card and Croissant metadata.

``objects/<id>/`` holds the files of ``alignparts name`` (``<id>.parts.glb``, ``labels.json``,
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
        folder: folder of the data set.
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
        submitted: objects of :meth:`texparts.review.submissions.Submissions.submitted`.
        root: folder that holds ``objects/``.
        out: folder of the data set.
        title: name of the data set.
        version: version of the data set.
        license: terms of the labels; every object keeps its own.
        by: description of the reviewers, for the card.

    Raises:
        AlignPartsError: nothing was handed in; ``out`` holds something else or cannot be written.
    """
    if out.exists() and any(out.iterdir()) and not (out / MARK).is_file():
        raise AlignPartsError(f"{out}: not empty and not an earlier export; choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=out.parent, prefix=".writing-"))
    try:
        tables = _write(submitted, root, work, Release(title, version, license, by))
        work.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        os.replace(work, out)
    except OSError as error:
        raise AlignPartsError(f"{out}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Exported(out, *tables)


def _write(
    submitted: Iterable[Submitted], root: Path, work: Path, release: Release
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Write all files; returns the index and the tables of rejected and failed objects."""
    rows: list[dict[str, Any]] = []
    rejected: list[tuple[str, str]] = []
    failed: list[tuple[str, str]] = []
    pseudonyms: dict[str, str] = {}
    last = ""
    for item in sorted(submitted, key=lambda item: item.object_id):
        last = max(last, *(f"{opinion.at:%Y-%m-%d}" for opinion in item.opinions))
        if item.status == "rejected":
            rejected.append((item.object_id, item.note))
            continue
        for name in item.annotators:
            pseudonyms.setdefault(name, f"annotator-{len(pseudonyms) + 1}")
        try:
            rows.append(_write_object(item, root, work, [pseudonyms[name] for name in item.annotators]))
        except AlignPartsError as error:
            shutil.rmtree(work / "objects" / item.object_id, ignore_errors=True)
            failed.append((item.object_id, " ".join(str(error).split())))
    if not rows:
        raise AlignPartsError(f"{root}: no object was handed in as done; run: texparts review {root}")
    index = pd.DataFrame(rows, columns=list(COLUMNS))
    index.to_parquet(work / INDEX, index=False)
    others = [
        pd.DataFrame(rejected, columns=["object_id", "note"]),
        pd.DataFrame(failed, columns=["object_id", "reason"]),
    ]
    for name, table in zip(("rejected.csv", "failed.csv"), others, strict=True):
        table.map(_no_formula).to_csv(work / name, index=False, lineterminator="\n")
    release = replace(release, date=last)
    (work / "README.md").write_text(card(index, release), encoding="utf-8")
    sha256 = hashlib.sha256((work / INDEX).read_bytes()).hexdigest()
    _write_json(work / MARK, croissant(release, sha256, len(index)))
    return index, others[0], others[1]


def _no_formula(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _write_object(item: Submitted, root: Path, work: Path, annotators: list[str]) -> dict[str, Any]:
    """Write one object's folder; returns its row of the index."""
    folder, target = ObjectFolder(root / "objects" / item.object_id), work / "objects" / item.object_id
    about = folder.about()
    target.mkdir(parents=True)
    mesh = load_mesh(Path(shutil.copyfile(folder.path / "mesh.glb", target / f"{item.object_id}.glb")))
    face_part, parts = numbered(item.annotation)
    written = export_named(
        mesh, face_part, parts, target, category=item.category, mode="reviewed", picture=False
    )
    work_done: dict[str, Any] = {"edits": item.opinions[0].edits, "seconds": item.seconds}
    agreement, accepted = item.agreement, [part.accepted for part in item.annotation.parts]
    review = {"annotators": annotators, **work_done}
    review |= {"agreement": agreement and asdict(agreement), "accepted": accepted}
    _write_json(written.labels, {**json.loads(written.labels.read_text(encoding="utf-8")), "review": review})
    if about.license:
        (target / "license.txt").write_text(about.license + "\n", encoding="utf-8")
    return {
        "object_id": item.object_id, "category": item.category, "parts": len(parts),
        "names": json.dumps([part.name for part in parts], ensure_ascii=False),
        "faces": len(face_part), "unlabeled_faces": int((face_part < 0).sum()), **work_done,
        "opinions": len(item.opinions), "annotators": ", ".join(annotators),
        "agreement": agreement and agreement.same,
        "license": about.license, "source": about.source, "model": about.model,
        "glb": f"objects/{item.object_id}/{written.glb.name}",
        "sha256": hashlib.sha256(written.glb.read_bytes()).hexdigest(),
    }  # fmt: skip


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def numbered(annotation: Annotation) -> tuple[Int32[np.ndarray, " faces"], list[PredictedPart]]:
    """Return face labels and parts numbered from 0, without parts that hold no face."""
    filled = [part for part in annotation.parts if (annotation.face_part == part.id).any()]
    table = np.full(annotation.next_id + 1, UNLABELED, np.int32)
    for index, part in enumerate(filled):
        table[part.id] = index
    parts = [
        PredictedPart(part.name, part.description, part.confidence, part.mask_confidence, UNLABELED)
        for part in filled
    ]
    return table[annotation.face_part], parts
