"""A result of ``alignparts name``, made by hand: boxes side by side."""

from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.naming.export import export_named
from alignparts.naming.granularity import levels
from alignparts.naming.prediction import PredictedPart

MARKUP = "<img src=x onerror=window.hacked=1>"
PARTS = ("leg", MARKUP, "seat")
PLACES = ((-2, 0, 0), (2, 0, 0), (0, 0, 0), (0, 2, 0), (0, -2, 0))
"""Centers of two legs, of the part whose name is markup, of the seat, and of what stays unlabeled."""


def write_result(folder: Path, name: str = "chair", instances: bool = True) -> Path:
    """Write a textured mesh and its result; the seat, at 0.3, needs review."""
    boxes = [trimesh.creation.box(transform=trimesh.transformations.translation_matrix(at)) for at in PLACES]
    mesh = trimesh.util.concatenate(boxes)
    pixels = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(pixels), metallicFactor=0)
    mesh.visual = trimesh.visual.TextureVisuals(uv=mesh.vertices[:, :2], material=material)
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.glb"
    mesh.export(source)
    given = load_mesh(source)
    face_part = np.repeat(np.array([0, 0, 1, 2, -1], np.int32), 12)
    parts = [
        PredictedPart(name=part, description=f"the {part}", confidence=sure, review_below=0.5)
        for part, sure in zip(PARTS, (0.9, 0.7, 0.3), strict=True)
    ]
    below = levels(given.surface, face_part, None, instances)
    export_named(given, face_part, parts, folder, category="chair", levels=below, picture=False)
    source.unlink()
    return folder
