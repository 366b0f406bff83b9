"""Surfaces and samples of them, against shapes with known answers."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.sampling import sample_surface, seed_of
from alignparts.corpus.mesh.scene import surface_from_scene
from alignparts.corpus.mesh.surface import (
    GRAY,
    SURFEL_SIDE,
    join_surfaces,
    make_surface,
    surface_from_cloud,
)


def quad(color=(1.0, 1.0, 1.0, 1.0), image=None):
    """A unit square in the plane z = 0 with uv = xy."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return make_surface(vertices, faces, uv=vertices[:, :2], color=color, texture=image)


def checker():
    """2 × 2 texels: upper row red, green; lower row blue, half clear white."""
    image = np.zeros((2, 2, 4), np.uint8)
    image[..., 3] = 255
    image[0, 0, 0] = image[0, 1, 1] = image[1, 0, 2] = 255
    image[1, 1] = (255, 255, 255, 128)
    return image


def at(surface, x, y):
    face = 0 if x >= y else 1
    corners = surface.vertices[surface.faces[face]][:, :2]
    bary = np.linalg.solve(np.vstack([corners.T, np.ones(3)]), np.array([x, y, 1.0]))
    return surface.color_at(np.array([face]), bary[None])[0]


def test_texel_centers_have_the_texels_colors_with_origin_at_the_lower_left():
    surface = quad(image=checker())
    assert np.allclose(at(surface, 0.25, 0.75), [1, 0, 0, 1])
    assert np.allclose(at(surface, 0.75, 0.75), [0, 1, 0, 1])
    assert np.allclose(at(surface, 0.25, 0.25), [0, 0, 1, 1])
    assert np.allclose(at(surface, 0.75, 0.25), [1, 1, 1, 128 / 255])


def test_look_up_is_bilinear_and_wraps():
    surface = quad(image=checker())
    assert np.allclose(at(surface, 0.5, 0.75), [0.5, 0.5, 0, 1], atol=1e-6)
    assert np.allclose(at(surface, 0.0, 0.75), [0.5, 0.5, 0, 1], atol=1e-6)
    moved = make_surface(
        surface.vertices, surface.faces, uv=surface.uv + 3.0, color=(1, 1, 1, 1), texture=checker()
    )
    assert np.allclose(at(moved, 0.25, 0.75), [1, 0, 0, 1], atol=1e-5)


def test_corner_colors_multiply_the_texture():
    assert np.allclose(at(quad(color=(0.5, 1, 1, 0.5), image=checker()), 0.25, 0.75), [0.5, 0, 0, 0.5])
    assert np.allclose(at(quad(color=(0.5, 0.25, 1, 1)), 0.1, 0.7), [0.5, 0.25, 1, 1])


def test_scene_applies_transforms_and_turns_mirrored_triangles_over():
    scene = trimesh.Scene()
    box = trimesh.creation.box()
    scene.add_geometry(box, node_name="a", transform=trimesh.transformations.translation_matrix([5, 0, 0]))
    scene.add_geometry(box, node_name="b", transform=np.diag([-1.0, 1, 1, 1]))
    surface = surface_from_scene(scene)
    assert surface.vertices[surface.faces[:12]].mean(axis=(0, 1)) == pytest.approx([5, 0, 0])
    for faces, center in ((surface.faces[:12], 5), (surface.faces[12:], 0)):
        middle = surface.vertices[faces].mean(axis=1) - [center, 0, 0]
        edges = surface.vertices[faces]
        normal = np.cross(edges[:, 1] - edges[:, 0], edges[:, 2] - edges[:, 0])
        assert ((middle * normal).sum(axis=1) > 0).all()


def test_scene_colors_of_pbr_face_vertex_and_nothing():
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    corners, faces = quad().vertices, quad().faces

    def look(visual):
        mesh = trimesh.Trimesh(corners, faces, visual=visual, process=False)
        return at(surface_from_scene(trimesh.Scene([mesh])), 0.75, 0.25)

    picture = Image.fromarray(checker())
    pbr = trimesh.visual.material.PBRMaterial
    textured = trimesh.visual.TextureVisuals
    assert np.allclose(look(textured(uv, pbr(baseColorTexture=picture))), [1, 1, 1, 1])
    clear = pbr(baseColorTexture=picture, alphaMode="BLEND", baseColorFactor=[0.5, 1, 1, 1.0])
    assert np.allclose(look(textured(uv, clear)), [0.5, 1, 1, 128 / 255], atol=0.01)
    assert np.allclose(look(textured(None, pbr(baseColorFactor=[255, 0, 0, 255]))), [1, 0, 0, 1])
    assert np.allclose(look(textured(None, pbr(baseColorTexture=picture))), GRAY)
    black_kd = trimesh.visual.material.SimpleMaterial(image=picture, diffuse=[0, 0, 0, 255])
    assert np.allclose(look(textured(uv, black_kd)), [1, 1, 1, 128 / 255])
    green = np.array([[0, 255, 0, 255]] * 4, np.uint8)
    assert np.allclose(look(trimesh.visual.ColorVisuals(vertex_colors=green)), [0, 1, 0, 1])
    assert np.allclose(look(trimesh.visual.ColorVisuals(face_colors=green[:2])), [0, 1, 0, 1])
    assert np.allclose(look(None), GRAY)


