"""Croissant metadata of an export: what is in it, for programs, with the responsible-AI fields."""

from datetime import datetime
from typing import Any

import mlcroissant as mlc

from alignparts.core.errors import AlignPartsError

_TYPES = {
    **dict.fromkeys(("parts", "faces", "unlabeled_faces", "edits", "opinions"), mlc.DataType.INTEGER),
    **dict.fromkeys(("seconds", "agreement"), mlc.DataType.FLOAT),
}
_WHAT = {
    "object_id": "name of the object's folder",
    "category": "what the object is",
    "parts": "number of parts",
    "names": "JSON list of the parts' names, by label",
    "faces": "triangles",
    "unlabeled_faces": "triangles without a part",
    "edits": "edits of the final opinion",
    "seconds": "active seconds of all opinions",
    "opinions": "annotators who handed it in",
    "annotators": "their pseudonyms, the final one first",
    "agreement": "share of the surface to which opinions give the same name; missing where there is one",
    "license": "terms of the object",
    "source": "file that it was made from",
    "model": "model that made the prediction",
    "glb": "path of the GLB with a node a part",
    "sha256": "of that GLB",
}


def croissant(
    title: str,
    version: str,
    license: str,
    date: str,
    index_sha256: str,
    objects: int,
    by: str = "people",
) -> dict[str, Any]:
    """JSON-LD for an export, checked by mlcroissant.

    Args:
        title: of the data set.
        version: of the data set, as 1.0.0.
        license: of the labels.
        date: of the last object handed in, as 2026-01-31.
        index_sha256: of index.parquet.
        objects: how many there are.
        by: who reviewed.

    Raises:
        AlignPartsError: mlcroissant finds fault, such as with a version that is none.
    """
    index = mlc.FileObject(
        id="index.parquet",
        name="index.parquet",
        content_url="index.parquet",
        encoding_formats=["application/x-parquet"],
        sha256=index_sha256,
    )
    fields = [
        mlc.Field(
            id=f"objects/{column}",
            name=column,
            description=what,
            data_types=[_TYPES.get(column, mlc.DataType.TEXT)],
            source=mlc.Source(file_object="index.parquet", extract=mlc.Extract(column=column)),
        )
        for column, what in _WHAT.items()
    ]
    try:
        metadata = mlc.Metadata(
            name=title,
            description=f"{objects} textured 3D objects in named parts: predicted, then reviewed.",
            version=version,
            license=[license or "see the column license"],
            date_published=datetime.fromisoformat(date),
            cite_as=f"{title} {version}",
            url="README.md",
            distribution=[index],
            record_sets=[mlc.RecordSet(id="objects", name="objects", key="objects/object_id", fields=fields)],
            data_collection="Meshes of a public collection that passed the filter of ALIGN-Parts.",
            data_annotation_protocol=[
                "Phase one: accept, rename, merge, split or delete the model's parts, least certain first. "
                f"Phase two: add and paint what is missing. Done by {by}."
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
    found = [*metadata.ctx.issues.errors, *metadata.ctx.issues.warnings]
    if found:
        raise AlignPartsError(f"croissant.json: {' '.join(str(found[0]).split())[:400]}")
    return metadata.to_json()
