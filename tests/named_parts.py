"""A pipeline with a model made by hand, for the tests of what stands around the model."""

from types import SimpleNamespace

import numpy as np
import torch
from handmade import HandMadeModel

from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.naming.confidence import PAPER
from alignparts.naming.pipeline import Manifest, NamedPartsPipeline
from alignparts.ontology.vocabulary import CategoryEntry, PartEntry, Vocabulary
from alignparts.patches.patches import surface_patches

WORDS = ["top", "bottom", "handle", "mug", "chair"]


class Text:
    """One axis a known word; any other text gets a direction of its own kind."""

    d_t = 8

    def encode(self, texts):
        rows = np.full((len(texts), self.d_t), 0.01, np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[WORDS.index(text) if text in WORDS else 7] = 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Halves(HandMadeModel):
    """The upper half of a shape is its top, the lower half its bottom; the middle is nobody's."""

    def __init__(self):
        super().__init__()
        self.fusion = torch.nn.Identity()

    def forward(self, points, geometry, appearance):
        height = self.fusion(points)[..., 1]
        text = torch.from_numpy(Text().encode(["top", "bottom", "mug"]))
        return SimpleNamespace(
            text=None,
            mask_logits=torch.stack([40 * (height - 0.1), 40 * (-height - 0.1)], dim=1),
            partness=torch.full((1, 2), 4.0),
            partlets=text[None, :2],
            global_embedding=text[2:],
            fused=geometry,
        )


class HandMade(NamedPartsPipeline):
    """Features that need no encoder."""

    def __init__(self):
        self.model, self.text, self.vocabulary = Halves(), Text(), vocabulary()
        self.statistics, self.manifest = None, Manifest(points=512)
        self.calibration = PAPER

    def features(self, surface, points=None, seed=0):
        sample = sample_surface(surface, points or self.manifest.points, seed)
        arrays = {"points": sample.points, "geometry": sample.points}
        arrays["appearance"] = np.ones((len(sample.points), 2), np.float32)
        return sample, arrays | surface_patches(surface, sample, sample.points).arrays(sample)


def vocabulary():
    def entry(name, parts):
        return CategoryEntry(
            description=name,
            count=1,
            aliases=(),
            parts={part: PartEntry(description=part, count=1, aliases=()) for part in parts},
        )

    return Vocabulary(
        entries={"mug": entry("mug", ["top", "bottom", "handle"]), "chair": entry("chair", ["top"])}
    )


def pipeline():
    return HandMade()
