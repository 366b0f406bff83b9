"""Describe an export: its card for people and its Croissant metadata for programs."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import mlcroissant as mlc
import pandas as pd
import yaml
from tabulate import tabulate

from alignparts.core.errors import AlignPartsError

MOST_ROWS = 30
FIELDS = {
    "object_id": "name of the object's folder",
    "category": "category of the object",
    "parts": "number of parts",
    "names": "JSON list of the parts' names, by label",
    "faces": "triangles",
    "unlabeled_faces": "triangles without a part",
    "edits": "edits of the final opinion",
    "seconds": "active seconds of all opinions",
    "opinions": "number of annotators who handed it in",
    "annotators": "pseudonyms, the final one first",
    "agreement": "share of the surface to which opinions give the same name; missing where there is one",
    "license": "terms of the object",
    "source": "file of the object",
    "model": "model that made the prediction",
    "glb": "path of the GLB with one node per part",
    "sha256": "hash of that GLB",
}
"""Columns of the index and their meaning."""
_TYPES = {
    **dict.fromkeys(("parts", "faces", "unlabeled_faces", "edits", "opinions"), mlc.DataType.INTEGER),
    **dict.fromkeys(("seconds", "agreement"), mlc.DataType.FLOAT),
}


@dataclass(frozen=True)
class Release:
    """Statements on a data set as a whole.

    Attributes:
        title: name of the data set.
        version: as in 1.0.0.
        license: terms of the labels.
        by: description of the reviewers.
        date: day of the last object handed in, as in 2026-01-31.
    """

    title: str
    version: str
    license: str
    by: str
    date: str = ""


def card(index: pd.DataFrame, release: Release) -> str:
    """Return README.md of an export with this index, in the sections of Hugging Face's template."""
    by, labels = as_text(release.by), as_text(release.license or "not stated")
    front = {
        "pretty_name": release.title,
        "license": "other",
        "task_categories": ["mask-generation"],
        "tags": ["3d", "part-segmentation", "croissant"],
        "configs": [{"config_name": "objects", "data_files": "index.parquet"}],
    }
    names = Counter(name for text in index["names"] for name in json.loads(text))
    agreement, several = index["agreement"].dropna(), "Every object has one opinion."
    if len(agreement):
        several = f"{len(agreement)} objects have several opinions, which give the same name to "
        several += f"{agreement.mean():.1%} of the surface."
    people = len(set(", ".join(index["annotators"]).split(", ")))
    terms = "\n".join(
        f"- {as_text(name or 'not stated')}: {_number(count, 'object')}"
        for name, count in sorted(Counter(index["license"]).items())
    )
    return f"""---
{yaml.safe_dump(front, sort_keys=False, allow_unicode=True).strip()}
---

# {as_text(release.title)} {as_text(release.version)}

{len(index)} textured 3D objects whose {int(index["parts"].sum())} parts are segmented and named: predicted by
ALIGN-Parts, then checked and corrected by {by} (until {release.date}).

## Dataset structure

- `index.parquet`: one row per object: {", ".join(f"`{name}`" for name in index.columns)}.
- `objects/ID/ID.glb`: the object; `ID.parts.glb`: one node per part, with name and description in its extras.
- `objects/ID/labels.json`, `face_labels.npy`: the parts, and the part of every face (-1: none).
- `rejected.csv`, `failed.csv`: objects that are not in it, with the reason.

{_counts("category", "objects", Counter(index["category"]))}

{_counts("part name", "objects", names)}

## Dataset creation

Objects that passed the mesh filter were segmented and named by the model; {by} saw them in the
review, with the least certain parts first, and accepted, renamed, merged, split, deleted or painted parts.
{_number(people, "annotator")} handed in {_number(len(index), "object")}, with a median of
{index["seconds"].median():.0f} active seconds and {index["edits"].median():.0f} edits per object. {several}
Annotators appear under pseudonyms.

## Licenses

Labels: {labels}. Every object keeps its own, in `license.txt` and the index:

{terms}

## Uses and limits

For training and measuring 3D part segmentation and naming. The annotators saw the model's proposal first:
their labels lean towards it. Names follow the vocabulary of the review and the names added to it.
"""


def croissant(release: Release, index_sha256: str, objects: int) -> dict[str, Any]:
    """Return the JSON-LD of an export of so many objects, with the responsible-AI fields.

    AlignPartsError tells of a fault that mlcroissant finds, such as a version that is none.
    """
    name, formats = "index.parquet", ["application/x-parquet"]
    index = mlc.FileObject(
        id=name, name=name, content_url=name, encoding_formats=formats, sha256=index_sha256
    )
    fields = [
        mlc.Field(
            id=f"objects/{column}", name=column, description=meaning,
            data_types=[_TYPES.get(column, mlc.DataType.TEXT)],
            source=mlc.Source(file_object=name, extract=mlc.Extract(column=column)),
        )
        for column, meaning in FIELDS.items()
    ]  # fmt: skip
    try:
        metadata = mlc.Metadata(
            name=release.title,
            description=f"{objects} textured 3D objects in named parts: predicted, then reviewed.",
            version=release.version,
            license=[release.license or "see the column license"],
            date_published=datetime.fromisoformat(release.date),
            cite_as=f"{release.title} {release.version}",
            url="README.md",
            distribution=[index],
            record_sets=[mlc.RecordSet(id="objects", name="objects", key="objects/object_id", fields=fields)],
            data_collection="Meshes of a public collection that passed the filter of ALIGN-Parts.",
            data_annotation_protocol=[
                "Phase one: accept, rename, merge, split or delete the model's parts, least certain first. "
                f"Phase two: add and paint what is missing. Done by {release.by}."
            ],
            data_annotation_platform=["texparts review"],
            annotations_per_item="See the column opinions.",
            machine_annotation_tools=["ALIGN-Parts"],
            data_biases=["Annotators saw the model's proposal first: labels lean towards it."],
            data_limitations=["Faces are labeled whole; names follow the vocabulary of the review."],
            personal_sensitive_information=["Annotators appear under pseudonyms."],
        )
    except (mlc.ValidationError, ValueError) as error:
        raise AlignPartsError(f"croissant.json: {' '.join(str(error).split())[:400]}") from None
    issues = [*metadata.ctx.issues.errors, *metadata.ctx.issues.warnings]
    if issues:
        raise AlignPartsError(f"croissant.json: {' '.join(str(issues[0]).split())[:400]}")
    return metadata.to_json()


def _counts(subject: str, unit: str, counts: Counter[str]) -> str:
    rows = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [(as_text(name), count) for name, count in rows[:MOST_ROWS]]
    rest = f"\n\nand {len(rows) - MOST_ROWS} more" if len(rows) > MOST_ROWS else ""
    return tabulate(shown, [subject, unit], tablefmt="github") + rest


def _number(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'}"


def as_text(name: str) -> str:
    """Escape free text for Markdown."""
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*[]|" else c for c in " ".join(escaped.split()))
