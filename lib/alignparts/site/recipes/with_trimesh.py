import trimesh

scene = trimesh.load_scene("named/chair/chair.parts.glb", merge_primitives=True)
for name in scene.graph.nodes_geometry:
    transform, geometry = scene.graph[name]
    part = scene.geometry[geometry].copy().apply_transform(transform)
    tree = scene.graph.transforms
    about = tree.edge_data[tree.parents[name], name]["metadata"]
    print(name, about.get("confidence"), len(part.faces), "faces")
    part.export(f"{name}.ply")
