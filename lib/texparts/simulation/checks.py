"""Compare the results of the stages on embedded objects with the truth that their generator knows."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from alignparts.ontology.vocabulary import words
from texparts.annotation.geometry import Shapes
from texparts.raw.malformed import KINDS
from texparts.simulation.truth import Truth

PARTS = ["object_id", "category", "predicted_category", "name", "truth", "right", "confidence", "accepted"]


def malformed_table(filtered: pd.DataFrame, malformed: Mapping[str, str]) -> pd.DataFrame:
    """Compare the filter's reason with the expected one, for every broken file, whose kind is given by id."""
    rows = filtered.set_index("object_id").loc[list(malformed), ["reason", "detail"]]
    table = rows.rename(columns={"reason": "found"}).reset_index(drop=True)
    table.insert(0, "what is broken", [words(kind) for kind in malformed.values()])
    table.insert(1, "expected", [KINDS[kind].reason for kind in malformed.values()])
    return table.sort_values("what is broken", ignore_index=True)


def judged_parts(shapes: Shapes, truths: Mapping[str, Truth]) -> pd.DataFrame:
    """Judge predicted parts by area: a name is right if the true part with most of the part's area has it.

    The table has one row per part with labeled area, with the columns :data:`PARTS`.
    """
    rows = []
    for object_id, truth in truths.items():
        prediction = shapes.folder(object_id).prediction()
        areas = shapes.shape(object_id).areas.astype(np.float64)
        for part in prediction.parts:
            inside = (prediction.face_part == part.id) & (truth.face_part >= 0)
            if areas[inside].sum() > 0:
                name = truth.names[int(np.bincount(truth.face_part[inside], areas[inside]).argmax())]
                rows.append(
                    (object_id, truth.category, prediction.category, part.name, name, part.name == name,
                     part.confidence, part.accepted)
                )  # fmt: skip
    return pd.DataFrame(rows, columns=PARTS).astype({"right": bool, "accepted": bool})


def acceptance_table(parts: pd.DataFrame, unseen: Sequence[str]) -> pd.DataFrame:
    """Count the right and the accepted names of :func:`judged_parts`, in seen and unseen categories."""
    rows = []
    is_unseen = parts.category.isin(list(unseen))
    for title, group in (("seen", parts[~is_unseen]), ("unseen", parts[is_unseen])):
        accepted, first = group[group.accepted], group.drop_duplicates("object_id")
        rows.append({
            "categories": title, "objects": len(first), "parts": len(group),
            "category right": round((first.category == first.predicted_category).mean(), 3),
            "names right": round(group.right.mean(), 3), "accepted": round(group.accepted.mean(), 3),
            "accepted and wrong": f"{int((~accepted.right).sum())} of {len(accepted)}",
        })  # fmt: skip
    return pd.DataFrame(rows)
