# ruff: noqa: RUF005
"""What sits at the light's end of a lamp: shades, bulbs, sockets, lanterns; and its foot."""

import numpy as np

from alignparts.corpus.procedural.fittings import Assembly, chance, pick
from alignparts.corpus.procedural.materials import Material
from alignparts.corpus.procedural.mesh import Mesh, Scalar, merge, move, scale
from alignparts.corpus.procedural.toolkit import box, cylinder, lathe, rod, sphere, torus, tube
from alignparts.corpus.procedural.vessels import (
    around,
    hollow,
    made_of,
    on_ground,
    plug,
    polar,
    section,
    slab,
    solid,
    spline,
)


def glow(rng: np.random.Generator) -> Material:
    """The pale look of a light bulb."""
    material = made_of(rng, "paint")
    material.image = None
    material.base_color = (1.0, rng.uniform(0.9, 1.0), rng.uniform(0.7, 0.98), 1.0)
    return material


def bulb(rng: np.random.Generator, r: Scalar) -> Mesh:
    """A light bulb of radius `r` that stands on y = 0: pear, globe, candle, tube or spiral."""
    kind = pick(rng, ["pear", "globe", "candle", "tube", "spiral"], [4, 2, 2, 1, 0.6])
    if kind == "spiral":
        t = np.linspace(0, 6 * np.pi, 28)
        return tube(
            np.stack([r * 0.55 * np.cos(t), r * (0.1 + 0.09 * t), r * 0.55 * np.sin(t)], axis=1),
            r * 0.18,
            segments=5,
        )
    rows = {
        "pear": [(r * 0.4, 0), (r * 0.5, r * 0.7), (r, r * 1.7), (r * 0.7, r * 2.5), (r * 0.05, r * 2.75)],
        "globe": [(r * 0.35, 0), (r * 0.5, r * 0.3), (r, r * 1.2), (r * 0.7, r * 1.95), (r * 0.05, r * 2.2)],
        "candle": [(r * 0.35, 0), (r * 0.6, r * 0.8), (r * 0.4, r * 1.8), (r * 0.03, r * 2.7)],
        "tube": [(r * 0.45, 0), (r * 0.45, r * 2.2), (r * 0.1, r * 2.5)],
    }
    return solid(spline(rows[kind], 10), 12)


def foot_disc(rng: np.random.Generator, r: Scalar, h: Scalar) -> Mesh:
    """A weighted foot of radius `r` and height `h` on y = 0: disc, dome, steps, square plate or bell."""
    kind = pick(rng, ["disc", "dome", "steps", "plate", "bell"])
    if kind == "plate":
        return slab(r * 1.7, r * rng.uniform(1.2, 1.7), h, r * rng.uniform(0.02, 0.4))
    rows = {
        "disc": [(r, 0), (r, h * 0.8), (r * 0.93, h)],
        "dome": [(r, 0), (r * 0.95, h * 0.3), (r * 0.5, h * 0.85), (r * 0.12, h)],
        "steps": [(r, 0), (r, h * 0.4), (r * 0.75, h * 0.45), (r * 0.7, h * 0.8), (r * 0.4, h)],
        "bell": [(r, 0), (r * 0.85, h * 0.25), (r * 0.3, h * 0.5), (r * 0.15, h)],
    }
    profile = rows[kind] if kind in ("disc", "steps") else spline(rows[kind], 10)
    return solid(profile, int(rng.choice([16, 24, 32])))


