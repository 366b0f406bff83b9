"""Features of every point of every shape: renders, the two frozen encoders, lifting (section 3.1)."""

import hashlib
import tempfile
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from alignparts.core.checkpoint import save_model, weights_digest
from alignparts.core.config.params import FeatureParams, Params
from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.corpus.index import Corpus, shape_file
from alignparts.corpus.mesh.render import ELEVATIONS, FIELD_OF_VIEW, Lighting, render_views
from alignparts.corpus.mesh.sampling import Sample, sample_surface, seed_of
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.shape import LabeledShape
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.lift import lift, visibility
from alignparts.features.partfield import FRAME, PartField
from alignparts.features.store import FeatureStore, fingerprint_of
from alignparts.ontology.vocabulary import Vocabulary
from alignparts.patches.patches import surface_patches

VERSION = 2
"""Version of the features; bump it when the same inputs give other ones."""


@dataclass(frozen=True)
class Encoders:
    """The two frozen encoders: the part field, and that of pictures."""

    geometry: PartField
    appearance: AppearanceEncoder

    @classmethod
    def from_params(cls, params: FeatureParams, models: Path) -> "Encoders":
        """Return the checkpoints that params.yaml names, or those that the pipeline trained into ``models``.

        Raises:
            AlignPartsError: a checkpoint is missing, or the resolution does not suit the encoder.
        """
        encoders = cls(
            PartField.from_pretrained(params.geometry.checkpoint or models / "geometry"),
            AppearanceEncoder.from_pretrained(params.appearance.checkpoint or models / "appearance"),
        )
        encoders.appearance.check_resolution(params.resolution)
        return encoders

    def save(self, folder: Path) -> None:
        """Write both, as `load` and `from_params` read them."""
        save_model(self.geometry, folder / "geometry")
        self.appearance.save_pretrained(folder / "appearance")

    @classmethod
    def load(cls, folder: Path) -> "Encoders":
        """Read what `save` wrote."""
        geometry = PartField.from_pretrained(folder / "geometry")
        return cls(geometry, AppearanceEncoder.from_pretrained(folder / "appearance"))


