"""Write the GLBs of TexVerse, in numbered folders."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from alignparts.core.atomic import write_atomically
from alignparts.corpus.mesh.glb import join_container, split_container, write_glb
from alignparts.corpus.mesh.surface import Surface

RESOLUTION = 1024
PER_FOLDER = 10_000
"""Objects of one ``000-XXX`` folder."""

# Sketchfab's own: models are z-up inside, and wrapped so that they come out y-up.
_TURN = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]


def path_of(number: int, uid: str) -> str:
    """Return the path of the object of this number, relative to the root."""
    return f"glbs/glbs_1k/000-{number // PER_FOLDER:03d}/{uid}_{RESOLUTION}.glb"


def write(path: Path, surface: Surface, meshes: np.ndarray) -> None:
    """Write a GLB as Sketchfab does: meshes with meaningless names below a turned root node.

    The surface's parts are left out; ``meshes`` is the number of every face's mesh, from 0.
    """
    turned = surface.vertices[:, [0, 2, 1]] * np.array([1.0, -1.0, 1.0])
    plain = replace(surface, vertices=turned, face_part=meshes.astype(np.int32))
    write_atomically(path, lambda temporary: _write(temporary, plain))


def _write(path: Path, surface: Surface) -> None:
    count = int(surface.face_part.max(initial=-1)) + 1
    nodes: list[dict[str, Any]] = [{"name": f"Object_{2 * i + 4}", "extras": {}} for i in range(count)]
    write_glb(path, surface, nodes, texture_size=RESOLUTION)
    header, binary = split_container(path.read_bytes(), str(path))
    first = len(header["nodes"])
    header["nodes"] += [
        {"name": "Sketchfab_model", "matrix": _TURN, "children": [first + 1]},
        {"name": "root", "children": header["scenes"][0]["nodes"]},
    ]
    header["scenes"] = [{"name": "Sketchfab_Scene", "nodes": [first]}]
    path.write_bytes(join_container(header, binary))
