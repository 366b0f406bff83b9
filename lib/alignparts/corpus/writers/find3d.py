"""Writing Find3D's benchmark layout: colored, labeled clouds."""

from pathlib import Path

import numpy as np

from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.shape import LabeledShape
from alignparts.corpus.writers.common import fresh_folder, unit_sphere, write_json

POINTS = 5_000
FOLDERS = ("seenclass", "unseen", "shapenetpart")


def write(folder: Path, shape: LabeledShape, seed: int) -> None:
    """Write an object's folder; instances of one name share a label, 0 is unlabeled."""
    sample = sample_surface(unit_sphere(shape.surface), POINTS, seed)
    names = shape.part_names
    label_of = np.array([names.index(name) + 1 if name else 0 for name in shape.instances], np.int64)
    with fresh_folder(folder) as made:
        points = (sample.points / sample.scale + sample.center).astype(np.float32)
        write_pcd(made / "points5000.pcd", points, sample.normals, sample.colors)
        np.save(made / "labels.npy", label_of[sample.instance], allow_pickle=False)
        write_json(made / "label_map.json", {str(i + 1): name for i, name in enumerate(names)})


def write_pcd(path: Path, points: np.ndarray, normals: np.ndarray, colors: np.ndarray) -> None:
    """Write a binary PCD file as Open3D does: colors packed into the bits of a float."""
    rgb = np.round(colors * 255).astype(np.uint32)
    packed = (rgb[:, 0] << 16 | rgb[:, 1] << 8 | rgb[:, 2]).view(np.float32)
    header = (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\n"
        "FIELDS x y z rgb normal_x normal_y normal_z\n"
        "SIZE 4 4 4 4 4 4 4\nTYPE F F F F F F F\nCOUNT 1 1 1 1 1 1 1\n"
        f"WIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA binary\n"
    )
    rows = np.concatenate([points, packed[:, None], normals], axis=1, dtype=np.float32)
    path.write_bytes(header.encode() + np.ascontiguousarray(rows).tobytes())
