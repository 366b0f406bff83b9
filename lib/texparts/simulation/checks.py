"""What came of the embedded TexVerse-like folder, held against what its generator knows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from alignparts.ontology.vocabulary import words
from texparts.annotation.geometry import Shapes
from texparts.raw.malformed import KINDS
from texparts.simulation.truth import Truth

PARTS = ["object_id", "category", "predicted_category", "name", "truth", "right", "confidence", "accepted"]


def malformed_table(filtered: pd.DataFrame, malformed: Mapping[str, str]) -> pd.DataFrame:
    """Every kind of broken file: the reason for which it should be left out, and what the filter said.

    Args:
        filtered: of :func:`texparts.filter.filter.filter_folder`.
        malformed: kinds by object id, of :class:`texparts.raw.synthetic.TexVerseLike`.
    """
    rows = filtered.set_index("object_id")
    table = pd.DataFrame(
        [
            (words(kind), KINDS[kind].reason, rows.loc[key, "reason"], rows.loc[key, "detail"])
            for key, kind in malformed.items()
        ],
        columns=["what is broken", "expected", "found", "detail"],
    )
    return table.sort_values("what is broken", ignore_index=True)


def judged_parts(shapes: Shapes, truths: Mapping[str, Truth]) -> pd.DataFrame:
    """Predicted parts of objects, one a row, judged as :mod:`evaluation.scored_parts` does, by area.

    A part's name is right if the true part that most of its labeled area belongs to has it. Parts without
    labeled area are not judged.

    Args:
        shapes: meshes and predictions.
        truths: by object id.

    Returns:
        :data:`PARTS`.
    """
    rows = []
    for object_id, truth in truths.items():
        prediction = shapes.folder(object_id).prediction()
        areas = shapes.shape(object_id).areas.astype(np.float64)
        for part in prediction.parts:
            inside = (prediction.face_part == part.id) & (truth.face_part >= 0)
            if not areas[inside].sum() > 0:
                continue
            most = int(np.bincount(truth.face_part[inside], areas[inside]).argmax())
            name = truth.names[most]
            rows.append(
                (object_id, truth.category, prediction.category, part.name, name, part.name == name,
                 part.confidence, part.accepted)
            )  # fmt: skip
    return pd.DataFrame(rows, columns=PARTS).astype({"right": bool, "accepted": bool})


def acceptance_table(parts: pd.DataFrame, unseen: Sequence[str]) -> pd.DataFrame:
    """Of seen and unseen categories: how many names are right, how many were accepted, and of those how many.

    Args:
        parts: of :func:`judged_parts`.
        unseen: categories that training never saw.
    """
    rows = []
    is_unseen = parts.category.isin(set(unseen))
    for title, own in (("seen", parts[~is_unseen]), ("unseen", parts[is_unseen])):
        accepted = own[own.accepted]
        rows.append({
            "categories": title,
            "objects": own.object_id.nunique(),
            "parts": len(own),
            "category right": _share(own.groupby("object_id").first().eval("category == predicted_category")),
            "names right": _share(own.right),
            "accepted": _share(own.accepted),
            "accepted and wrong": f"{int((~accepted.right).sum())} of {len(accepted)}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def _share(values: Any) -> float:
    return round(float(values.mean()), 3) if len(values) else float("nan")
