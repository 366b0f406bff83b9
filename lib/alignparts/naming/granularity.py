"""Coarser and finer parts of a named mesh, and the instances of a part with their positions in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, Int32, Int64
from scipy.spatial import cKDTree

from alignparts.corpus.mesh.surface import Surface
from alignparts.naming.positions import places
from alignparts.patches.adjacency import Adjacency, adjacency, connected

Detail = Literal["coarse", "default", "fine"]
"""Coarse joins small parts to a neighbor; fine gives a part pieces, see :func:`coarse` and :func:`levels`."""

COARSE = 0.05
"""Share of the area of all parts below which a part is small."""
DUST = 0.02
"""Share of the area of its part's largest piece below which a connected piece does not count."""
WITHIN = 0.05
"""Most by which a piece sticks out of the bounding box of the one it belongs to, in the model frame; or a
quarter of that box's longest side where that is less. Chosen on validation shapes."""

Kind = Literal["instance", "piece"]
Route = tuple[int, ...]
"""Index of a part, then the number of an instance or piece on every level."""


@dataclass(frozen=True)
class Level:
    """Numbered children of every part, or of every child of the level above.

    Attributes:
        kind: what the children are.
        of_face: number of the child that every face belongs to, from 1; 0 where unlabeled.
        positions: words that tell a child from its siblings, where there are such.
    """

    kind: Kind
    of_face: Int32[np.ndarray, " faces"]
    positions: dict[Route, str]


@dataclass(frozen=True)
class Child:
    """A node below a part: its name, what tells it from its siblings, its faces, and the nodes below it."""

    name: str
    about: dict[str, Any]
    faces: Int64[np.ndarray, " n"]
    children: list["Child"]


def children(levels: Sequence[Level], route: Route, name: str, faces: Int64[np.ndarray, " n"]) -> list[Child]:
    """Return the children of a part or child by route, name and faces; none where there would be only one."""
    if not levels:
        return []
    level, below = levels[0], levels[1:]
    numbers, found = level.of_face[faces], []
    last = int(numbers.max(initial=0))
    if last < 2:
        return children(below, (*route, last), name, faces)
    for number in range(1, last + 1):
        here, inside = (*route, number), faces[numbers == number]
        title = f"{name}_{number}" if level.kind == "instance" else f"{name}/{number}"
        about = {level.kind: number, "position": level.positions.get(here, "")}
        found.append(Child(title, about, inside, children(below, here, title, inside)))
    return found


def coarse(surface: Surface, face_part: Int[np.ndarray, " faces"], parts: int) -> Int64[np.ndarray, " parts"]:
    """Return for every part the one that it becomes.

    While there is a part below :data:`COARSE`, the smallest joins the one with which it shares the longest
    border, or, where it touches none, the nearest. The larger of the two is always the one that stays.
    """
    edges, areas = adjacency(surface), surface.areas()
    ends = face_part[np.stack([edges.first, edges.second])]
    labeled, met = face_part >= 0, (ends >= 0).all(axis=0)
    border = np.zeros((parts, parts))
    np.add.at(border, tuple(ends[:, met]), edges.length[met])
    border += border.T
    area = np.bincount(face_part[labeled], areas[labeled], parts)
    becomes, limit = np.arange(parts), COARSE * float(area.sum())
    while True:
        left = np.unique(becomes[np.unique(face_part[labeled])])
        small = int(left[area[left].argmin()]) if len(left) > 1 else -1
        if small < 0 or area[small] >= limit:
            return becomes
        others = left[left != small]
        lengths = border[small, others]
        if lengths.max() > 0:
            into = int(others[lengths.argmax()])
        else:
            now = np.append(becomes, -1)[face_part]
            into = int(_nearest(surface, now, np.array([small]), others)[0])
        becomes[becomes == small] = into
        area[into] += area[small]
        border[into] += border[small]
        border[:, into] += border[:, small]


def levels(
    surface: Surface,
    face_part: Int[np.ndarray, " faces"],
    face_partlet: Int[np.ndarray, " faces"] | None,
    instances: bool,
) -> tuple[Level, ...]:
    """Return the levels below the parts: instances where asked for, then pieces where partlets are given.

    A piece is a connected group of faces of one part, or of one instance, that the model gave to one partlet,
    see :func:`connected_pieces`. An instance is one of a part's connected pieces, with those that lie within
    its bounding box, up to :data:`WITHIN`: a hub in its tire, a cushion in its frame.
    """
    if face_partlet is None and not instances:
        return ()
    edges, found = adjacency(surface), []
    parent = np.asarray(face_part, np.int64)
    if instances:
        found.append(_level("instance", surface, [parent], _nested(surface, edges, parent)))
    if face_partlet is not None:
        above = [parent, *(level.of_face for level in found)]
        keys = np.unique(np.stack([*above, face_partlet]), axis=1, return_inverse=True)[1].ravel()
        group = np.where(parent < 0, -1, keys)
        found.append(_level("piece", surface, above, connected_pieces(surface, edges, group)))
    return tuple(found)


