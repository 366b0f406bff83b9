"""From a trained model to named points: the three modes of section 3.3 and those of section 11."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from scipy.optimize import linear_sum_assignment
from scipy.special import expit

from alignparts.core.errors import AlignPartsError
from alignparts.naming.confidence import (
    PAPER,
    Calibration,
    Statistics,
    fused_confidence,
    pooled_confidence,
    soft_confidence,
)
from alignparts.naming.prediction import ACTIVE_ABOVE, Candidate, Encode, Partlets, PredictedPart, Prediction
from alignparts.ontology.vocabulary import Vocabulary

Mode = Literal["closed", "open", "query"]


def forward(
    model: torch.nn.Module, features: Mapping[str, Any], device: str | torch.device = "cpu"
) -> Partlets:
    """One pass of the model over one shape.

    Args:
        model: an ``AlignParts``.
        features: arrays ``points`` (n, 3) in the model frame, ``geometry`` (n, d_g), ``appearance`` (n, d_a).
        device: where the model is.

    Raises:
        AlignPartsError: an array is missing, or of a width that the model was not made for.
    """
    missing = [name for name in ("points", "geometry", "appearance") if name not in features]
    if missing:
        raise AlignPartsError(f"features: '{missing[0]}' is missing; expected points, geometry, appearance")

    def batch(name: str) -> torch.Tensor:
        return torch.from_numpy(np.asarray(features[name], dtype=np.float32)).unsqueeze(0).to(device)

    points, geometry, appearance = batch("points"), batch("geometry"), batch("appearance")
    config: Any = getattr(model, "config", None)
    for name, given in (("d_g", geometry.shape[-1]), ("d_a", appearance.shape[-1])):
        expected = getattr(config, name, given)
        if expected != given:
            raise AlignPartsError(
                f"features: {name} is {given}, but the model was trained with {expected}; "
                "take the encoders that the model was trained with"
            )
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        output = model(points, geometry, appearance)
    model.train(was_training)

    def array(tensor: torch.Tensor) -> np.ndarray:
        return tensor[0].float().cpu().numpy()

    return Partlets(
        mask=expit(array(output.mask_logits)).astype(np.float32),
        partness=expit(array(output.partness)).astype(np.float32),
        embeddings=array(output.partlets),
        global_embedding=array(output.global_embedding),
        fused=array(output.fused),
    )


def find_category(partlets: Partlets, encode: Encode, vocabulary: Vocabulary) -> str:
    """Eq. 16: the category whose text is nearest to the global embedding (ties: alphabetical).

    Raises:
        AlignPartsError: the vocabulary is empty.
    """
    return vocabulary.categories[int(category_cosines(partlets, encode, vocabulary).argmax())]


def category_cosines(
    partlets: Partlets, encode: Encode, vocabulary: Vocabulary
) -> Float[np.ndarray, " categories"]:
    """Cosine of the global embedding with every category's text, in alphabetical order (Eq. 16).

    Raises:
        AlignPartsError: the vocabulary is empty.
    """
    names = vocabulary.categories
    if not names:
        raise AlignPartsError("the vocabulary has no category")
    texts = encode([vocabulary.category_description(name) for name in names])
    return texts @ _unit(partlets.global_embedding)


def category_confidence(
    partlets: Partlets, encode: Encode, vocabulary: Vocabulary, calibration: Calibration
) -> float:
    """Softmax of Eq. 16's best category; 1 where the calibration leaves it out, as the paper does."""
    if calibration.tau_category is None:
        return 1.0
    cosines = category_cosines(partlets, encode, vocabulary)
    return float(soft_confidence(cosines[None], calibration.tau_category).max())


def category_candidates(vocabulary: Vocabulary, category: str) -> list[Candidate]:
    """The parts of a category with their affordance descriptions, as candidates."""
    return [Candidate(name, vocabulary.description(category, name)) for name in vocabulary.parts(category)]


