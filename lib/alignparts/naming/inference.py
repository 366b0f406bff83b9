"""Inference with a trained model: the three modes of section 3.3."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from scipy.special import expit

from alignparts.core.errors import AlignPartsError
from alignparts.model.backbone.learned import LearnedAlignParts, Model
from alignparts.model.backbone.pose import QUARTERS, posed
from alignparts.naming.confidence import PAPER, Calibration, Evidence, Statistics
from alignparts.naming.prediction import (
    Candidate,
    Encode,
    Labels,
    Partlets,
    Prediction,
)
from alignparts.naming.segments import Segments, assemble, assigned_points, of_points, part_cosines, unit
from alignparts.ontology.vocabulary import Vocabulary
from alignparts.patches.cut import PatchGraph, cut

Mode = Literal["closed", "open", "query"]

PARTLETS = "partlets"
"""Entry of a shape's features: the output of the model, where it was needed to make them."""


def forward(model: Model, features: Mapping[str, Any]) -> Partlets:
    """Run the model on one shape, on the device of its weights.

    Features are arrays: ``points`` (n, 3) in the model frame, ``geometry`` (n, d_g), ``appearance`` (n, d_a),
    or with a learned backbone ``normals`` and ``colors`` (n, 3); those of a mesh also have
    :class:`alignparts.patches.cut.PatchGraph`. Where they hold :data:`PARTLETS`, nothing is run again.

    A learned backbone sees a shape in its four poses: partlets are those of the first, the rest are means.

    Raises:
        AlignPartsError: an array is missing, or of a width that the model was not made for.
    """
    graph = PatchGraph.of(features)
    if PARTLETS in features:
        return replace(features[PARTLETS], graph=graph)
    device, inputs = next(model.parameters()).device, {}
    for name, width in model.inputs.items():
        if name not in features:
            raise AlignPartsError(f"features: '{name}' is missing; expected {', '.join(model.inputs)}")
        array = np.asarray(features[name], dtype=np.float32)
        if array.shape[-1] != width:
            raise AlignPartsError(
                f"features: '{name}' is {array.shape[-1]} wide, but the model was trained with {width}; "
                "take the encoders that the model was trained with"
            )
        inputs[name] = array
    if isinstance(model, LearnedAlignParts):
        poses = [posed(inputs["points"], inputs["normals"], quarter) for quarter in range(QUARTERS)]
        points, normals = (np.stack(values) for values in zip(*poses, strict=True))
        inputs = {"points": points, "normals": normals, "colors": np.stack([inputs["colors"]] * QUARTERS)}
    else:
        inputs = {name: array[None] for name, array in inputs.items()}
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        output = model(**{name: torch.from_numpy(array).to(device) for name, array in inputs.items()})
    model.train(was_training)
    mask, partness, embeddings, whole, fused = (
        getattr(output, name).float().cpu().numpy()
        for name in ("mask_logits", "partness", "partlets", "global_embedding", "fused")
    )
    partlets = Partlets(expit(mask[0]), expit(partness[0]), embeddings[0], whole[0], fused[0], graph)
    if output.text is None:
        return partlets
    text = output.text.float().cpu().numpy().mean(axis=0)
    return replace(partlets, global_embedding=unit(whole).mean(axis=0), fused=fused.mean(axis=0), text=text)


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
    return texts @ unit(partlets.global_embedding)


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
    if (segments := of_points(partlets, encode, candidates, labels, closed=True)) is None:
        active = partlets.active()
        cosines = part_cosines(partlets.embeddings[active], encode, candidates)
        if partlets.on_mesh(labels) is not None:
            rows, columns = np.arange(len(active)), cosines.argmax(axis=1)
        else:
            rows, columns = linear_sum_assignment(1 - cosines)
        assigned = assigned_points(partlets, active[rows], labels)
        segments = Segments(partlets, active[rows], columns, cosines[rows], assigned)
    prediction = assemble(segments, candidates, calibration)
    parts = prediction.parts
    if statistics is not None:
        near_to = [(segments.partlets.embeddings[part.partlet], (category, part.name)) for part in parts]
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
    if (segments := of_points(partlets, encode, candidates, labels)) is None:
        active = partlets.active()
        cosines = part_cosines(partlets.embeddings[active], encode, candidates)
        assigned = assigned_points(partlets, active, labels)
        segments = Segments(partlets, active, cosines.argmax(axis=1), cosines, assigned)
    return assemble(segments, candidates, calibration)


def retrieval(partlets: Partlets, encode: Encode, query: Candidate, labels: Labels = "points") -> Prediction:
    """Return the one active partlet nearest to the query, and its mask (mode 3, Eq. 21).

    Points with a mask probability below 0.5 are unlabeled, with mesh-aware labels whole patches; other
    partlets do not compete. The confidence is the cosine, negative ones as 0: a softmax over one candidate
    would always be 1.
    """
    active = partlets.active()
    cosines = part_cosines(partlets.embeddings[active], encode, [query])[:, 0]
    row = cosines.argmax(axis=0, keepdims=True)
    mask = partlets.mask[active[row]]
    if (graph := partlets.on_mesh(labels)) is not None:
        assigned = -cut(np.concatenate([mask, 1 - mask]), graph)
    else:
        assigned = assigned_points(partlets, active[row], "points")
    segments = Segments(partlets, active[row], np.zeros(1, np.int64), cosines[row, None], assigned)
    prediction, sure = assemble(segments, [query], PAPER), float(np.clip(cosines[row[0]], 0, 1))
    return replace(prediction, parts=[replace(part, confidence=sure, soft=sure) for part in prediction.parts])
