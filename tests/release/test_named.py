"""Named shapes: parts by material and by connected component, clear errors."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.geometry import MANIFEST, NAMES, read_manifest, read_names
from alignparts.release.named import named_shapes

OPEN = Path(__file__).parents[2] / "data/open"


def lamp() -> list[trimesh.Trimesh]:
    """Return a pole of one material and a head of two."""
    boxes = []
    for name, size, y in (
        ("Black", (0.2, 2, 0.2), 0.0),
        ("Grey", (1, 0.2, 1), 1.1),
        ("Glow", (0.5, 0.2, 0.5), 1.3),
    ):
        box = trimesh.creation.box(size)
        material = trimesh.visual.material.PBRMaterial(name=name)
        box.visual = trimesh.visual.TextureVisuals(uv=np.zeros((len(box.vertices), 2)), material=material)
        boxes.append(box.apply_translation([0, y, 0]))
    return boxes


def listed(folder: Path, *rows: str) -> Path:
    """Write a list of names, and the lamp: in a mesh per material, and in one mesh (plain.glb)."""
    top = folder / "geometry/ada+things"
    top.mkdir(parents=True, exist_ok=True)
    (top / "lamp.glb").write_bytes(trimesh.Scene(lamp()).export(file_type="glb"))
    boxes = [trimesh.Trimesh(box.vertices, box.faces, process=False) for box in lamp()]
    (top / "plain.glb").write_bytes(trimesh.util.concatenate(boxes).export(file_type="glb"))
    (folder / NAMES).write_text("\n".join(["path,category,by,parts", *rows]) + "\n")
    return folder


def area_of(shape, name: str) -> float:
    surface = shape.surface
    named = np.array([*shape.instances, ""])[surface.face_part] == name
    return surface.areas()[named].sum()


@pytest.mark.parametrize(
    "row",
    [
        "lamp.glb,street_light,material,Black=pole|Grey=head|Glow=head",
        "plain.glb,street_light,component,0=pole|1=head|2=head",
    ],
)
def test_parts_are_those_of_materials_and_of_components(tmp_path, row):
    (shape,) = named_shapes(listed(tmp_path, f"ada+things/{row}"))
    assert (shape.category, set(shape.part_names)) == ("street_light", {"pole", "head"})
    assert area_of(shape, "pole") == pytest.approx(4 * 0.2 * 2 + 2 * 0.2**2)
    assert area_of(shape, "head") == pytest.approx(2 + 4 * 0.2 + 0.5 + 4 * 0.1)


def test_what_no_name_is_listed_for_stays_unlabeled(tmp_path):
    (shape,) = named_shapes(
        listed(tmp_path, "ada+things/lamp.glb,street_light,material,Black=pole|Glow=bulb")
    )
    assert area_of(shape, "") == pytest.approx(2 + 4 * 0.2)


@pytest.mark.parametrize(
    "row, told",
    [
        ("ada+things/lamp.glb,lamp,material,Red=pole", "has no material 'Red'.*it has Black, Glow, Grey"),
        ("ada+things/lamp.glb,lamp,component,7=pole", "has no component '7'"),
        ("ada+things/none.glb,lamp,component,0=pole", "not there; run: alignparts fetch geometry"),
        ("../lamp.glb,lamp,component,0=pole", "names.csv:2: path"),
        ("ada+things/lamp.glb,lamp,color,0=pole", "names.csv:2: by"),
        ("ada+things/lamp.glb,lamp,material,Black=a|Black=b", "Black is there twice"),
    ],
)
def test_a_row_that_is_wrong_is_told(tmp_path, row, told):
    with pytest.raises(AlignPartsError, match=told):
        named_shapes(listed(tmp_path, row))


def test_the_list_names_each_mesh_of_the_manifest_once_and_two_parts_or_more():
    folders, meshes = read_manifest(OPEN / MANIFEST), read_names(OPEN / NAMES)
    paths = [mesh.path for mesh in meshes]
    assert paths == sorted(set(paths))
    for mesh in meshes:
        top, _, path = mesh.path.partition("/")
        assert any(folder.folder == top and folder.covers(path) for folder in folders), mesh.path
        assert len(set(mesh.part_of.values())) > 1, mesh.path
