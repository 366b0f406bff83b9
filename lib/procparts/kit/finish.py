"""What every generated shape goes through: proportions, the mess of real assets, pose, texture scale."""

import numpy as np

from procparts.kit.mesh import Mesh, Piece, Scalar, rotation

TEN_DEGREES = np.pi / 18


def finish(pieces: list[Piece], rng: np.random.Generator, free_yaw: Scalar) -> list[Piece]:
    """The pieces with jittered proportions, some mess, a pose, and texture coordinates fit for their images.

    Tiling textures repeat about twice over the longest side of the shape whatever its size; pictures
    (screens, labels) are stretched once over their piece.
    """
    stretch = np.exp(rng.normal(0, 0.07, 3))
    yaw = rng.uniform(-np.pi, np.pi) if rng.random() < free_yaw else rng.uniform(-TEN_DEGREES, TEN_DEGREES)
    turn = rotation("y", yaw) @ np.diag(stretch)
    messy = rng.random() < 0.5
    done = []
    for piece in pieces:
        mesh = _mess(piece.mesh, rng) if messy and rng.random() < 0.4 else piece.mesh
        done.append(Piece(piece.part, Mesh(mesh.vertices @ turn.T, mesh.faces, mesh.uv), piece.material))
    corners = np.array([corner for piece in done for corner in piece.mesh.bounds()])
    tile = rng.uniform(1.5, 3.0) / max(float(np.ptp(corners, axis=0).max()), 1e-9)
    shift = rng.random((len(done), 2))
    for piece, offset in zip(done, shift, strict=True):
        uv = piece.mesh.uv
        if piece.material.tiled:
            piece.mesh.uv = uv * tile + offset
        else:
            low = uv.min(axis=0)
            piece.mesh.uv = (uv - low) / np.maximum(uv.max(axis=0) - low, 1e-9)
    return done


def _mess(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """One or two of the faults that modeled assets have."""
    faults = (_unweld, _flip, _open_bottom, _split_some, _quarter, _repeat_faces)
    for k in rng.choice(len(faults), size=int(rng.integers(1, 3)), replace=False):
        mesh = faults[k](mesh, rng)
    return mesh


def _unweld(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Every face with vertices of its own."""
    index = mesh.faces.reshape(-1)
    return Mesh(mesh.vertices[index], np.arange(len(index), dtype=np.int64).reshape(-1, 3), mesh.uv[index])


def _flip(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Mixed winding: all faces turned round, or a random third of them."""
    turned = (
        np.ones(len(mesh.faces), dtype=bool) if rng.random() < 0.5 else rng.random(len(mesh.faces)) < 0.33
    )
    return Mesh(mesh.vertices, np.where(turned[:, None], mesh.faces[:, ::-1], mesh.faces), mesh.uv)


def _open_bottom(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Without the faces that nobody sees: those looking down, or those looking back."""
    normal = mesh.cross()
    size = np.linalg.norm(normal, axis=1)
    axis = 1 if rng.random() < 0.6 else 2
    keep = normal[:, axis] > -0.9 * np.maximum(size, 1e-15)
    if size[keep].sum() < 0.4 * size.sum():
        return mesh
    return Mesh(mesh.vertices, mesh.faces[keep], mesh.uv)


def _split(mesh: Mesh, chosen: np.ndarray) -> Mesh:
    """The chosen faces cut in four at the middles of their edges; the others keep T-junctions."""
    faces = mesh.faces[chosen]
    n, f = len(mesh.vertices), len(faces)
    a, b, c = faces.T
    middles = np.concatenate([np.stack(pair, axis=1) for pair in ((a, b), (b, c), (c, a))])
    ab, bc, ca = (n + k * f + np.arange(f) for k in range(3))
    quarters = [np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    return Mesh(
        np.concatenate([mesh.vertices, mesh.vertices[middles].mean(axis=1)]),
        np.concatenate([mesh.faces[~chosen], *quarters]).astype(np.int64),
        np.concatenate([mesh.uv, mesh.uv[middles].mean(axis=1)]),
    )


def _split_some(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """A random fifth of the faces cut finer, twice."""
    for _ in range(2):
        if len(mesh.faces) < 600:
            mesh = _split(mesh, rng.random(len(mesh.faces)) < 0.2)
    return mesh


def _quarter(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """All faces cut finer, so that one part is far denser than its neighbors."""
    for _ in range(2):
        if len(mesh.faces) < 200:
            mesh = _split(mesh, np.ones(len(mesh.faces), dtype=bool))
    return mesh


def _repeat_faces(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Some faces there twice, which makes their edges non-manifold."""
    again = mesh.faces[rng.random(len(mesh.faces)) < 0.1]
    return Mesh(mesh.vertices, np.concatenate([mesh.faces, again]), mesh.uv)
