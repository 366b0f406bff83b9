"""A labeled shape, whatever data set it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int32, UInt8

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import Surface


@dataclass(frozen=True)
class Cloud:
    """Points of a source that has no mesh.

    Attributes:
        points: positions.
        normals: directions.
        colors: RGB.
        instance: part instance of a point, -1 where unlabeled.
    """

    points: Float64[np.ndarray, "n 3"]
    normals: Float64[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"]
    instance: Int32[np.ndarray, " n"]


@dataclass(frozen=True)
class LabeledShape:
    """A shape, its part instances and their names.

    Attributes:
        shape_id: unique in a corpus; fit for a file name.
        dataset: "partnet", "compat", "find3d", "partnet_mobility", "named_glb" ...
        category: as the data set calls it.
        license: the terms the source came under; "" where unknown.
        source: where it was read from.
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
        """Distinct names, in the order in which they first occur; instances share one."""
        return list(dict.fromkeys(name for name in self.instances if name))


def tidy(shape: LabeledShape) -> LabeledShape:
    """Drop instances without surface and those without name; what remains is numbered from 0.

    Faces of nameless instances become unlabeled (-1).

    Raises:
        AlignPartsError: no triangle has an area, or no part with a name is left.
    """
    surface = shape.surface
    solid = surface.face_part[(surface.areas() > 0) & (surface.face_part >= 0)]
    if len(solid) and solid.max() >= len(shape.instances):
        raise AlignPartsError(
            f"{shape.source}: a face belongs to instance {solid.max()}, "
            f"but there are only {len(shape.instances)} instances"
        )
    surface.frame()
    present = np.zeros(len(shape.instances), bool)
    present[solid] = True
    keep = [index for index, name in enumerate(shape.instances) if present[index] and name.strip()]
    if not keep:
        raise AlignPartsError(f"{shape.source}: no part with a name and a surface")
    table = np.full(len(shape.instances) + 1, -1, np.int32)
    table[keep] = np.arange(len(keep), dtype=np.int32)
    cloud = shape.cloud
    if cloud is not None:
        cloud = replace(cloud, instance=table[cloud.instance])
    return replace(
        shape,
        instances=[shape.instances[index].strip() for index in keep],
        surface=replace(surface, face_part=table[np.maximum(surface.face_part, -1)]),
        cloud=cloud,
    )


def instance_areas(shape: LabeledShape) -> Float64[np.ndarray, " instances"]:
    """Surface of every instance, in squared units of the shape."""
    labeled = shape.surface.face_part >= 0
    return np.bincount(
        shape.surface.face_part[labeled],
        weights=shape.surface.areas()[labeled],
        minlength=len(shape.instances),
    )


def safe_id(*parts: str) -> str:
    """A shape id of these parts that is fit for a file name."""
    text = "_".join(parts)
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text).strip(".")


def unique_names(names: Sequence[str]) -> list[str]:
    """The same names, with a running number after those that repeat."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result
