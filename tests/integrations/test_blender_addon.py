"""The Blender add-on: its readers, and, where Blender's module is installed, the whole of it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import trimesh
from named_result import MARKUP, write_result

from alignparts import integrations

ADDON = Path(integrations.__file__).with_name("blender_alignparts.py")

COMMAND = f'''#!{sys.executable}
"""Stands in for `alignparts`: faces on the side +x are "right", the rest is "left"."""
import sys
from pathlib import Path
import numpy as np
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.naming.export import export_named
from alignparts.naming.granularity import levels
from alignparts.naming.prediction import PredictedPart

end = sys.argv.index("--out")
meshes, out = [Path(name) for name in sys.argv[2:end]], Path(sys.argv[end + 1])
if "nonsense" in sys.argv:
    sys.exit("error: no category 'nonsense'")
parts = [PredictedPart(name=name, description="", confidence=sure, review_below=0.5)
         for name, sure in (("left", 0.25), ("right", 0.75))]
for path in meshes:
    mesh = load_mesh(path)
    middles = mesh.surface.vertices[mesh.surface.faces].mean(axis=1)
    face_part = (middles[:, 0] > 0).astype(np.int32)
    below = levels(mesh.surface, face_part, None, "--instances" in sys.argv)
    folder = out / path.stem if len(meshes) > 1 else out
    export_named(mesh, face_part, parts, folder, category="thing", levels=below, picture=False)
'''


@pytest.fixture
def addon(monkeypatch):
    """The add-on's module, without Blender."""
    properties = dict.fromkeys(("EnumProperty", "BoolProperty", "StringProperty"), lambda **_: None)
    types = dict.fromkeys(("Operator", "PropertyGroup", "AddonPreferences", "Panel"), object)
    stub = SimpleNamespace(props=SimpleNamespace(**properties), types=SimpleNamespace(**types))
    monkeypatch.setitem(sys.modules, "bpy", stub)
    monkeypatch.setitem(sys.modules, "bmesh", ModuleType("bmesh"))
    spec = importlib.util.spec_from_file_location("addon_without_blender", ADDON)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_npy_is_read_as_numpy_wrote_it(addon, tmp_path):
    path = tmp_path / "labels.npy"
    for values in (np.arange(-1, 70000, dtype=np.int32), np.zeros(0, np.int32)):
        np.save(path, values)
        assert addon.read_npy(path) == values.tolist()
    for other in (np.zeros((2, 2), np.int32), np.zeros(3)):
        np.save(path, other)
        with pytest.raises(addon.NamingError, match="int32"):
            addon.read_npy(path)


