"""Inference with a trained model: the three modes of section 3.3."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from scipy.optimize import linear_sum_assignment
from scipy.special import expit

from alignparts.core.errors import AlignPartsError
from alignparts.model.alignparts import AlignParts
from alignparts.naming.confidence import PAPER, Calibration, Evidence, Statistics, soft_confidence
from alignparts.naming.prediction import (
    ACTIVE_ABOVE,
    Candidate,
    Encode,
    Labels,
    Partlets,
    PredictedPart,
    Prediction,
)
from alignparts.ontology.vocabulary import Vocabulary
from alignparts.patches.cut import PatchGraph, cut

Mode = Literal["closed", "open", "query"]


def forward(model: AlignParts, features: Mapping[str, Any]) -> Partlets:
    """Run the model on one shape, on the device of its weights.

    Features are arrays: ``points`` (n, 3) in the model frame, ``geometry`` (n, d_g), ``appearance`` (n, d_a);
    those of a mesh also have :class:`alignparts.patches.cut.PatchGraph`.

    Raises:
        AlignPartsError: an array is missing, or of a width that the model was not made for.
    """
    device, inputs = next(model.parameters()).device, []
    widths = {"points": 3, "geometry": model.config.d_g, "appearance": model.config.d_a}
    for name, width in widths.items():
        if name not in features:
            raise AlignPartsError(f"features: '{name}' is missing; expected {', '.join(widths)}")
        array = np.asarray(features[name], dtype=np.float32)
        if array.shape[-1] != width:
            raise AlignPartsError(
                f"features: '{name}' is {array.shape[-1]} wide, but the model was trained with {width}; "
                "take the encoders that the model was trained with"
            )
        inputs.append(torch.from_numpy(array).unsqueeze(0).to(device))
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        output = model(*inputs)
    model.train(was_training)
    names = ("mask_logits", "partness", "partlets", "global_embedding", "fused")
    mask, partness, *rest = (getattr(output, name)[0].float().cpu().numpy() for name in names)
    return replace(Partlets(expit(mask), expit(partness), *rest), graph=PatchGraph.of(features))


def category_cosines(
    partlets: Partlets, encode: Encode, vocabulary: Vocabulary
) -> Float[np.ndarray, " categories"]:
    """Return the cosine of the global embedding with every category's text, in alphabetical order (Eq. 16).

    Raises:
        AlignPartsError: the vocabulary is empty.
    """
    if not vocabulary.categories:
        raise AlignPartsError("the vocabulary has no category")
    texts = encode([vocabulary.category_description(name) for name in vocabulary.categories])
    return texts @ _unit(partlets.global_embedding)


def category_candidates(vocabulary: Vocabulary, category: str) -> list[Candidate]:
    """Return the parts of a category with their affordance descriptions."""
    return [Candidate(name, vocabulary.description(category, name)) for name in vocabulary.parts(category)]


def name_parts(
    partlets: Partlets,
    encode: Encode,
    vocabulary: Vocabulary,
    *,
    category: str | None = None,
    statistics: Statistics | None = None,
    calibration: Calibration = PAPER,
    labels: Labels = "points",
) -> Prediction:
    """Name parts by the closed vocabulary of one category (mode 1).

    The category is given by any alias; None lets the model choose (Eq. 16; ties: alphabetical). Without
    training statistics for Eq. 18 the confidence is left to Eq. 20.

    Raises:
        AlignPartsError: an empty vocabulary, an unknown category.
    """
    certainty = 1.0
    if category is None:
        cosines = category_cosines(partlets, encode, vocabulary)
        certainty = float(calibration.category_confidence(cosines[None])[0])
        category = vocabulary.categories[int(cosines.argmax())]
    category = vocabulary.resolve_category(category)
    names = category_candidates(vocabulary, category)
    prediction = closed_vocabulary(
        partlets,
        encode,
        names,
        category=category,
        statistics=statistics,
        calibration=calibration,
        labels=labels,
    )
    return calibrated(prediction, calibration, certainty)


def closed_vocabulary(
    partlets: Partlets,
    encode: Encode,
    candidates: Sequence[Candidate],
    *,
    category: str = "",
    statistics: Statistics | None = None,
    calibration: Calibration = PAPER,
    labels: Labels = "points",
) -> Prediction:
    """Give each active partlet a name of its own, by exact assignment on Eq. 17.

    Where there are more active partlets than names, those without a name are no longer active. Mesh-aware
    labels let partlets share a name instead: several of them often cover one part, and become it. See
    :func:`name_parts` for the arguments; the category counts as certain.
    """
    active = partlets.active()
    cosines = part_cosines(partlets, active, encode, candidates)
    if labels == "patches" and partlets.graph is not None:
        rows, columns = np.arange(len(active)), cosines.argmax(axis=1)
    else:
        rows, columns = linear_sum_assignment(1 - cosines)
    soft = soft_confidence(cosines, calibration.tau)[rows, columns]
    chosen = [candidates[column] for column in columns.tolist()]
    assigned = _assigned(partlets, active[rows], labels)
    prediction = _assemble(partlets, active[rows], chosen, soft, calibration, assigned)
    parts = prediction.parts
    if statistics is not None:
        near_to = [(partlets.embeddings[part.partlet], (category, part.name)) for part in parts]
        distances = [statistics.mahalanobis(*label) for label in near_to]
        parts = [replace(part, mahalanobis=near) for part, near in zip(parts, distances, strict=True)]
    return calibrated(replace(prediction, parts=parts, category=category), calibration)


def calibrated(prediction: Prediction, calibration: Calibration, certainty: float = 1.0) -> Prediction:
    """Return a closed-vocabulary prediction with the calibration's confidences and acceptance.

    Its parts have Eqs. 18 and 20. The certainty is the confidence of the category, 1 where it is given.
    """
    parts = prediction.parts
    labeled = prediction.point_part[prediction.point_part >= 0]
    share = np.bincount(labeled, minlength=len(parts)) / max(len(labeled), 1)
    names = ("soft", "mahalanobis", "partness", "mask_confidence")
    columns = {name: np.array([getattr(part, name) for part in parts], np.float64) for name in names}
    evidence = Evidence(**columns, category=np.full(len(parts), certainty), share=share)
    weighed = [
        replace(part, confidence=value, accepted=calibration.accepts(value, part.mahalanobis))
        for part, value in zip(parts, calibration.confidence(evidence).tolist(), strict=True)
    ]
    return replace(prediction, parts=weighed)


def open_vocabulary(
    partlets: Partlets,
    encode: Encode,
    candidates: Sequence[Candidate],
    *,
    calibration: Calibration = PAPER,
    labels: Labels = "points",
) -> Prediction:
    """Give each active partlet the nearest name (mode 2, Eq. 19); partlets of one name become one part."""
    active = partlets.active()
    cosines = part_cosines(partlets, active, encode, candidates)
    columns = cosines.argmax(axis=1)
    soft = soft_confidence(cosines, calibration.tau)[np.arange(len(active)), columns]
    chosen = [candidates[column] for column in columns.tolist()]
    return _assemble(partlets, active, chosen, soft, calibration, _assigned(partlets, active, labels))


def retrieval(partlets: Partlets, encode: Encode, query: Candidate, labels: Labels = "points") -> Prediction:
    """Return the one active partlet nearest to the query, and its mask (mode 3, Eq. 21).

    Points with a mask probability below 0.5 are unlabeled, with mesh-aware labels whole patches; other
    partlets do not compete. The confidence is the cosine, negative ones as 0: a softmax over one candidate
    would always be 1.
    """
    active = partlets.active()
    cosines = part_cosines(partlets, active, encode, [query])[:, 0]
    row = cosines.argmax(axis=0, keepdims=True)
    mask = partlets.mask[active[row]]
    if labels == "patches" and partlets.graph is not None:
        assigned = -cut(np.concatenate([mask, 1 - mask]), partlets.graph)
    else:
        assigned = _assigned(partlets, active[row], "points")
    return _assemble(partlets, active[row], [query], np.clip(cosines[row], 0, 1), PAPER, assigned)


def _assigned(
    partlets: Partlets, active: Int[np.ndarray, " active"], labels: Labels
) -> Int64[np.ndarray, " n"]:
    """Return the row of ``active`` of every point, -1 unlabeled; see :data:`prediction.Labels`."""
    mask = partlets.mask[active]
    if labels == "patches" and partlets.graph is not None:
        return cut(mask, partlets.graph)
    best = mask.argmax(axis=0).astype(np.int64)
    return best if labels == "filled" else np.where(mask.max(axis=0) >= ACTIVE_ABOVE, best, -1)


def _assemble(
    partlets: Partlets,
    active: Int[np.ndarray, " active"],
    chosen: Sequence[Candidate],
    soft: Float[np.ndarray, " active"],
    calibration: Calibration,
    assigned: Int[np.ndarray, " n"],
) -> Prediction:
    """Join the partlets of one name into a part, from the row of ``active`` of every point, -1 unlabeled.

    The confidence of a part is Eq. 20, the mean over its partlets weighted by their points.
    """
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
    partlet = np.append(active, -1)[assigned]
    return Prediction(np.append(part_of, -1)[assigned], parts, point_partlet=partlet)


def part_cosines(
    partlets: Partlets, active: Int[np.ndarray, " active"], encode: Encode, candidates: Sequence[Candidate]
) -> Float[np.ndarray, "active candidates"]:
    """Return the cosines of some partlets with the texts of all candidates (Eqs. 17 and 19).

    Raises:
        AlignPartsError: no candidates, or a text encoder of another width than the model's.
    """
    if not candidates:
        raise AlignPartsError("no candidate names to choose from")
    texts = np.asarray(encode([candidate.text for candidate in candidates]))
    embeddings = partlets.embeddings[active]
    if texts.shape[1] != embeddings.shape[1]:
        raise AlignPartsError(
            f"text embeddings are {texts.shape[1]} wide, the model's partlets {embeddings.shape[1]}; "
            "take the text encoder that the model was trained with"
        )
    return _unit(embeddings) @ texts.T


def _unit(vectors: Float[np.ndarray, "*batch d"]) -> Float[np.ndarray, "*batch d"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
