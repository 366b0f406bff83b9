"""Write Find3D's benchmark layout: colored, labeled clouds."""

from pathlib import Path

import numpy as np
from pypcd4 import Encoding, PointCloud

from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.shape import LabeledShape
from alignparts.corpus.writers.common import fresh_folder, unit_sphere, write_json

POINTS = 5_000
_FIELDS = ("x", "y", "z", "rgb", "normal_x", "normal_y", "normal_z")
FOLDERS = ("seenclass", "unseen", "shapenetpart")


def write(folder: Path, shape: LabeledShape, seed: int) -> None:
    """Write an object's folder; instances of one name share a label, 0 is unlabeled."""
    sample = sample_surface(unit_sphere(shape.surface), POINTS, seed)
    names = shape.part_names
    label_of = np.array([names.index(name) + 1 if name else 0 for name in shape.instances], np.int64)
    with fresh_folder(folder) as made:
        points = (sample.points / sample.scale + sample.center).astype(np.float32)
        rgb = np.round(sample.colors * 255).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        table = np.c_[points, rgb.view(np.float32), sample.normals]
        cloud = PointCloud.from_points(table, _FIELDS, (np.float32,) * len(_FIELDS))
        cloud.save(made / "points5000.pcd", Encoding.BINARY)
        np.save(made / "labels.npy", label_of[sample.instance], allow_pickle=False)
        write_json(made / "label_map.json", {str(i + 1): name for i, name in enumerate(names)})
