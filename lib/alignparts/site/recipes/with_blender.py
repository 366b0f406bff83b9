import bpy

bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath="named/chair/chair.parts.glb")
for part in bpy.data.objects:
    if part.type == "MESH":
        print(part.name, part.get("confidence"), len(part.data.polygons), "faces")
        part.hide_render = bool(part.get("needs_review"))
bpy.ops.wm.save_as_mainfile(filepath="chair.blend")