def test_vertices_that_are_not_finite_keep_the_order_of_faces_and_lose_their_area():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [np.nan, 0, 0]])
    surface = make_surface(vertices, np.array([[0, 1, 3], [0, 1, 2], [1, 3, 2]]))
    assert surface.areas() == pytest.approx([0, 0.5, 0])
    assert set(sample_surface(surface, 50, 0).face) == {1}


def test_frame_ignores_vertices_no_triangle_uses():
    surface = make_surface(np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0], [99, 99, 99]]), np.array([[0, 1, 2]]))
    center, scale = surface.frame()
    assert center == pytest.approx([2, 1, 0])
    assert scale == pytest.approx(0.5)


def test_joining_keeps_shared_images_once():
    image = checker()
    joined = join_surfaces([quad(image=image), quad(), quad(image=image)], part_of=[0, 1, 2])
    assert len(joined.textures) == 2
    assert joined.face_part.tolist() == [0, 0, 1, 1, 2, 2]
    assert joined.face_material[0] == joined.face_material[4] != joined.face_material[2]


def test_samples_are_spread_by_area():
    sizes = np.array([1.0, 2.0, 5.0, 12.0])
    parts = [make_surface(quad().vertices * np.sqrt(size) + [0, 0, size], quad().faces) for size in sizes]
    surface = join_surfaces(parts, part_of=range(4))
    count = np.bincount(sample_surface(surface, 20000, 3).instance, minlength=4)
    expected = sizes / sizes.sum() * 20000
    assert ((count - expected) ** 2 / expected).sum() < 16.3  # chi-square, 3 degrees of freedom, p = 0.001


def test_samples_lie_in_their_triangles_with_unit_normals_in_the_model_frame():
    surface = surface_from_scene(
        trimesh.Scene(trimesh.creation.icosphere(2, radius=3.0).apply_translation([7, 8, 9]))
    )
    sample = sample_surface(surface, 500, 1)
    position = sample.points / sample.scale + sample.center
    rebuilt = (surface.vertices[surface.faces[sample.face]] * sample.bary[:, :, None]).sum(axis=1)
    assert np.abs(position - rebuilt).max() < 1e-5
    assert (sample.bary >= 0).all() and np.allclose(sample.bary.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(np.linalg.norm(sample.normals, axis=1), 1, atol=1e-5)
    assert ((position - [7, 8, 9]) * sample.normals).sum(axis=1).min() > 0
    assert np.abs(sample.points).max() <= 1
    assert sample.center == pytest.approx([7, 8, 9], abs=0.01)


def test_samples_within_a_triangle_are_uniform():
    surface = make_surface(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
    bary = sample_surface(surface, 20000, 0).bary
    assert bary.mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.01)
    assert (bary.max(axis=1) > 0.5).mean() == pytest.approx(0.75, abs=0.02)


def test_equal_seeds_give_equal_samples():
    surface = surface_from_scene(trimesh.Scene(trimesh.creation.box()))
    first, again, other = (sample_surface(surface, 64, seed) for seed in (5, 5, 6))
    assert (first.points == again.points).all() and not (first.points == other.points).all()
    assert seed_of("chair_1", 0) == 4422759864800842851
    assert seed_of("chair_1", 0) == 4422759864800842851
    assert len({seed_of("chair_1", 0), seed_of("chair_1", 1), seed_of("chair_2", 0)}) == 3


def test_a_shape_without_area_is_refused():
    flat = make_surface(np.zeros((3, 3)), np.array([[0, 1, 2]]))
    with pytest.raises(AlignPartsError, match="no triangle with an area"):
        sample_surface(flat, 10, 0)
    with pytest.raises(AlignPartsError, match="at least 1"):
        sample_surface(quad(), 0, 0)


def test_surfels_face_along_their_normals():
    grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(4.0), [0.0]), axis=-1).reshape(-1, 3)
    normals = np.tile([0.0, 0.0, -2.0], (20, 1))
    normals[0] = 0
    colors = np.arange(60, dtype=np.uint8).reshape(20, 3)
    surface = surface_from_cloud(grid, normals, colors, np.arange(20, dtype=np.int32))
    assert surface.is_cloud and len(surface.faces) == 40
    assert surface.areas() == pytest.approx(np.full(40, SURFEL_SIDE**2 / 2))
    assert np.allclose(surface.normals()[2:], [0, 0, -1])
    assert np.isfinite(surface.normals()).all()
    assert surface.face_part.tolist() == np.repeat(np.arange(20), 2).tolist()
    middle = surface.color_at(np.array([8]), np.array([[0.5, 0, 0.5]]))
    assert middle[0, :3] * 255 == pytest.approx(colors[4], abs=0.01)


def test_clouds_too_small_or_collapsed_are_refused():
    with pytest.raises(AlignPartsError, match="at least two"):
        surface_from_cloud(np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((1, 3), np.uint8))
    with pytest.raises(AlignPartsError, match="coincide"):
        surface_from_cloud(np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3), np.uint8))
