"""Areas of part instances."""

import numpy as np

from alignparts.corpus.shape import LabeledShape


def instance_areas(shape: LabeledShape) -> np.ndarray:
    """Return the area of every instance, in squared units of the shape."""
    part, areas = shape.surface.face_part, shape.surface.areas()
    return np.bincount(part[part >= 0], weights=areas[part >= 0], minlength=len(shape.instances))
