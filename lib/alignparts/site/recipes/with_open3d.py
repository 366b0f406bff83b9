import open3d as o3d
import trimesh

# Open3D's own reader joins parts of one material.
scene = trimesh.load_scene("named/chair/chair.parts.glb", merge_primitives=True)
parts = []
for name in scene.graph.nodes_geometry:
    transform, geometry = scene.graph[name]
    part = scene.geometry[geometry]
    corners = o3d.utility.Vector3dVector(part.vertices)
    mesh = o3d.geometry.TriangleMesh(corners, o3d.utility.Vector3iVector(part.faces))
    mesh.transform(transform).compute_vertex_normals()
    parts.append({"name": name, "geometry": mesh})
    print(name, mesh.sample_points_uniformly(1000).get_center())
# o3d.visualization.draw(parts) opens a window; its list shows and hides parts.
