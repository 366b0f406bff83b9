"""Pictures of shapes and of their parts, drawn off screen by polyscope."""

import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh.surface import Surface
from alignparts.naming.prediction import PredictedPart
from alignparts.pictures.palette import UNLABELED_COLOR, colors_of, palette

CAMERA = (1.9, 1.3, 2.6)
"""Where every picture is taken from, in the model frame; y is up, the front faces +z."""
POINT_RADIUS = 0.016
MOST_TILES = 64
"""Repeats of a texture within one face beyond which it is drawn in its faces' colors."""


def draw_surface(
    surface: Surface, face_color: Float[np.ndarray, "faces 3"] | None = None, size: int = 360
) -> UInt8[np.ndarray, "size size 3"]:
    """A picture of a surface, in its own colors and textures or in one color a face.

    Raises:
        AlignPartsError: nothing to draw, or no way to draw off screen.
    """
    ps = offscreen()
    center, scale = surface.frame()
    corners = ((surface.vertices[surface.faces] - center) * scale).astype(np.float32)
    ps.remove_all_structures()
    if face_color is not None:
        mesh = register(ps, "parts", corners)
        mesh.add_color_quantity("part", face_color.astype(np.float32), defined_on="faces", enabled=True)
        return shot(ps, size)
    for material in np.unique(surface.face_material).tolist():
        at = np.flatnonzero(surface.face_material == material)
        mesh = register(ps, f"material {material}", corners[at])
        image = surface.textures[material]
        tint = surface.corner_color[at].reshape(-1, 4)[:, :3]
        if image is None:
            mesh.add_color_quantity("color", tint, defined_on="vertices", enabled=True)
            continue
        # polyscope clamps where glTF repeats: every face is moved to the origin, and the image repeated.
        uv = surface.uv[at].reshape(-1, 2)
        uv = uv - np.floor(surface.uv[at].min(axis=1)).repeat(3, axis=0)
        tiles = np.maximum(np.ceil(uv.max(axis=0) - 1e-4), 1).astype(int)
        if tiles.max() > MOST_TILES:
            color = surface.color_at(at, np.full((len(at), 3), 1 / 3))[:, :3]
            mesh.add_color_quantity("color", color, defined_on="faces", enabled=True)
            continue
        mesh.add_parameterization_quantity("uv", uv / tiles.astype(np.float32), defined_on="vertices")
        pixels = _small(image, 2048 // int(tiles.max()))[..., :3].astype(np.float32) / 255
        pixels = np.tile(pixels, (tiles[1], tiles[0], 1)) * tint.mean(axis=0)
        mesh.add_color_quantity("texture", pixels, defined_on="texture", param_name="uv", enabled=True)
    return shot(ps, size)


def draw_points(
    points: Float[np.ndarray, "n 3"], color: Float[np.ndarray, "n 3"], size: int = 360
) -> UInt8[np.ndarray, "size size 3"]:
    """A picture of a colored cloud in the model frame.

    Raises:
        AlignPartsError: no points, or no way to draw off screen.
    """
    if not len(points):
        raise AlignPartsError("a picture of a cloud without points")
    ps = offscreen()
    ps.remove_all_structures()
    cloud = ps.register_point_cloud("cloud", points.astype(np.float32))
    cloud.set_radius(POINT_RADIUS, relative=False)
    cloud.add_color_quantity("part", color.astype(np.float32), enabled=True)
    return shot(ps, size)


def picture_of_parts(
    surface: Surface, face_part: Int[np.ndarray, " faces"], parts: Sequence[PredictedPart], target: Path
) -> None:
    """The input beside its colored parts, with a legend; written as PNG.

    Raises:
        AlignPartsError: no way to draw off screen.
    """
    names = [part.name for part in parts]
    colors = palette(names)
    pictures = [draw_surface(surface), draw_surface(surface, colors_of(face_part, names, colors))]
    figure = Figure(figsize=(9.5, 3.8), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, picture, title in zip(axes, pictures, ("input", "parts"), strict=True):
        _imshow(axis, picture, title)
    handles = [
        Patch(
            color=colors[part.name],
            label=f"{part.name} {part.confidence:.2f}{' ?' if part.needs_review else ''}",
        )
        for part in parts
    ]
    if (face_part < 0).any():
        handles.append(Patch(color=UNLABELED_COLOR, label="unlabeled"))
    figure.legend(handles=handles, loc="outside right upper", fontsize=8, frameon=False)
    _save(figure, target)


def contact_sheet(
    shapes: Corpus | Sequence[tuple[str, Surface]],
    *,
    per_category: int = 1,
    target: Path | None = None,
    size: int = 150,
    columns: int = 12,
) -> Image.Image:
    """Many shapes in their own colors on one sheet, a title below each.

    Args:
        shapes: titles and surfaces; or a corpus, of which the first shapes of every category are taken.
        per_category: how many of each, where it is a corpus.
        target: PNG to write.
        size: side of a picture in pixels.
        columns: pictures a row.

    Raises:
        AlignPartsError: no shapes, or no way to draw off screen.
    """
    chosen = _first_of_each(shapes, per_category) if isinstance(shapes, Corpus) else list(shapes)
    if not chosen:
        raise AlignPartsError("a contact sheet without shapes")
    columns = min(columns, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(columns * size / 100, rows * (size + 24) / 100), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for axis in axes:
        axis.axis("off")
    for axis, (title, surface) in zip(axes, chosen, strict=False):
        axis.imshow(draw_surface(surface, size=2 * size))
        axis.set_title(title, fontsize=7, y=-0.12)
    stream = io.BytesIO()
    _save(figure, stream)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(stream.getvalue())
    return Image.open(stream)


def _first_of_each(corpus: Corpus, count: int) -> list[tuple[str, Surface]]:
    table = corpus.index.sort_values(["category", "shape_id"], kind="stable")
    chosen = table.groupby("category", sort=True).head(count)
    return [(str(row.category), corpus.load(str(row.shape_id)).surface) for row in chosen.itertuples()]


def _save(figure: Figure, target: Path | io.BytesIO) -> None:
    figure.savefig(target, dpi=100, format="png", metadata={"Software": None})


def _imshow(axis: Any, picture: np.ndarray, title: str) -> None:
    axis.imshow(picture)
    axis.set_title(title, fontsize=9)
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _small(image: np.ndarray, longest: int) -> np.ndarray:
    if max(image.shape[:2]) <= longest:
        return image
    picture = Image.fromarray(image)
    picture.thumbnail((longest, longest))
    return np.asarray(picture)


def register(ps: Any, name: str, corners: np.ndarray) -> Any:
    """Polyscope's mesh of triangles (faces, 3, 3), flat and alike from both sides."""
    faces = np.arange(3 * len(corners)).reshape(-1, 3)
    mesh = ps.register_surface_mesh(name, corners.reshape(-1, 3), faces)
    # Winding is mixed in real meshes: both sides are drawn alike.
    mesh.set_back_face_policy("identical")
    mesh.set_smooth_shade(False)
    return mesh


def shot(ps: Any, size: int) -> np.ndarray:
    """The picture of all that is registered, from :data:`CAMERA`; removes it."""
    if tuple(ps.get_window_size()) != (size, size):
        # The first picture of a new size is drawn with the old one's buffers.
        ps.set_window_size(size, size)
        ps.screenshot_to_buffer(transparent_bg=False)
    ps.look_at_dir(CAMERA, (0.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    picture = np.asarray(ps.screenshot_to_buffer(transparent_bg=False))[..., :3]
    ps.remove_all_structures()
    return np.ascontiguousarray(picture)


@cache
def offscreen() -> Any:
    """Polyscope, ready to draw without a window.

    Raises:
        AlignPartsError: no way to draw off screen.
    """
    try:
        import polyscope as ps

        ps.set_allow_headless_backends(True)
        ps.set_use_prefs_file(False)
        ps.set_errors_throw_exceptions(True)
        ps.set_verbosity(0)
        ps.init()
    except Exception as error:
        raise AlignPartsError(
            f"pictures need an off-screen OpenGL ({str(error).strip() or type(error).__name__}); "
            "install Mesa's EGL (Debian: apt-get install libegl1 libgl1-mesa-dri), or say --no-picture"
        ) from None
    settings: Mapping[str, Any] = {
        "set_ground_plane_mode": "none",
        "set_up_dir": "y_up",
        "set_background_color": (1.0, 1.0, 1.0),
        "set_view_projection_mode": "perspective",
        "set_automatically_compute_scene_extents": False,
        "set_length_scale": 2.0,
        "set_SSAA_factor": 2,
    }
    for name, value in settings.items():
        getattr(ps, name)(value)
    ps.set_bounding_box((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
    # Anti-aliasing starts with the second size.
    ps.set_window_size(32, 32)
    ps.screenshot_to_buffer(transparent_bg=False)
    return ps


if __name__ == "__main__":
    # Checks that this machine can draw, before a pipeline finds out after half an hour.
    try:
        draw_points(np.zeros((1, 3)), np.zeros((1, 3)), size=16)
    except AlignPartsError as error:
        raise SystemExit(f"error: {error}") from None