def connected_pieces(
    surface: Surface, edges: Adjacency, group: Int[np.ndarray, " faces"]
) -> Int64[np.ndarray, " faces"]:
    """Return the connected pieces of every group of faces, a number per face; -1 outside all groups.

    A piece below :data:`DUST` of the largest of its group joins the nearest that is not.
    """
    same = group[edges.first] == group[edges.second]
    piece = connected(len(group), edges.first[same], edges.second[same])
    piece[group < 0] = -1
    ids, first = np.unique(piece[group >= 0], return_index=True)
    owner = group[group >= 0][first]
    area = np.bincount(piece[group >= 0], surface.areas()[group >= 0])[ids]
    largest = np.zeros(group.max(initial=-1) + 1)
    np.maximum.at(largest, owner, area)
    dust = area < DUST * largest[owner]
    becomes = np.arange(piece.max(initial=-1) + 2)
    becomes[-1] = -1
    for number in np.unique(owner[dust]).tolist():
        small = ids[dust & (owner == number)]
        becomes[small] = _nearest(surface, piece, small, ids[~dust & (owner == number)])
    return becomes[piece]


def _nested(
    surface: Surface, edges: Adjacency, group: Int64[np.ndarray, " faces"]
) -> Int64[np.ndarray, " faces"]:
    """Return connected pieces joined with those whose bounding box holds theirs."""
    piece = connected_pieces(surface, edges, group)
    inside = np.flatnonzero(piece >= 0)
    ids, first, dense = np.unique(piece[inside], return_index=True, return_inverse=True)
    corners = surface.vertices[surface.faces[inside]] * surface.frame()[1]
    low, high = np.full((len(ids), 3), np.inf), np.full((len(ids), 3), -np.inf)
    np.minimum.at(low, dense, corners.min(axis=1))
    np.maximum.at(high, dense, corners.max(axis=1))
    side, middle, owner = (high - low).max(axis=1, initial=0), (low + high) / 2, group[inside[first]]
    slack = np.minimum(WITHIN, side / 4)
    near = cKDTree(middle).query_ball_point(middle, side / 2 + slack, p=np.inf)
    outer = np.repeat(np.arange(len(ids)), [len(found) for found in near])
    inner = np.concatenate([np.zeros(0, np.int64), *near]).astype(np.int64)
    over = slack[outer, None]
    held = (low[inner] >= low[outer] - over) & (high[inner] <= high[outer] + over)
    held = held.all(axis=1) & (owner[inner] == owner[outer])
    joined = np.full(len(piece), -1)
    joined[inside] = connected(len(ids), outer[held], inner[held])[dense]
    return joined


def _level(
    kind: Kind,
    surface: Surface,
    above: Sequence[Int[np.ndarray, " faces"]],
    piece: Int[np.ndarray, " faces"],
) -> Level:
    """Return pieces as numbered children of what the levels above say, ordered by position."""
    inside = np.flatnonzero(piece >= 0)
    ids, first, dense = np.unique(piece[inside], return_index=True, return_inverse=True)
    center, scale = surface.frame()
    middles = (surface.vertices[surface.faces[inside]].mean(axis=1) - center) * scale
    weight = surface.areas()[inside] + 1e-300
    total = np.bincount(dense, weight)
    centers = np.stack([np.bincount(dense, weight * axis) / total for axis in middles.T], axis=1)
    paths, of = np.unique(np.stack(above)[:, inside[first]], axis=1, return_inverse=True)
    numbers = np.zeros(len(ids), np.int32)
    positions: dict[Route, str] = {}
    for index, route in enumerate(map(tuple, paths.T.tolist())):
        siblings = np.flatnonzero(of.ravel() == index)
        order, words = places(centers[siblings])
        numbers[siblings[order]] = np.arange(1, len(order) + 1)
        positions |= {
            (*route, int(numbers[s])): word for s, word in zip(siblings, words, strict=True) if word
        }
    of_face = np.zeros(len(piece), np.int32)
    of_face[inside] = numbers[dense]
    return Level(kind, of_face, positions)


def _nearest(
    surface: Surface,
    piece: Int[np.ndarray, " faces"],
    small: Int[np.ndarray, " n"],
    large: Int[np.ndarray, " m"],
) -> Int64[np.ndarray, " n"]:
    """Return for every small piece, in ascending order, the large one with the nearest vertex."""
    source, target = np.flatnonzero(np.isin(piece, small)), np.flatnonzero(np.isin(piece, large))
    corners = surface.vertices[surface.faces]
    distance, at = cKDTree(corners[target].reshape(-1, 3)).query(corners[source].reshape(-1, 3))
    owner = piece[source].repeat(3)
    order = np.lexsort((distance, owner))
    closest = order[np.unique(owner[order], return_index=True)[1]]
    return piece[target].repeat(3)[at[closest]]
