"""Pictures of a shape by ray casting: the input of the appearance encoder (section 3.1).

Every pixel knows its face and its depth, which tell later the points that a view has seen. No graphics
driver takes part, so a picture is the same on every machine.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int32, UInt8

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.rays import Rays
from alignparts.corpus.mesh.surface import Surface

ELEVATIONS = (20.0, -30.0, 45.0)
"""Degrees above the horizon, taken in turn by successive views: the sides, the underside, the top."""
FIELD_OF_VIEW = 40.0
"""Degrees, both ways."""
_RAYS_AT_ONCE = 1 << 17
"""Bounds the memory that large pictures take."""
_SOLID = 0.1
"""A surface of less alpha is looked through: the face and depth of the pixel are those behind it."""
_LAYERS = 4
"""Transparent surfaces composited along one ray; anything behind the last counts as white."""
_STEP = 1e-4
"""Offset of a ray past a transparent hit, in the model frame."""
_KEY_LIGHT = np.array([0.5, 0.7, 0.5]) / np.linalg.norm([0.5, 0.7, 0.5])
_FILL_LIGHT = np.array([-0.6, -0.3, -0.7]) / np.linalg.norm([-0.6, -0.3, -0.7])


@dataclass(frozen=True)
class Lighting:
    """Lambert's lights; their shares on a face that is seen head-on and lit by all add up to about 1.

    Attributes:
        ambient: light from everywhere.
        head: light at the camera.
        key: a fixed light from the upper right front.
        fill: a fixed light from the lower left back.
        sheen: share of the directed lights that even a black face reflects, so that its shape shows.
    """

    ambient: float = 0.35
    head: float = 0.35
    key: float = 0.3
    fill: float = 0.1
    sheen: float = 0.1


@dataclass(frozen=True)
class Views:
    """Pictures of one shape, all in the model frame (box center at 0, longest half side 1).

    Attributes:
        color: RGB, white where nothing is.
        face: face at a pixel's center, -1 for the background.
        depth: its distance along the viewing axis, in units of the model frame; infinite for the background.
        front: True where the side shows from which its corners run counter-clockwise.
        cameras: model frame to camera frame (x right, y down, z forward), rotation and translation.
        focal: focal length in pixels; the principal point is the center of the picture.
    """

    color: UInt8[np.ndarray, "V H W 3"]
    face: Int32[np.ndarray, "V H W"]
    depth: Float32[np.ndarray, "V H W"]
    front: Bool[np.ndarray, "V H W"]
    cameras: Float64[np.ndarray, "V 3 4"]
    focal: float

    def __len__(self) -> int:
        return len(self.cameras)

    def project(
        self, points: Float[np.ndarray, "N 3"]
    ) -> tuple[Float64[np.ndarray, "V N 2"], Float64[np.ndarray, "V N"]]:
        """Return pixel coordinates in every view, and depth along the viewing axis, of model frame points.

        The coordinates are x right, y down; pixel (row, column) covers [column, column + 1) x [row, row + 1).
        """
        camera = points.astype(np.float64) @ self.cameras[:, :, :3].transpose(0, 2, 1)
        camera += self.cameras[:, None, :, 3]
        depth = camera[:, :, 2]
        height, width = self.face.shape[1:]
        safe = np.where(np.abs(depth) > 1e-9, depth, 1e-9)
        return camera[:, :, :2] / safe[:, :, None] * self.focal + np.array([width / 2, height / 2]), depth


def camera_positions(cameras: Float64[np.ndarray, "v 3 4"]) -> Float64[np.ndarray, "v 3"]:
    """Return the centers of cameras (world to camera) in the world."""
    return -np.einsum("vij,vi->vj", cameras[:, :, :3], cameras[:, :, 3])


def ring_cameras(views: int, distance: float) -> Float64[np.ndarray, "views 3 4"]:
    """Return cameras around the upright axis y that look at the origin.

    Azimuths are evenly spread from half a step off the front (+z), so that no view is square to a box.
    """
    azimuth = 2 * np.pi * (np.arange(views) + 0.5) / views
    elevation = np.radians(np.resize(ELEVATIONS, views))
    level = np.cos(elevation)
    forward = -np.stack([np.sin(azimuth) * level, np.sin(elevation), np.cos(azimuth) * level], axis=1)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    shift = np.tile([0.0, 0.0, distance], (views, 1))
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    return np.concatenate([rotation, shift[:, :, None]], axis=2)


def render_views(
    surface: Surface, views: int = 8, resolution: int = 112, lighting: Lighting | None = None
) -> Views:
    """Draw a shape, brought into the model frame, from a ring of cameras, in square pictures.

    Perspective, one ray through the center of every pixel. The cameras stand so far off that the sphere
    around the box's center that holds the shape just fits the picture. Faces are lit alike from both sides.
    Transparent surfaces blend with up to three more behind them, then with white. No views, no pixels and
    a surface without area raise AlignPartsError.
    """
    if views < 1 or resolution < 1:
        raise AlignPartsError(f"pictures: expected at least 1 view and 1 pixel, got {views} and {resolution}")
    center, scale = surface.frame()
    vertices = (surface.vertices - center) * scale
    solid = surface.areas() > 0
    reach = float(np.linalg.norm(vertices[surface.faces[solid]].reshape(-1, 3), axis=1).max())
    cameras = ring_cameras(views, reach / np.sin(np.radians(FIELD_OF_VIEW / 2)))
    return draw_views(surface, vertices, cameras, resolution, lighting)


def draw_views(
    surface: Surface,
    vertices: Float64[np.ndarray, "V 3"],
    cameras: Float64[np.ndarray, "v 3 4"],
    resolution: int,
    lighting: Lighting | None = None,
) -> Views:
    """Draw a shape from given cameras, in square pictures that span :data:`FIELD_OF_VIEW`.

    ``vertices`` are the shape's in the frame of the cameras, which are world to camera (x right, y down,
    z forward), rotation and translation.
    """
    focal = resolution / 2 / np.tan(np.radians(FIELD_OF_VIEW / 2))
    cast = partial(_cast, Rays(vertices, surface.faces), surface, surface.normals(), lighting or Lighting())
    offset = np.arange(resolution) + 0.5 - resolution / 2
    x, y = np.meshgrid(offset / focal, offset / focal)
    pixels = np.stack([x, y, np.ones_like(x)], axis=2).reshape(-1, 3)
    together = max(1, _RAYS_AT_ONCE // len(pixels))
    parts = [cast(cameras[i : i + together], pixels) for i in range(0, len(cameras), together)]
    shape = (len(cameras), resolution, resolution)
    color, face, depth, front = (
        np.concatenate(arrays).reshape(shape + arrays[0].shape[1:]) for arrays in zip(*parts, strict=True)
    )
    return Views(color, face, depth, front, cameras, float(focal))


def _cast(
    rays: Rays,
    surface: Surface,
    normals: Float64[np.ndarray, "F 3"],
    lighting: Lighting,
    cameras: Float64[np.ndarray, "v 3 4"],
    pixels: Float64[np.ndarray, "p 3"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return color, face, depth and side of every pixel (v * p of them); pixels are rays of depth 1."""
    direction = (pixels @ cameras[:, :, :3]).reshape(-1, 3)
    origin = np.repeat(camera_positions(cameras), len(pixels), axis=0)
    length = np.linalg.norm(direction, axis=1)
    direction /= length[:, None]
    count = len(direction)
    face, front = np.full(count, -1, np.int32), np.zeros(count, bool)
    depth, traveled = np.full(count, np.inf, np.float32), np.zeros(count)
    color, left = np.zeros((count, 3), np.float32), np.ones(count, np.float32)
    alive = np.arange(count)
    for layer in range(_LAYERS):
        start = origin[alive] + direction[alive] * traveled[alive, None]
        hits = rays.first(start.astype(np.float32), direction[alive].astype(np.float32))
        struck = hits.face >= 0
        alive = alive[struck]
        if not len(alive):
            break
        at, u, v, reach = (values[struck] for values in hits)
        distance = traveled[alive] + reach
        rgba = surface.color_at(at, np.stack([1 - u - v, u, v], axis=1))
        light, outside = _light(lighting, normals[at], direction[alive])
        alpha = rgba[:, 3] if layer < _LAYERS - 1 else np.where(rgba[:, 3] >= _SOLID, rgba[:, 3], 0)
        gloss = lighting.sheen * (light - lighting.ambient)
        shaded = np.clip(rgba[:, :3] * light[:, None] + gloss[:, None], 0, 1)
        color[alive] += (left[alive] * alpha)[:, None] * shaded
        left[alive] *= 1 - alpha
        first = (face[alive] < 0) & (alpha >= _SOLID)
        ray = alive[first]
        face[ray], front[ray], depth[ray] = at[first], outside[first], distance[first] / length[ray]
        traveled[alive] = distance + _STEP
        alive = alive[left[alive] > 0.01]
    color += left[:, None]
    return (np.clip(color, 0, 1) * 255 + 0.5).astype(np.uint8), face, depth, front


def _light(
    lighting: Lighting, normal: Float64[np.ndarray, "n 3"], direction: Float64[np.ndarray, "n 3"]
) -> tuple[Float32[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return the light on faces seen along directions, and True where their front is seen."""
    toward = -np.einsum("ni,ni->n", normal, direction)
    outside = toward > 0
    normal = np.where(outside[:, None], normal, -normal)
    light = lighting.ambient + lighting.head * np.abs(toward)
    light += lighting.key * np.maximum(normal @ _KEY_LIGHT, 0)
    light += lighting.fill * np.maximum(normal @ _FILL_LIGHT, 0)
    return light.astype(np.float32), outside