def reflector(rng: np.random.Generator, r: Scalar, length: Scalar, bar: bool = True) -> tuple[str, Mesh]:
    """A metal shade (a light bar too, if `bar`) that opens downwards from the origin: (part, mesh)."""
    kind = pick(rng, ["cone", "dome", "bell", "can", *(["bar"] if bar else [])])
    if kind == "bar":
        return "shade", box((r * 3.2, length * 0.22, r * 0.9), (r * 1.0, -length * 0.1, 0), bevel=r * 0.1)
    rows = {
        "cone": [(r, -length), (r * 0.35, -length * 0.15), (r * 0.3, length * 0.12)],
        "dome": [(r, -length * 0.8), (r * 0.9, -length * 0.4), (r * 0.5, 0), (r * 0.05, length * 0.1)],
        "bell": [(r, -length), (r * 0.55, -length * 0.6), (r * 0.4, -length * 0.1), (r * 0.1, length * 0.15)],
        "can": [(r * 0.75, -length), (r * 0.7, -length * 0.02), (r * 0.2, length * 0.08)],
    }
    wall = hollow(spline(rows[kind], 10), r * 0.03, 24, floor=False)
    tip = rows[kind][-1]
    return "shade", merge(wall, cylinder(tip[0], 0.02 * length, (0, tip[1], 0), 16))


def _fabric_shade(rng: np.random.Generator, r: Scalar, h: Scalar) -> tuple[Mesh, Scalar]:
    """An open shade between y = 0 and `h`, and its radius at the top."""
    kind = pick(
        rng,
        ["drum", "empire", "bell", "coolie", "square", "oval", "hexagon", "pleated"],
        [4, 4, 2, 1.5, 1.5, 1, 1, 1.5],
    )
    top = r * {"drum": rng.uniform(0.85, 1.0), "coolie": 0.2}.get(kind, rng.uniform(0.45, 0.75))
    profile = np.array([(r, 0), (top, h)])
    if kind == "bell":
        profile = spline([(r, 0), (r * 0.72, h * 0.4), (top * 0.95, h * 0.85), (top, h)], 10)
    segments = {"hexagon": 6, "pleated": 72}.get(kind, 30)
    mesh = hollow(profile, r * 0.015, segments, floor=False) if chance(rng, 0.6) else lathe(profile, segments)
    if kind == "square":
        mesh = section(mesh, rng.uniform(5, 12))
    elif kind == "pleated":
        mesh = section(mesh, 2.0, 24, 0.05)
    elif kind == "oval":
        mesh = scale(mesh, (1, 1, rng.uniform(0.6, 0.85)))
    return mesh, top * (0.6 if kind == "oval" else 1.0)


def _socket(a: Assembly, p: np.ndarray, up: Scalar, r: Scalar, material: Material) -> np.ndarray:
    """A bulb holder that stands at `p`; gives the point its bulb starts at."""
    a.add("socket", cylinder(r, r * 2.6, p + [0, up * r * 1.2, 0], 14), material)
    return p + np.array([0, up * r * 2.4, 0])


