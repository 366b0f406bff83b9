import trimesh
from pxr import Kind, Tf, Usd, UsdGeom

scene = trimesh.load_scene("named/chair/chair.parts.glb", merge_primitives=True)
stage = Usd.Stage.CreateNew("chair.usda")
UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
root = UsdGeom.Xform.Define(stage, "/chair").GetPrim()
stage.SetDefaultPrim(root)
Usd.ModelAPI(root).SetKind(Kind.Tokens.component)
for name in scene.graph.nodes_geometry:
    transform, geometry = scene.graph[name]
    part = scene.geometry[geometry].copy().apply_transform(transform)
    path = root.GetPath().AppendChild(Tf.MakeValidIdentifier(name))
    mesh = UsdGeom.Mesh.Define(stage, path)
    mesh.CreatePointsAttr(part.vertices)
    mesh.CreateFaceVertexCountsAttr([3] * len(part.faces))
    mesh.CreateFaceVertexIndicesAttr(part.faces.ravel())
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.GetPrim().SetDisplayName(name)
stage.Save()