def test_polygons_of_a_glb_are_read_through_its_indices(addon, tmp_path):
    scene = trimesh.Scene()
    mesh = trimesh.creation.box()
    mesh = mesh.submesh([np.arange(12)], append=True)
    mesh.unmerge_vertices()
    mesh.vertex_attributes["_POLYGON"] = np.repeat(np.arange(12) // 2, 3).astype(np.float32)
    mesh.faces = mesh.faces[::-1]
    scene.add_geometry(mesh)
    scene.export(tmp_path / "box.glb")
    assert addon.read_polygons(tmp_path / "box.glb") == (np.arange(12)[::-1] // 2).tolist()


def test_a_polygon_takes_the_label_of_most_of_its_triangles(addon):
    assert addon.label_polygons([0, 1, 1, 1, 3], [4, 2, 7, 7, -1], 4) == [4, 7, -1, -1]
    with pytest.raises(addon.NamingError, match="1 labels for 2 triangles"):
        addon.label_polygons([0, 1], [0], 2)


def test_labels_lead_to_instances_where_there_are_several(addon, tmp_path):
    category, nodes, labels = addon.read_labels(write_result(tmp_path / "with"))
    assert category == "chair"
    assert [node.path for node in nodes] == [("leg", "leg_1"), ("leg", "leg_2"), (MARKUP,), ("seat",)]
    assert [node.needs_review for node in nodes] == [False, False, False, True]
    assert labels[:12] == [labels[0]] * 12 and {labels[0], labels[12]} == {0, 1}
    assert labels[24:] == [2] * 12 + [3] * 12 + [-1] * 12
    _, nodes, labels = addon.read_labels(write_result(tmp_path / "without", instances=False))
    assert [node.path for node in nodes] == [("leg",), (MARKUP,), ("seat",)]
    assert labels == np.repeat([0, 1, 2, -1], [24, 12, 12, 12]).tolist()


def test_options_that_are_not_set_are_not_given(addon):
    meshes, out = [Path("0.glb"), Path("1.glb")], Path("out")
    plain = ["named", "name", "0.glb", "1.glb", "--out", "out", "--no-picture", "--detail", "default"]
    assert addon.command_line("named", meshes, out, "default", False, "", "") == plain
    assert addon.command_line("named", meshes, out, "default", True, "names.yaml", "") == [
        *plain, "--vocabulary", "names.yaml", "--instances",
    ]  # fmt: skip


def test_the_last_line_is_the_last_that_says_something(addon, tmp_path):
    path = tmp_path / "errors.txt"
    for text, line in (("", ""), ("one\n two \n\n", "two"), ("one", "one")):
        path.write_text(text)
        assert addon.last_line(path) == line


@pytest.fixture
def blender(tmp_path, monkeypatch):
    """Blender with an empty scene and the add-on, whose command is the one above."""
    bpy = pytest.importorskip("bpy")
    import addon_utils

    monkeypatch.syspath_prepend(str(ADDON.parent))
    monkeypatch.chdir(tmp_path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon_utils.enable(ADDON.stem, default_set=True)
    command = tmp_path / "named"
    command.write_text(COMMAND)
    command.chmod(0o755)
    bpy.context.preferences.addons[ADDON.stem].preferences.command = str(command)
    yield bpy
    addon_utils.disable(ADDON.stem)


def grid(bpy, name="Sheet", **place):
    """Add 6 × 6 quads with two materials in turn, and select it."""
    bpy.ops.mesh.primitive_grid_add(size=2, x_subdivisions=6, y_subdivisions=6)
    sheet = bpy.context.object
    sheet.name = name
    for key, value in place.items():
        setattr(sheet, key, value)
    for material in ("red", "blue"):
        sheet.data.materials.append(bpy.data.materials.new(material))
    for polygon in sheet.data.polygons:
        polygon.material_index = polygon.index % 2
    bpy.context.view_layer.update()
    return sheet


def corners(item):
    """Return a set of polygons: material, and corners in the world with their uvs."""
    found = set()
    for polygon in item.data.polygons:
        at = [item.matrix_world @ item.data.vertices[vertex].co for vertex in polygon.vertices]
        uvs = [item.data.uv_layers[0].data[loop].uv for loop in polygon.loop_indices]
        ends = tuple((*np.round([*x, *uv], 3).tolist(),) for x, uv in zip(at, uvs, strict=True))
        found.add((item.data.materials[polygon.material_index].name, ends))
    return found


@pytest.mark.parametrize("scale", [(1, 1, 1), (-1, 2, 1)])
def test_objects_of_the_parts_are_the_object_again(blender, scale):
    home = blender.data.objects.new("Home", None)
    blender.context.scene.collection.objects.link(home)
    home.location, home.rotation_euler = (0, 3, 1), (0, 0, 0.3)
    sheet = grid(blender, parent=home, scale=scale)
    before, world = corners(sheet), sheet.matrix_world.copy()
    assert blender.ops.alignparts.name_parts() == {"FINISHED"}
    blender.context.view_layer.update()
    root = blender.data.objects["Sheet"]
    assert (root.type, root.parent, root["category"]) == ("EMPTY", home, "thing")
    assert np.allclose(root.matrix_world, world, atol=1e-6)
    left, right = (blender.data.objects[name] for name in ("left", "right"))
    assert (left["confidence"], left["needs_review"]) == (0.25, True)
    assert (right["confidence"], right["needs_review"]) == (0.75, False)
    assert corners(left) | corners(right) == before
    assert len(left.data.polygons) + len(right.data.polygons) == 36
    for side, item in ((-1, left), (1, right)):
        assert item.parent == root
        middles = [item.matrix_world @ polygon.center for polygon in item.data.polygons]
        # A quad across the border has a triangle on either side.
        assert all(side * middle.x > -0.2 for middle in middles)


def test_modifiers_are_applied_and_instances_get_a_node_each(blender):
    sheet = grid(blender, location=(1.5, 0, 0))
    array = sheet.modifiers.new("Array", "ARRAY")
    array.count, array.relative_offset_displace = 2, (1.5, 0, 0)
    blender.context.scene.alignparts.instances = True
    assert blender.ops.alignparts.name_parts() == {"FINISHED"}
    made = {item.name: item for item in blender.data.objects}
    assert made.keys() == {"Sheet", "right", "right_1", "right_2"}
    assert made["right"].type == "EMPTY" and made["right_1"].parent == made["right"]
    assert [len(made[name].data.polygons) for name in ("right_1", "right_2")] == [36, 36]


def test_labels_leave_the_mesh_as_it_is(blender):
    sheet, other = grid(blender), grid(blender, "Other", location=(5, 0, 0))
    sheet.modifiers.new("Bevel", "BEVEL")
    sheet.select_set(True)
    blender.context.scene.alignparts.result = "MARK"
    for _ in range(2):  # the second time changes nothing
        assert blender.ops.alignparts.name_parts() == {"FINISHED"}
        assert {item.name for item in blender.data.objects} == {"Sheet", "Other"}
        part = [value.value for value in sheet.data.attributes["part"].data]
        assert part == [int(polygon.center.x > 0) for polygon in sheet.data.polygons]
        assert [group.name for group in sheet.vertex_groups] == ["left", "right"]
        assert [group.name for group in other.vertex_groups] == ["right"]
        assert [material.name for material in other.data.materials] == ["red.001", "blue.001", "right"]
        assert [material.name for material in sheet.data.materials] == ["red", "blue", "left", "right"]
        assert [polygon.material_index - 2 for polygon in sheet.data.polygons] == part
        members = {vertex.index for vertex in sheet.data.vertices if 0 in [g.group for g in vertex.groups]}
        assert members == {vertex.index for vertex in sheet.data.vertices if vertex.co.x < 1e-6}


def test_errors_are_reported_and_change_nothing(blender, tmp_path):
    with pytest.raises(RuntimeError, match="select a mesh"):
        blender.ops.alignparts.name_parts()
    sheet = grid(blender)
    blender.context.scene.alignparts.category = "nonsense"
    with pytest.raises(RuntimeError, match="no category 'nonsense'"):
        blender.ops.alignparts.name_parts()
    preferences = blender.context.preferences.addons[ADDON.stem].preferences
    preferences.command = str(tmp_path / "missing")
    with pytest.raises(RuntimeError, match="missing: No such file or directory; set its path"):
        blender.ops.alignparts.name_parts()
    assert list(blender.data.objects) == [sheet] and sheet.select_get()


@pytest.mark.parametrize("last", ["TIMER", "ESC"])
def test_blender_goes_on_until_the_command_ends_or_esc(blender, tmp_path, last):
    sheet, addon, calls = grid(blender), sys.modules[ADDON.stem], []
    go = tmp_path / "go"
    command = tmp_path / "named"
    command.write_text(
        COMMAND.replace("for path", f"while not Path({str(go)!r}).exists(): pass\nfor path", 1)
    )

    class Context:
        window = None
        window_manager = SimpleNamespace(
            event_timer_add=lambda *_, **__: "timer",
            event_timer_remove=calls.append,
            modal_handler_add=lambda _: None,
        )
        workspace = SimpleNamespace(status_text_set=calls.append)

        def __getattr__(self, name):
            return getattr(blender.context, name)

    names = ("invoke", "modal", "_begin", "_end")
    operator = type("Running", (), {name: vars(addon.NameParts)[name] for name in names})()
    operator.report = lambda kind, text: calls.append((kind, text))
    context, event = Context(), SimpleNamespace(type="TIMER")
    assert operator.invoke(context, event) == {"RUNNING_MODAL"}
    run = operator.run
    assert operator.modal(context, event) == {"PASS_THROUGH"}
    assert "Esc cancels" in calls.pop() and run.process.poll() is None
    if last == "TIMER":
        go.touch()
        run.process.wait()
    done = operator.modal(context, SimpleNamespace(type=last))
    assert calls[:2] == ["timer", None] and not run.folder.exists() and run.process.poll() is not None
    if last == "TIMER":
        assert (done, calls[2:]) == ({"FINISHED"}, [({"INFO"}, "Sheet: left, right")])
    else:
        assert (done, calls[2:]) == ({"CANCELLED"}, [({"INFO"}, "naming was cancelled")])
        assert list(blender.data.objects) == [sheet]


def test_one_undo_brings_the_object_back(blender):
    grid(blender)
    blender.ops.ed.undo_push(message="before")
    assert blender.ops.alignparts.name_parts("EXEC_DEFAULT", True) == {"FINISHED"}
    assert "left" in blender.data.objects
    blender.ops.ed.undo()
    assert [(item.name, item.type) for item in blender.data.objects] == [("Sheet", "MESH")]
