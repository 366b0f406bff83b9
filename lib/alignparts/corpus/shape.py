"""A labeled shape, whatever data set it comes from."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int32, UInt8

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import Surface, surface_from_cloud


@dataclass(frozen=True)
class Cloud:
    """Points of a source without mesh: positions, directions, RGB, and part instance or -1."""

    points: Float64[np.ndarray, "n 3"]
    normals: Float64[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"]
    instance: Int32[np.ndarray, " n"]

    def surface(self) -> Surface:
        """Return the surface of surfels that stands for the points."""
        return surface_from_cloud(self.points, self.normals, self.colors, self.instance)


@dataclass(frozen=True)
class LabeledShape:
    """A shape, its part instances and their names.

    Attributes:
        shape_id: unique in a corpus; fit for a file name.
        dataset: "partnet", "compat", "find3d", "partnet_mobility", "named_glb" ...
        category: class as the data set calls it.
        license: terms of the source; "" where unknown.
        source: file or folder it was read from.
        instances: part name of every instance, indexed by ``surface.face_part``; "" where the data set
            gives none.
        surface: the shape; surfels where the source is a cloud.
        cloud: the source's own points, where it is a cloud.
    """

    shape_id: str
    dataset: str
    category: str
    license: str
    source: str
    instances: list[str]
    surface: Surface
    cloud: Cloud | None = None

    @property
    def part_names(self) -> list[str]:
        """Distinct names, in the order in which they first occur; instances may share one."""
        return list(dict.fromkeys(name for name in self.instances if name))


def tidy(shape: LabeledShape) -> LabeledShape:
    """Drop instances without surface and those without name, and number the others from 0.

    Faces of nameless instances become unlabeled (-1). AlignPartsError is raised where no named part is left.
    """
    surface, count = shape.surface, len(shape.instances)
    solid = surface.face_part[(surface.areas() > 0) & (surface.face_part >= 0)]
    if solid.max(initial=-1) >= count:
        raise AlignPartsError(f"{shape.source}: a face is of instance {solid.max()}; expected below {count}")
    surface.frame()
    present = np.isin(np.arange(count), solid)
    keep = [index for index, name in enumerate(shape.instances) if present[index] and name.strip()]
    if not keep:
        raise AlignPartsError(f"{shape.source}: no part with a name and a surface")
    table = np.full(count + 1, -1, np.int32)  # the last entry stands for -1
    table[keep] = np.arange(len(keep), dtype=np.int32)
    return replace(
        shape,
        instances=[shape.instances[index].strip() for index in keep],
        surface=replace(surface, face_part=table[np.maximum(surface.face_part, -1)]),
        cloud=shape.cloud and replace(shape.cloud, instance=table[shape.cloud.instance]),
    )


def safe_id(*parts: str) -> str:
    """Join words into a shape id that is fit for a file name."""
    text = "_".join(parts)
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text).strip(".")