def head(
    rng: np.random.Generator,
    a: Assembly,
    p: np.ndarray,
    size: Scalar,
    upward: bool,
    simple: bool = False,
    bowl: bool = False,
) -> None:
    """Socket, bulb and shade at the end `p` of a pole (`upward`) or of what hangs down.

    `size` is about the shade's width. `simple` leaves holders out; `bowl` opens the shade upwards.
    """
    up = 1.0 if upward else -1.0
    metal = made_of(rng, "metal", "plastic", "wood")
    kind = (
        "torch"
        if bowl
        else pick(
            rng,
            ["fabric", "glass", "globe", "dome", "cage", "bare", "paper"],
            [7, 2.2, 1.4, 2.5 if not upward else 0.6, 0.9, 0.4, 0.7],
        )
    )
    r = size * rng.uniform(0.38, 0.55)
    socket_r = size * rng.uniform(0.045, 0.075)
    start = _socket(a, p, up, socket_r, metal) if chance(rng, 0.8) or kind == "bare" else p
    lamp_bulb = scale(bulb(rng, size * rng.uniform(0.09, 0.14)), (1, up, 1))
    open_shade = kind in ("fabric", "cage", "bare", "dome") or chance(rng, 0.4)
    if open_shade and chance(rng, 0.92):
        a.add("bulb", move(lamp_bulb, start - [0, up * size * 0.01, 0]), glow(rng))
    if kind == "bare":
        return
    if kind == "fabric":
        h = size * rng.uniform(0.45, 0.85)
        mesh, top = _fabric_shade(rng, r, h)
        low = p[1] - h * rng.uniform(0.0, 0.25) if upward else p[1] - h * rng.uniform(0.7, 1.0)
        cloth = made_of(rng, "fabric", "fabric", "paper_or_label", "paint", "glass")
        cloth.tiled = True
        a.add("shade", move(mesh, (p[0], low, p[2])), cloth)
        high = low + h * 0.97
        if not simple:
            spokes = [
                rod((p[0], high, p[2]), p * [1, 0, 1] + polar(top * 0.98, t, high), size * 0.008, sides=5)
                for t in (0.3, 2.4, 4.5)
            ]
            hub = (
                [rod(start, (p[0], high, p[2]), size * 0.012, sides=6)]
                if not upward or chance(rng, 0.3)
                else []
            )
            a.add(
                "shade_holder",
                merge(
                    torus(socket_r * 0.9, size * 0.012, (p[0], high, p[2]), segments=12, sides=5),
                    *spokes,
                    *hub,
                ),
                metal,
            )
            if upward and not hub:
                wide = min(top * 0.6, size * 0.22)
                t = np.linspace(-np.pi / 2, np.pi * 1.5, 17)[1:-1]
                mid, half = (start[1] + high) / 2, max((high - start[1]) / 2, size * 0.05)
                a.add(
                    "harp",
                    tube(
                        np.stack(
                            [p[0] + wide * np.cos(t), mid + half * np.sin(t), np.full(15, p[2])], axis=1
                        ),
                        size * 0.01,
                        segments=6,
                    ),
                    metal,
                )
            if upward and chance(rng, 0.6):
                q = size * 0.02
                drop = solid([(q, 0), (q * 0.6, q * 2), (q * 1.6, q * 3.5), (q * 0.4, q * 5.5)], 10)
                a.add("finial", move(drop, (p[0], high - q * 0.3, p[2])), metal)
        else:
            spokes = [
                rod((p[0], high, p[2]), p * [1, 0, 1] + polar(top * 0.98, t, high), size * 0.012, sides=5)
                for t in (0.3, 2.4, 4.5)
            ]
            a.add(
                "shade_holder", merge(rod(start, (p[0], high, p[2]), size * 0.015, sides=6), *spokes), metal
            )
        return
    if kind == "torch":
        rows = spline([(r * 0.15, 0), (r * 0.8, r * 0.35), (r * 1.2, r * 0.9)], 10)
        mesh, part = move(hollow(rows, r * 0.03, 28), (0, -r * 0.05, 0)), "shade"
    elif kind == "cage":
        h = size * rng.uniform(0.6, 0.9)
        n = int(rng.integers(5, 9))
        wires = around(
            n,
            lambda t: tube(
                [polar(*q) for q in ((r * 0.25, t, 0), (r * 0.8, t, h * 0.4), (r * 0.6, t, h))],
                size * 0.012,
                segments=5,
            ),
        )
        rings = [
            torus(q, size * 0.014, (0, y, 0), segments=18, sides=5)
            for q, y in ((r * 0.25, 0), (r * 0.8, h * 0.4), (r * 0.6, h))
        ]
        mesh, part = merge(*wires, *rings), "shade_frame"
    elif kind == "globe":
        tall = rng.uniform(0.85, 1.3)
        mesh, part = sphere(r * 0.8, (0, r * 0.78 * tall, 0), (1, tall, 1), 24), "shade_glass"
    elif kind == "paper":
        tall = rng.uniform(0.7, 1.2)
        mesh, part = sphere(r, (0, r * 0.95 * tall, 0), (1, tall, 1), 24), "shade"
    elif kind == "dome":
        h = size * rng.uniform(0.3, 0.6)
        rows = spline([(socket_r * 1.05, -socket_r), (r * 0.55, h * 0.25), (r * 0.95, h * 0.75), (r, h)], 12)
        mesh, part = hollow(rows, r * 0.03, 28, floor=False), "shade"
    else:
        h, opening = size * rng.uniform(0.5, 0.9), rng.uniform(0.5, 1.15)
        rows = spline([(r * 0.25, 0), (r * 0.7, h * 0.25), (r * 0.75, h * 0.6), (r * opening, h)], 12)
        mesh, part = hollow(rows, r * 0.03, int(rng.choice([8, 16, 24]))), "shade_glass"
    material = (
        made_of(rng, "glass", "paint", "ceramic")
        if part == "shade_glass"
        else made_of(rng, "metal", "paint", "plastic", "glass")
    )
    if kind == "paper":
        material = made_of(rng, "fabric", "paint")
    base = p - [0, up * size * 0.02, 0]
    direction = -up if kind == "dome" and upward else up
    if kind == "dome" and upward:
        base = p + [0, size * 0.5, 0]
        a.add("shade_holder", rod(p, base + [0, size * 0.02, 0], size * 0.015), metal)
    a.add(part, move(scale(mesh, (1, direction, 1)), base), material)
    if not simple and chance(rng, 0.5):
        a.add(
            "shade_holder",
            move(
                scale(
                    solid([(socket_r * 1.2, -socket_r * 0.4), (r * 0.3, socket_r * 0.8)], 18),
                    (1, direction, 1),
                ),
                base,
            ),
            metal,
        )