def closed_vocabulary(
    partlets: Partlets,
    encode: Encode,
    candidates: Sequence[Candidate],
    *,
    category: str = "",
    statistics: Statistics | None = None,
    calibration: Calibration = PAPER,
    sure: float = 1.0,
    fill: bool = False,
) -> Prediction:
    """Mode 1: each active partlet takes one name of its own, by exact assignment on Eq. 17.

    Where there are more active partlets than names, those without a name are no longer active. ``sure`` is
    the :func:`category_confidence`, where the model found the category; every confidence is multiplied by it.
    """
    active = partlets.active()
    cosines = part_cosines(partlets, active, encode, candidates)
    rows, columns = linear_sum_assignment(1 - cosines)
    soft = soft_confidence(cosines, calibration.tau)[rows, columns]
    known: list[float | None] = [
        None
        if statistics is None
        else statistics.mahalanobis(partlets.embeddings[active[row]], (category, candidates[column].name))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    named = _Named(active[rows], columns, soft, known)
    return replace(_assemble(partlets, named, candidates, calibration, fill, sure), category=category)


def open_vocabulary(
    partlets: Partlets,
    encode: Encode,
    candidates: Sequence[Candidate],
    *,
    calibration: Calibration = PAPER,
    fill: bool = False,
) -> Prediction:
    """Mode 2: each active partlet takes the nearest name (Eq. 19); those of one name become one part."""
    active = partlets.active()
    cosines = part_cosines(partlets, active, encode, candidates)
    chosen = cosines.argmax(axis=1)
    soft = soft_confidence(cosines, calibration.tau)[np.arange(len(active)), chosen]
    return _assemble(
        partlets, _Named(active, chosen, soft, [None] * len(active)), candidates, calibration, fill
    )


def retrieval(partlets: Partlets, encode: Encode, query: Candidate) -> Prediction:
    """Mode 3: the one active partlet nearest to the query, and its mask (Eq. 21).

    Points with a mask probability below 0.5 are unlabeled; other partlets don't compete. The confidence
    is the cosine, negative ones as 0: a softmax over one candidate would always be 1.
    """
    active = partlets.active()
    cosines = part_cosines(partlets, active, encode, [query])[:, 0]
    row = int(cosines.argmax())
    partlet = int(active[row])
    inside = partlets.mask[partlet] >= ACTIVE_ABOVE
    if not inside.any():
        return Prediction(np.full(len(inside), -1, np.int64), [])
    confidence = float(np.clip(cosines[row], 0, 1))
    part = PredictedPart(
        query.name,
        query.description,
        confidence,
        float(partlets.partness[partlet]),
        partlet,
        soft=confidence,
        mask_confidence=float(partlets.mask[partlet][inside].mean()),
    )
    return Prediction(np.where(inside, 0, -1).astype(np.int64), [part])


def given_number(partlets: Partlets, parts: int) -> Int64[np.ndarray, " n"]:
    """Segments for a known number of parts (section 11): the most salient masks share out all points.

    Salience is partness times the mean mask probability.

    Returns:
        Segment of every point, 0..parts - 1 (fewer than ``parts`` where the model has fewer partlets).

    Raises:
        AlignPartsError: fewer than one part.
    """
    if parts < 1:
        raise AlignPartsError(f"number of parts: expected at least 1, got {parts}")
    salience = partlets.partness * partlets.mask.mean(axis=1)
    kept = np.argsort(-salience, kind="stable")[:parts]
    return partlets.mask[kept].argmax(axis=0).astype(np.int64)


def predict(
    model: torch.nn.Module,
    encode: Encode,
    features: Mapping[str, Any],
    *,
    candidates: Sequence[Candidate],
    mode: Mode = "open",
    category: str = "",
    statistics: Statistics | None = None,
    calibration: Calibration = PAPER,
    fill: bool = False,
) -> Prediction:
    """Name the points of one shape in one forward pass.

    Args:
        model: an ``AlignParts``.
        encode: the text encoder's ``encode``.
        features: see :func:`forward`.
        candidates: the names to choose from; in mode "query" exactly one.
        mode: "closed" (one partlet a name), "open" (any number of partlets a name) or "query".
        category: what the Mahalanobis confidence of mode "closed" belongs to.
        statistics: training statistics; without them the confidence is Eq. 20 alone.
        calibration: of the confidences; the paper's values by default.
        fill: give points that Eq. 22 leaves unlabeled the best mask's name all the same.

    Raises:
        AlignPartsError: no candidates, an unknown mode, several candidates for a query, or unfit features.
    """
    if mode not in ("closed", "open", "query"):
        raise AlignPartsError(f"mode '{mode}': expected closed, open or query")
    if mode == "query" and len(candidates) != 1:
        raise AlignPartsError(f"mode 'query': expected one candidate, got {len(candidates)}")
    if not candidates:
        raise AlignPartsError("no candidate names to choose from")
    partlets = forward(model, features, next(model.parameters()).device)
    if mode == "query":
        return retrieval(partlets, encode, candidates[0])
    if mode == "open":
        return open_vocabulary(partlets, encode, candidates, calibration=calibration, fill=fill)
    return closed_vocabulary(
        partlets,
        encode,
        candidates,
        category=category,
        statistics=statistics,
        calibration=calibration,
        fill=fill,
    )


def point_labels(
    mask: Float[np.ndarray, "active n"], fill: bool = False
) -> tuple[Int64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Eq. 22: the best active partlet (row) of every point, and whether its probability reaches 0.5."""
    best = mask.argmax(axis=0).astype(np.int64)
    sure = mask.max(axis=0) >= ACTIVE_ABOVE
    return best, np.ones_like(sure) if fill else sure


@dataclass(frozen=True)
class _Named:
    """Partlets and the candidates that they took, in one order."""

    partlets: Int[np.ndarray, " active"]
    chosen: Int[np.ndarray, " active"]
    soft: Float[np.ndarray, " active"]
    mahalanobis: Sequence[float | None]


def _assemble(
    partlets: Partlets,
    named: _Named,
    candidates: Sequence[Candidate],
    calibration: Calibration,
    fill: bool,
    sure: float = 1.0,
) -> Prediction:
    active, chosen = named.partlets, named.chosen
    mask = partlets.mask[active]
    best, labeled = point_labels(mask, fill)
    points = np.bincount(best[labeled], minlength=len(active))
    sums = np.bincount(best[labeled], weights=mask.max(axis=0)[labeled], minlength=len(active))
    confidence = sure * np.array([
        fused_confidence(float(soft), known, calibration.alpha, calibration.beta)
        for soft, known in zip(named.soft, named.mahalanobis, strict=True)
    ])  # fmt: skip
    # Candidates that share a name are one part, whichever text found it.
    names = [candidates[index].name for index in chosen.tolist()]
    members: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if points[row]:
            members.setdefault(name, []).append(row)
    part_of = np.full(len(active), -1, np.int64)
    parts: list[PredictedPart] = []
    for name, rows in members.items():
        part_of[rows] = len(parts)
        lead = max(rows, key=lambda row: (partlets.partness[active[row]], -row))
        pooled = pooled_confidence(confidence[rows], points[rows])
        # Where several partlets make up a part, the vocabulary is open or names are given twice.
        known = named.mahalanobis[lead]
        parts.append(
            PredictedPart(
                name=name,
                description=candidates[int(chosen[lead])].description,
                confidence=pooled,
                partness=float(partlets.partness[active[lead]]),
                partlet=int(active[lead]),
                soft=pooled_confidence(named.soft[rows], points[rows]),
                mahalanobis=known,
                mask_confidence=float(sums[rows].sum() / points[rows].sum()),
                accepted=calibration.accepts(pooled, known),
                review_below=calibration.review_below,
            )
        )
    return Prediction(np.where(labeled, part_of[best], -1), parts)


def part_cosines(
    partlets: Partlets, active: Int[np.ndarray, " active"], encode: Encode, candidates: Sequence[Candidate]
) -> Float[np.ndarray, "active candidates"]:
    """Cosines of some partlets with the texts of all candidates (Eqs. 17 and 19).

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
