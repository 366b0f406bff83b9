"""Segments: which name every point takes, and the parts that this makes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, Int64
from scipy.special import softmax

from alignparts.core.errors import AlignPartsError
from alignparts.naming.confidence import PAPER, Calibration, soft_confidence
from alignparts.naming.prediction import (
    ACTIVE_ABOVE,
    Candidate,
    Encode,
    Labels,
    Partlets,
    PredictedPart,
    Prediction,
)
from alignparts.patches.cut import cut


@dataclass(frozen=True)
class Segments:
    """Partlets that were given a name: their numbers, column of the name, cosines with all names.

    ``assigned`` is the row of every point among them, -1 unlabeled; ``finer`` its partlet where rows are more
    than partlets.
    """

    partlets: Partlets
    active: Int[np.ndarray, " active"]
    column: Int[np.ndarray, " active"]
    cosines: Float[np.ndarray, "active candidates"]
    assigned: Int[np.ndarray, " n"]
    finer: Int64[np.ndarray, " n"] | None = None


def of_points(
    partlets: Partlets,
    encode: Encode,
    candidates: Sequence[Candidate],
    labels: Labels,
    *,
    closed: bool = False,
) -> Segments | None:
    """Return mesh-aware segments by what the points say of names; None where they say nothing.

    A learned backbone maps every point into the space of texts. A name has the evidence of the points'
    softmax over names, and outside the closed vocabulary, whose texts the points were trained on, as much of
    the partlets' (mask x partness x softmax over names). Every name that wins a patch stands as a partlet of
    its own: its embedding is the mean over its points, its mask the evidence, its partness that of the
    partlet which overlaps it most.
    """
    graph = partlets.on_mesh(labels)
    if graph is None or partlets.text is None:
        return None
    active = partlets.active()
    cosines = part_cosines(partlets.embeddings[active], encode, candidates)
    texts = np.asarray(encode([candidate.text for candidate in candidates]))
    evidence = softmax(partlets.text @ texts.T, axis=1).T
    if not closed:
        weighted = partlets.mask[active] * partlets.partness[active, None]
        shared = soft_confidence(cosines, PAPER.tau).T @ weighted
        evidence = (evidence + shared / np.maximum(shared.sum(axis=0), 1e-6)) / 2
    column, assigned = np.unique(cut(evidence, graph), return_inverse=True)
    inside = assigned == np.arange(len(column))[:, None]
    overlap = (inside @ partlets.mask[active].T) / np.maximum(partlets.mask[active].sum(axis=1), 1e-6)
    segments = replace(
        partlets,
        mask=evidence[column].astype(np.float32),
        partness=partlets.partness[active[overlap.argmax(axis=1)]],
        embeddings=np.stack([partlets.text[rows].mean(axis=0) for rows in inside]),
    )
    finer = active[cut(partlets.mask[active], graph)]
    cosines = part_cosines(segments.embeddings, encode, candidates)
    return Segments(segments, np.arange(len(column)), column, cosines, assigned, finer)


def assigned_points(
    partlets: Partlets, active: Int[np.ndarray, " active"], labels: Labels
) -> Int64[np.ndarray, " n"]:
    """Return the row of ``active`` of every point, -1 unlabeled; see :data:`prediction.Labels`."""
    mask = partlets.mask[active]
    if (graph := partlets.on_mesh(labels)) is not None:
        return cut(mask, graph)
    best = mask.argmax(axis=0).astype(np.int64)
    return best if labels == "filled" else np.where(mask.max(axis=0) >= ACTIVE_ABOVE, best, -1)


def assemble(segments: Segments, candidates: Sequence[Candidate], calibration: Calibration) -> Prediction:
    """Join the partlets of one name into a part.

    The confidence of a part is Eq. 20, the mean over its partlets weighted by their points; its vector is the
    embedding of the partlet with the highest partness.
    """
    partlets, active, assigned = segments.partlets, segments.active, segments.assigned
    soft = soft_confidence(segments.cosines, calibration.tau)[np.arange(len(active)), segments.column]
    chosen = [candidates[column] for column in segments.column.tolist()]
    labeled = np.flatnonzero(assigned >= 0)
    best = assigned[labeled]
    probability = partlets.mask[active[best], labeled]
    points = np.bincount(best, minlength=len(active))
    sums = np.bincount(best, weights=probability, minlength=len(active))
    members: dict[str, list[int]] = {}
    for row in np.flatnonzero(points).tolist():
        members.setdefault(chosen[row].name, []).append(row)
    part_of = np.full(len(active), -1, np.int64)
    parts: list[PredictedPart] = []
    for name, rows in members.items():
        part_of[rows] = len(parts)
        lead = max(rows, key=lambda row: partlets.partness[active[row]])
        confidence = float(np.average(soft[rows], weights=points[rows]))
        part = PredictedPart(
            name=name,
            description=chosen[lead].description,
            confidence=confidence,
            partness=float(partlets.partness[active[lead]]),
            partlet=int(active[lead]),
            soft=confidence,
            mask_confidence=float(sums[rows].sum() / points[rows].sum()),
            review_below=calibration.review_below,
        )
        parts.append(part)
    partlet = np.append(active, -1)[assigned] if segments.finer is None else segments.finer
    vectors = partlets.embeddings[[part.partlet for part in parts]]
    return Prediction(np.append(part_of, -1)[assigned], parts, vectors=vectors, point_partlet=partlet)


def part_cosines(
    embeddings: Float[np.ndarray, "k d_t"], encode: Encode, candidates: Sequence[Candidate]
) -> Float[np.ndarray, "k candidates"]:
    """Return the cosines of some partlets with the texts of all candidates (Eqs. 17 and 19).

    Raises:
        AlignPartsError: no candidates, or a text encoder of another width than the model's.
    """
    if not candidates:
        raise AlignPartsError("no candidate names to choose from")
    texts = np.asarray(encode([candidate.text for candidate in candidates]))
    if texts.shape[1] != embeddings.shape[1]:
        raise AlignPartsError(
            f"text embeddings are {texts.shape[1]} wide, the model's partlets {embeddings.shape[1]}; "
            "take the text encoder that the model was trained with"
        )
    return unit(embeddings) @ texts.T


def unit(vectors: Float[np.ndarray, "*batch d"]) -> Float[np.ndarray, "*batch d"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