def lantern(rng: np.random.Generator, a: Assembly, p: np.ndarray, size: Scalar, hanging: bool) -> None:
    """A lantern of glass in a frame, standing on `p` or hanging from it; `size` is its half width."""
    s, n = size, int(rng.choice([4, 4, 6, 8]))
    h, flare = s * rng.uniform(1.6, 2.6), rng.uniform(1.0, 1.45)
    trim = made_of(rng, "metal", "paint", "wood")
    low = p - [0, h + s * 0.9, 0] if hanging else p
    low_r, high_r = s * 0.7, s * 0.7 * flare
    turn = np.pi / n
    posts = around(
        n, lambda t: rod(polar(low_r, t, s * 0.1), polar(high_r, t, s * 0.1 + h), s * 0.05, sides=4), turn
    )
    ring = [
        move(cylinder(r * 1.08, s * 0.1, (0, y, 0), n), (0, 0, 0))
        for r, y in ((low_r, s * 0.05), (high_r, h + s * 0.12))
    ]
    spun = [Mesh(m.vertices @ _yaw(turn).T, m.faces, m.uv) for m in ring]
    a.add("shade_frame", move(merge(*posts, *spun), low), trim)
    glass = lathe([(low_r * 0.95, s * 0.1), (high_r * 0.95, s * 0.1 + h)], n)
    a.add(
        "shade_glass",
        move(Mesh(glass.vertices @ _yaw(turn).T, glass.faces, glass.uv), low),
        made_of(rng, "glass", "paint"),
    )
    roof = solid(spline([(high_r * 1.2, 0), (high_r * 0.7, s * 0.4), (s * 0.12, s * 0.75)], 8), n)
    a.add(
        "shade",
        move(Mesh(roof.vertices @ _yaw(turn).T, roof.faces, roof.uv), low + [0, h + s * 0.15, 0]),
        trim,
    )
    a.add("socket", cylinder(s * 0.15, s * 0.3, low + [0, s * 0.2, 0], 10), trim)
    a.add("bulb", move(bulb(rng, s * 0.25), low + [0, s * 0.32, 0]), glow(rng))
    if chance(rng, 0.6) or hanging:
        a.add(
            "finial",
            move(merge(sphere(s * 0.12, (0, 0, 0), (1, 1.5, 1), 8)), low + [0, h + s * 0.95, 0]),
            trim,
        )


def _yaw(angle: Scalar) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def power_cord(rng: np.random.Generator, a: Assembly, start: np.ndarray, size: Scalar) -> None:
    """Append a cord that leaves `start` and lies on the ground, at times with its plug."""
    mesh, end, heading = on_ground(rng, start, size * rng.uniform(0.8, 1.8), size * 0.02)
    a.add("cord", mesh, made_of(rng, "plastic", "rubber"))
    if chance(rng, 0.6):
        a.add("plug", plug(end, heading, size * 0.12), made_of(rng, "plastic"))
