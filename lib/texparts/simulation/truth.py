"""Read the embedded objects' truth, judge annotations by it, and make annotations to start from."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int32

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.vocabulary import Vocabulary, spelling
from texparts.annotation.annotation import UNLABELED, Annotation, Part
from texparts.annotation.geometry import Shape
from texparts.raw.synthetic import TexVerseLike


@dataclass(frozen=True)
class Truth:
    """Right annotation of one object.

    Attributes:
        category: canonical name.
        names: canonical part names, each once; faces of equal names are one part.
        face_part: index into ``names`` per face, -1 unlabeled.
    """

    category: str
    names: tuple[str, ...]
    face_part: Int32[np.ndarray, " faces"]


class Judgment(NamedTuple):
    """Distance of an annotation from the truth.

    Attributes:
        iou: area IoU per true part with all parts of its name; 1 for a true part without area.
        surplus: number of parts that repeat a name or are not in the truth.
        category: true if the category is right.
    """

    iou: Float64[np.ndarray, " names"]
    surplus: int
    category: bool

    def right(self, quality: float) -> bool:
        """Return whether nothing is left to correct at this least IoU."""
        return self.category and not self.surplus and bool((self.iou >= quality).all())


def truth_of(folder: TexVerseLike, object_id: str, vocabulary: Vocabulary) -> Truth:
    """Return an embedded object's truth in canonical names; raises AlignPartsError if it has none."""
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
    used = sorted({names[index] for index in np.unique(labels[labels >= 0]).tolist()})
    table = np.array([used.index(name) if name in used else -1 for name in names] + [-1], np.int32)
    canonical = vocabulary.resolve_category(category) if known else spelling(category)
    return Truth(canonical, tuple(used), table[labels])


def judge(annotation: Annotation, truth: Truth, areas: Float[np.ndarray, " faces"]) -> Judgment:
    """Compare an annotation with the truth by part names, weighted by face area."""
    number = {name: index for index, name in enumerate(truth.names)}
    rest = len(number)
    table = np.full(annotation.next_id + 1, rest, np.int64)
    for part in annotation.parts:
        table[part.id] = number.get(part.name, rest)
    labeled = table[annotation.face_part]  # -1, unlabeled, is the table's last entry
    true = np.where(truth.face_part < 0, rest, truth.face_part)
    cells = np.bincount((rest + 1) * true + labeled, areas.astype(np.float64), (rest + 1) ** 2)
    both = cells.reshape(rest + 1, rest + 1)
    inside, area = np.diag(both)[:rest], both.sum(axis=1)[:rest]
    union = area + both.sum(axis=0)[:rest] - inside
    iou = np.where(area > 0, inside / np.maximum(union, 1e-300), 1.0)
    surplus = len(annotation.parts) - len({part.name for part in annotation.parts} & set(number))
    return Judgment(iou, surplus, annotation.category == truth.category)


def scratch(shape: Shape) -> Annotation:
    """Return an annotation without category, parts and labels."""
    return Annotation("", np.full(len(shape.faces), UNLABELED, np.int32), (), 0)


def from_clusters(shape: Shape, granularity: int) -> Annotation:
    """Return one of the shape's clusterings as unnamed segments that claim nothing to be checked."""
    kinds, label = np.unique(shape.clusters[granularity], return_inverse=True)
    parts = tuple(Part(index, f"segment {index + 1}", accepted=True) for index in range(len(kinds)))
    return Annotation("", label.astype(np.int32).reshape(-1), parts, len(parts))
