"""What a simulated annotator knows, how far an annotation is from it, and where an annotator may begin."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float64, Int32

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.vocabulary import Vocabulary, spelling
from texparts.annotation.annotation import UNLABELED, Annotation, Part
from texparts.annotation.geometry import Shape
from texparts.raw.synthetic import TexVerseLike


@dataclass(frozen=True)
class Truth:
    """The annotation that is right.

    Attributes:
        category: canonical.
        names: canonical, each once; faces of equal names are one part.
        face_part: index into ``names`` of every face, -1 unlabeled.
    """

    category: str
    names: tuple[str, ...]
    face_part: Int32[np.ndarray, " faces"]


@dataclass(frozen=True)
class Judgment:
    """How far an annotation is from the truth.

    Attributes:
        iou: over area, of every true part with the parts of its name together; 1 for a part without area.
        surplus: parts that are there more than once, or not in the truth.
        category: whether it is the right one.
    """

    iou: Float64[np.ndarray, " names"]
    surplus: int
    category: bool

    def right(self, quality: float) -> bool:
        """Whether nothing is left to do."""
        return self.category and not self.surplus and bool((self.iou >= quality).all())


def truth_of(folder: TexVerseLike, object_id: str, vocabulary: Vocabulary) -> Truth:
    """The truth of an embedded object, in the vocabulary's names; names that it lacks are spelt its way.

    Raises:
        AlignPartsError: the object has no truth.
    """
    try:
        category, written, labels = folder.labels(object_id)
    except OSError as error:
        raise AlignPartsError(
            f"{folder.truth}: no truth of object {object_id} ({error.strerror}); expected an embedded one"
        ) from None
    known = vocabulary.has(category)
    names = [
        vocabulary.resolve(category, name)[1] if known and vocabulary.has(category, name) else spelling(name)
        for name in written
    ]
    kept = sorted({names[index] for index in np.unique(labels[labels >= 0]).tolist()})
    table = np.array([kept.index(name) if name in kept else -1 for name in names] + [-1], np.int32)
    canonical = vocabulary.resolve_category(category) if known else spelling(category)
    return Truth(canonical, tuple(kept), table[labels])


def judge(annotation: Annotation, truth: Truth, areas: Float[np.ndarray, " faces"]) -> Judgment:
    """Compare an annotation with the truth, by the names of its parts."""
    number = {name: index for index, name in enumerate(truth.names)}
    count = len(number)
    table = np.full(annotation.next_id + 1, count, np.int64)
    for part in annotation.parts:
        table[part.id] = number.get(part.name, count)
    said = table[annotation.face_part]  # -1, unlabeled, is the table's last
    true = np.where(truth.face_part < 0, count, truth.face_part)
    cells = np.bincount((count + 1) * true + said, areas.astype(np.float64), (count + 1) ** 2)
    both = cells.reshape(count + 1, count + 1)
    inside = np.diag(both)[:count]
    own, union = both.sum(axis=1)[:count], both.sum(axis=1)[:count] + both.sum(axis=0)[:count] - inside
    iou = np.where(own > 0, inside / np.maximum(union, 1e-300), 1.0)
    names = [part.name for part in annotation.parts]
    surplus = len(names) - len(set(names) & set(number))
    return Judgment(iou, surplus, annotation.category == truth.category)


def scratch(shape: Shape) -> Annotation:
    """Nothing is named or labeled."""
    return Annotation("", np.full(len(shape.faces), UNLABELED, np.int32), (), 0)


def from_clusters(shape: Shape, granularity: int) -> Annotation:
    """Clusters of the geometry field as segments without a name; they claim nothing that is to be checked.

    Raises:
        AlignPartsError: there are no clusters of this number.
    """
    if granularity not in shape.clusters:
        known = ", ".join(map(str, shape.clusters)) or "none"
        raise AlignPartsError(f"clusters: there are none of {granularity}; expected one of {known}")
    kinds, label = np.unique(shape.clusters[granularity], return_inverse=True)
    parts = tuple(Part(index, unnamed(index), accepted=True) for index in range(len(kinds)))
    return Annotation("", label.astype(np.int32).reshape(-1), parts, len(parts))


def without_names(prediction: Annotation) -> Annotation:
    """The predicted masks alone: no category, and no name."""
    parts = tuple(replace(part, name=unnamed(part.id), accepted=False) for part in prediction.parts)
    return replace(prediction, category="", parts=parts)


def unchecked(prediction: Annotation) -> Annotation:
    """The prediction, with no part accepted unseen."""
    return replace(prediction, parts=tuple(replace(part, accepted=False) for part in prediction.parts))


def unnamed(number: int) -> str:
    """What a segment without a name is called."""
    return f"segment {number + 1}"