def extract(
    surface: Surface,
    sample: Sample,
    encoders: Encoders,
    views: int = 8,
    resolution: int = 112,
    *,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Return geometry and appearance of the sampled points of a shape.

    Geometry: the part field is encoded from its own, denser sample of the surface (as many points as it was
    trained with) and queried at the points. Appearance: patch features of the renders, lifted (`lift`).

    Args:
        surface, sample: surface of the shape, and points sampled from it.
        encoders: both encoders.
        views, resolution: number of pictures, and their side in pixels.
        seed: seed of the part field's own sample.

    Returns:
        ``points, normals, colors`` (N, 3) float32, ``geometry`` (N, d_g) and ``appearance`` (N, d_a) float16,
        ``seen`` (N,) bool: in at least one view. Of a mesh also those of
        :meth:`alignparts.patches.patches.Patches.arrays`.

    Raises:
        AlignPartsError: the resolution does not suit the appearance encoder, or a feature is not finite.
    """
    encoders.appearance.check_resolution(resolution)
    pictures = render_views(surface, views, resolution)
    maps = encoders.appearance.encode(pictures.color)
    weights = visibility(pictures, sample.points, sample.normals)
    appearance = lift(maps, pictures, sample.points, sample.normals, weights)
    geometry = _half(geometry_of(surface, sample, encoders.geometry, seed), "geometry")
    patches = {} if surface.is_cloud else surface_patches(surface, sample, geometry).arrays(sample)
    return {
        "points": sample.points,
        "normals": sample.normals,
        "colors": sample.colors,
        "geometry": geometry,
        "appearance": _half(appearance, "appearance"),
        "seen": np.asarray((weights > 0).any(axis=0)),
        **patches,
    }


@torch.inference_mode()
def geometry_of(surface: Surface, sample: Sample, field: PartField, seed: int = 0) -> np.ndarray:
    """Return the part field's features (N, d_g) of the sampled points; see `extract`."""
    dense = sample_surface(surface, field.config.input_points, seed).points
    device = next(field.parameters()).device
    points, positions = (FRAME * torch.from_numpy(at)[None].to(device) for at in (dense, sample.points))
    return field(points, positions)[0].float().cpu().numpy()


def labels_of(
    shape: LabeledShape, sample: Sample, vocabulary: Vocabulary
) -> tuple[np.ndarray, str, list[str]]:
    """Return canonical labels of the sampled points; instances of one name are one part (section 3.4).

    Returns:
        ``part`` (N,) int16, an index into the names, -1 where the data set gives no name or the vocabulary
        has none; the canonical category; the names of the parts that hold at least one point.

    Raises:
        AlignPartsError: the category is not in the vocabulary.
    """
    category = vocabulary.resolve_category(shape.category)
    canonical = [
        vocabulary.resolve(shape.category, name)[1] if vocabulary.has(shape.category, name) else ""
        for name in shape.instances
    ]
    hit = np.unique(sample.instance[sample.instance >= 0])
    names = list(dict.fromkeys(filter(None, (canonical[index] for index in hit))))
    # The last entry serves instance -1.
    table = [names.index(name) if name in names else -1 for name in (*canonical, "")]
    return np.array(table, np.int16)[sample.instance], category, names


def extract_corpus(
    corpus: Corpus, vocabulary: Vocabulary, encoders: Encoders, params: Params, store: Path | str
) -> FeatureStore:
    """Extract the features and canonical labels of every shape of a corpus into the folder ``store``.

    Shapes that a store of the same encoders, parameters and vocabulary already holds, made from the same
    file, are not done again, so a killed run resumes where it stopped and ends with the same index.

    Returns:
        The store, in the order of the corpus. Beside the arrays of `extract` (less ``face_patch``) it keeps
        ``part`` int16 and ``instance`` int32 of every point; meta: category, dataset, split, part_names,
        seen (share), content.

    Raises:
        AlignPartsError: a shape is broken or of an unknown category; the message names it.
    """
    base, asked, points = params.base, params.features, params.corpus.points
    features = FeatureStore(store, fingerprint_of(
        VERSION, weights_digest(encoders.geometry, encoders.appearance), vocabulary.model_dump_json(),
        [asked.views, asked.resolution, points, base.seed], [ELEVATIONS, FIELD_OF_VIEW, repr(Lighting())],
    ))  # fmt: skip
    rows = corpus.index.set_index("shape_id")
    content = {
        shape_id: hashlib.sha256(shape_file(corpus.root, shape_id).read_bytes()).hexdigest()[:16]
        for shape_id in corpus.ids()
    }
    done = {i for i in features.finished() if features.meta(i).get("content") == content.get(i)}
    todo = [shape_id for shape_id in content if shape_id not in done]
    with tempfile.TemporaryDirectory(prefix="encoders-") as shared:
        if todo:
            encoders.save(Path(shared))
            vocabulary.save(Path(shared) / "vocabulary.json")
        task = partial(_extract_shape, shared, str(corpus.root), asked, points, base.seed)
        results = map_shapes(
            task, todo, workers=base.workers, scheduler=base.scheduler, description="features"
        )
        try:
            for shape_id, (arrays, meta) in zip(todo, results, strict=True):
                about = {**rows.loc[shape_id, ["dataset", "split"]], "content": content[shape_id]}
                features.add(shape_id, arrays, {**meta, **about})
        finally:
            features.flush()
    features.arrange(list(content))
    return features


def _extract_shape(
    shared: str, root: str, params: FeatureParams, points: int, seed: int, shape_id: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    encoders, vocabulary, corpus = _loaded(shared, root)
    try:
        shape = corpus.load(shape_id)
        seed = seed_of(shape_id, seed)
        sample = sample_surface(shape.surface, points, seed)
        part, category, names = labels_of(shape, sample, vocabulary)
        threads = torch.get_num_threads()
        # One thread per process: processes share the cores, and the sums do not depend on their number.
        torch.set_num_threads(1)
        try:
            arrays = extract(shape.surface, sample, encoders, params.views, params.resolution, seed=seed + 1)
        finally:
            torch.set_num_threads(threads)
    except AlignPartsError as error:
        raise AlignPartsError(f"shape '{shape_id}': {error}") from None
    arrays.pop("face_patch", None)  # nothing stored needs it
    arrays |= {"part": part, "instance": sample.instance}
    meta = {"category": category, "part_names": names, "seen": round(float(arrays["seen"].mean()), 4)}
    return arrays, meta


@lru_cache(maxsize=2)
def _loaded(shared: str, corpus: str) -> tuple[Encoders, Vocabulary, Corpus]:
    """Return what all tasks of a process share, read once."""
    folder = Path(shared)
    return Encoders.load(folder), Vocabulary.load(folder / "vocabulary.json"), Corpus(corpus)


def _half(values: np.ndarray, name: str) -> np.ndarray:
    """Return features in half precision, clipped to its range."""
    limit = np.finfo(np.float16).max
    if not np.isfinite(values).all():
        raise AlignPartsError(f"{name}: a feature is not finite; the checkpoint does not suit the shape")
    return np.clip(values, -limit, limit).astype(np.float16)
