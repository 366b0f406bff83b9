"""Make the sample meshes of ``alignparts name --demo``: ``python -m alignparts.release.demo``."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from alignparts.core import paths
from alignparts.corpus.embedded import surface_of
from alignparts.corpus.mesh.glb import write_glb
from procparts import generate

CATEGORIES = ("chair", "lamp", "mug")
SEED = 3
"""Seed of every sample, picked as one that the model does well on."""


def write_samples(folder: Path = paths.DEMO) -> None:
    """Write a GLB per category, each one mesh without a word on its parts."""
    for category in CATEGORIES:
        surface = surface_of(generate(category, np.random.default_rng(SEED), free_yaw=0.0))
        whole = replace(surface, face_part=np.zeros_like(surface.face_part))
        write_glb(folder / f"{category}.glb", whole, [{"name": category, "extras": {}}], texture_size=256)


if __name__ == "__main__":
    write_samples()
