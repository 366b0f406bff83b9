"""Data sets as they lie on disk → labeled shapes. Nothing else reads a data set's own format."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.index import read_shape
from alignparts.corpus.readers import (
    compat,
    compat_hdf5,
    find3d,
    labeled_mesh,
    mobility,
    named_glb,
    partnet,
    partobjaverse,
    texverse,
)
from alignparts.corpus.readers.common import BrokenLabels, Locator, ReadOptions, read_json
from alignparts.corpus.readers.detect import detect, scan
from alignparts.corpus.shape import LabeledShape, tidy

__all__ = [
    "KINDS",
    "BrokenLabels",
    "Locator",
    "ReadOptions",
    "detect",
    "model_of",
    "read",
    "scan",
    "split_of",
]


def _read_corpus(locator: Locator) -> LabeledShape:
    return read_shape(locator.path)


KINDS: dict[str, Callable[[Locator], LabeledShape]] = {
    "partnet": partnet.read,
    "partnet_mobility": mobility.read,
    "compat": compat.read,
    "compat_hdf5": compat_hdf5.read,
    "find3d": find3d.read,
    "partobjaverse": partobjaverse.read,
    "texverse": texverse.read,
    "named_glb": named_glb.read,
    "labeled_mesh": labeled_mesh.read,
    "corpus": _read_corpus,
}
UNLABELED = frozenset({"texverse"})
"""Kinds whose shapes need no named part."""


def read(kind: str, locator: Locator) -> LabeledShape:
    """Read one detected shape; instances without name or surface are dropped.

    Raises:
        AlignPartsError: it cannot be read, or it has no named part where its kind has labels.
    """
    if kind not in KINDS:
        raise AlignPartsError(f"{locator.path}: {locator.reason or f'kind {kind!r} has no reader'}")
    shape = KINDS[kind](locator)
    if kind in UNLABELED and not shape.part_names:
        shape.surface.frame()
        plain = np.full(len(shape.surface.faces), -1, np.int32)
        return replace(shape, instances=[], surface=replace(shape.surface, face_part=plain))
    return tidy(shape)


def model_of(kind: str, locator: Locator) -> str:
    """The model a shape shows, where several shapes may be annotations of one; "" elsewhere."""
    if kind in {"partnet", "partnet_mobility"}:
        return str(_meta(locator).get("model_id") or "")
    return locator.model


def split_of(kind: str, locator: Locator) -> str:
    """The data set's own split of a shape: train, validation, test, or "" where it states none."""
    if locator.split or kind not in {"partnet", "partnet_mobility"}:
        return locator.split
    category = str(_meta(locator).get("model_cat") or "")
    return partnet.official_split(locator.root, category, locator.path.name)


def _meta(locator: Locator) -> dict:
    meta = read_json(locator.path / "meta.json")
    if not isinstance(meta, dict):
        raise AlignPartsError(f"{locator.path}/meta.json: expected an object with model_id and model_cat")
    return meta
