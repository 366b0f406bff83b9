"""Draw materials of parts: color, texture and shine.

Equal generators give equal materials. Textures wrap around at their borders.
"""

import colorsys
from dataclasses import dataclass, replace

import numpy as np

SIZE = 64
Scalar = float | int | np.floating | np.integer
Color = tuple[float, float, float, float]


@dataclass
class Material:
    """Hold a surface material.

    Attributes:
        name: kind of material.
        image: texture (H, W, 3) uint8, or None.
        base_color: (r, g, b, a) in 0..1; it multiplies the texture.
        metallic: 0 (dielectric) to 1 (metal).
        roughness: 0 (mirror) to 1 (matte).
        tiled: true where the texture repeats over the part, false for a picture stretched once over it.
    """

    name: str
    image: np.ndarray | None
    base_color: Color
    metallic: float
    roughness: float
    tiled: bool = True


def _hsv(h: Scalar, s: Scalar, v: Scalar) -> np.ndarray:
    """Return the color (r, g, b) of a hue, saturation and value in 0..1."""
    rgb = colorsys.hsv_to_rgb(float(h) % 1.0, float(np.clip(s, 0, 1)), float(np.clip(v, 0, 1)))
    return np.asarray(rgb, dtype=float)


def _noise(rng: np.random.Generator, fx: Scalar, fy: Scalar, size: int = SIZE) -> np.ndarray:
    """Draw tiling smooth noise in 0..1; `fx`, `fy` are the finest waves kept along x and y."""
    ky = np.fft.fftfreq(size)[:, None] * size
    kx = np.fft.rfftfreq(size)[None, :] * size
    spectrum = np.exp(-((kx / fx) ** 2) - (ky / fy) ** 2)
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * spectrum, s=(size, size))
    field -= field.min()
    return field / max(float(field.max()), 1e-9)


def _grid(size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y in 0..1 of every pixel of a square texture."""
    y, x = np.mgrid[0:size, 0:size] / size
    return x, y


def _mix(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return colors between `a` and `b` as uint8, where `t` (H, W) runs over 0..1."""
    mixed = a + (b - a) * np.clip(t, 0, 1)[..., None]
    return (np.clip(mixed, 0, 1) * 255).astype(np.uint8)


WHITE: Color = (1.0, 1.0, 1.0, 1.0)


def wood(rng: np.random.Generator) -> Material:
    """Draw wood with its grain along v: pine, oak, walnut, mahogany or painted-over boards."""
    h, s, v = [
        (0.10, 0.45, 0.85),
        (0.09, 0.55, 0.65),
        (0.07, 0.6, 0.4),
        (0.04, 0.65, 0.45),
        (0.08, 0.2, 0.5),
    ][rng.integers(5)]
    base = _hsv(h + rng.normal(0, 0.012), s + rng.normal(0, 0.08), v + rng.normal(0, 0.08))
    x, _ = _grid()
    warp = _noise(rng, 4, 2)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (rng.integers(3, 8) * x + rng.uniform(0.5, 2.0) * warp))
    grain = 0.6 * rings + 0.4 * _noise(rng, 24, 2)
    if rng.random() < 0.3:
        grain = grain + 0.8 * ((x * rng.integers(2, 5)) % 1 < 0.05)
    return Material(
        "wood", _mix(base, base * rng.uniform(0.55, 0.8), grain), WHITE, 0.0, rng.uniform(0.4, 0.8)
    )


def metal(rng: np.random.Generator) -> Material:
    """Draw steel, chrome, brass, copper, black iron or anodized metal, brushed or plain."""
    tint = [(0.6, 0.03, 0.75), (0.6, 0.02, 0.9), (0.12, 0.5, 0.75), (0.05, 0.5, 0.7), (0.6, 0.05, 0.22)]
    h, s, v = tint[rng.choice(5, p=[0.4, 0.2, 0.13, 0.07, 0.2])]
    base = _hsv(h + rng.normal(0, 0.01), s, v + rng.normal(0, 0.06))
    brushed = rng.random() < 0.5
    image = _mix(base, base * 0.75, _noise(rng, 1.5, 28) if brushed else _noise(rng, 3, 3) * 0.4)
    return Material("metal", image, WHITE, rng.uniform(0.7, 1.0), rng.uniform(0.15, 0.5))


def plastic(rng: np.random.Generator) -> Material:
    """Draw plain plastic: black, white, gray or a color, at times with a fine grain."""
    kind = rng.random()
    if kind < 0.3:
        base = _hsv(0.6, 0.05, rng.uniform(0.05, 0.3))
    elif kind < 0.6:
        base = _hsv(rng.random(), rng.uniform(0, 0.08), rng.uniform(0.75, 0.97))
    else:
        base = _hsv(rng.random(), rng.uniform(0.4, 0.95), rng.uniform(0.35, 0.95))
    image = _mix(base, base * 0.85, _noise(rng, 20, 20)) if rng.random() < 0.4 else None
    color: Color = WHITE if image is not None else (float(base[0]), float(base[1]), float(base[2]), 1.0)
    return Material("plastic", image, color, 0.0, rng.uniform(0.25, 0.7))


def fabric(rng: np.random.Generator) -> Material:
    """Draw cloth: a weave, stripes, checks, dots or a print in two colors."""
    a = _hsv(rng.random(), rng.uniform(0.05, 0.8), rng.uniform(0.25, 0.95))
    b = _hsv(rng.random(), rng.uniform(0.0, 0.7), rng.uniform(0.2, 0.95))
    x, y = _grid()
    n = int(rng.integers(2, 7))
    kind = rng.integers(6)
    if kind <= 1:
        b, t = a * 0.75, 0.5 + 0.5 * np.sin(2 * np.pi * 16 * x) * np.sin(2 * np.pi * 16 * y)
    elif kind == 2:
        t = ((x * n) % 1 < rng.uniform(0.2, 0.6)).astype(float)
    elif kind == 3:
        t = 0.5 * ((x * n) % 1 < 0.5) + 0.5 * ((y * n) % 1 < 0.5)
    elif kind == 4:
        t = (((x * n) % 1 - 0.5) ** 2 + ((y * n) % 1 - 0.5) ** 2 < 0.09).astype(float)
    else:
        t = (_noise(rng, 5, 5) > 0.55).astype(float)
    return Material(
        "fabric", _mix(a, b, t + 0.12 * rng.random((SIZE, SIZE))), WHITE, 0.0, rng.uniform(0.85, 1.0)
    )


def leather(rng: np.random.Generator) -> Material:
    """Draw leather with a wrinkled grain: black, browns, cream, red."""
    h, s, v = [(0.06, 0.3, 0.12), (0.06, 0.65, 0.4), (0.07, 0.55, 0.6), (0.11, 0.2, 0.85), (0.0, 0.7, 0.5)][
        rng.integers(5)
    ]
    base = _hsv(h + rng.normal(0, 0.01), s, v + rng.normal(0, 0.04))
    cells = np.abs(_noise(rng, 9, 9) - 0.5) * 2
    return Material("leather", _mix(base * 0.6, base * 1.05, cells**0.5), WHITE, 0.0, rng.uniform(0.4, 0.65))


def glass(rng: np.random.Generator) -> Material:
    """Draw clear or tinted glass; alpha is below 1."""
    base = _hsv(rng.choice([0.55, 0.4, 0.6, 0.08]), rng.uniform(0.02, 0.3), rng.uniform(0.45, 0.95))
    return Material(
        "glass",
        None,
        (float(base[0]), float(base[1]), float(base[2]), float(rng.uniform(0.25, 0.6))),
        0.0,
        0.05,
    )


def ceramic(rng: np.random.Generator) -> Material:
    """Draw glazed ceramic: white, colored, speckled or banded."""
    white = _hsv(0.1, rng.uniform(0, 0.08), rng.uniform(0.88, 0.98))
    tone = _hsv(rng.random(), rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.85))
    base = white if rng.random() < 0.5 else tone
    _, y = _grid()
    kind = rng.integers(4)
    if kind == 0:
        image = _mix(base, base * 0.92, _noise(rng, 4, 4))
    elif kind == 1:
        image = _mix(base, base * 0.4, (rng.random((SIZE, SIZE)) > 0.95).astype(float))
    elif kind == 2:
        image = _mix(white, tone, ((y * rng.integers(2, 6)) % 1 < 0.3).astype(float))
    else:
        image = _mix(white, tone, (_noise(rng, 6, 6) > 0.6).astype(float))
    return Material("ceramic", image, WHITE, 0.0, rng.uniform(0.1, 0.3))


def rubber(rng: np.random.Generator) -> Material:
    """Draw dark rubber, ribbed or plain."""
    base = _hsv(0.6, rng.uniform(0, 0.06), rng.uniform(0.06, 0.2))
    x, y = _grid()
    ribs = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * 8 * (x + (0.5 * y if rng.random() < 0.5 else 0))))
    return Material(
        "rubber", _mix(base, base * 1.8 + 0.02, 0.5 * ribs + 0.3 * _noise(rng, 20, 20)), WHITE, 0.0, 0.9
    )


def stone(rng: np.random.Generator) -> Material:
    """Draw marble, granite or concrete."""
    base = _hsv(rng.choice([0.1, 0.6, 0.02]), rng.uniform(0, 0.15), rng.uniform(0.35, 0.95))
    if rng.random() < 0.5:
        veins = 1 - np.clip(np.abs(_noise(rng, 5, 5) - 0.5) * 9, 0, 1)
        image = _mix(base, base * 0.55, veins)
    else:
        image = _mix(base, base * 0.5, _noise(rng, 26, 26))
    return Material("stone", image, WHITE, 0.0, rng.uniform(0.3, 0.9))


def paint(rng: np.random.Generator) -> Material:
    """Draw a coat of paint: one color, faintly mottled."""
    base = _hsv(rng.random(), rng.choice([0.03, 0.5, 0.85]) + rng.uniform(0, 0.12), rng.uniform(0.3, 0.97))
    image = _mix(base, base * 0.9, _noise(rng, 3, 3)) if rng.random() < 0.5 else None
    color: Color = WHITE if image is not None else (float(base[0]), float(base[1]), float(base[2]), 1.0)
    return Material("paint", image, color, rng.uniform(0, 0.3), rng.uniform(0.2, 0.6))


def _lines(rng: np.random.Generator, image: np.ndarray, ink: np.ndarray, top: int, rows: int) -> None:
    """Draw lines of writing into `image` from row `top` on."""
    size = image.shape[0]
    for k in range(rows):
        y = top + 4 * k
        if y + 2 >= size:
            return
        length = int(rng.integers(size // 3, size - 12))
        words = np.repeat(rng.random(length // 3 + 1) > 0.25, 3)[:length]
        image[y : y + 2, 6 : 6 + length][:, words] = (ink * 255).astype(np.uint8)


def paper_or_label(rng: np.random.Generator) -> Material:
    """Draw a printed sheet: a ground, a block or disc of color, lines of writing."""
    ground = _hsv(rng.random(), rng.choice([0.04, 0.6]), rng.uniform(0.8, 0.97))
    ink = _hsv(rng.random(), 0.5, rng.uniform(0.05, 0.35))
    block = _hsv(rng.random(), 0.8, rng.uniform(0.5, 0.9))
    x, y = _grid()
    if rng.random() < 0.5:
        shape = (np.abs(y - 0.25) < 0.13) & (np.abs(x - 0.5) < 0.38)
    else:
        shape = (x - 0.5) ** 2 + (y - 0.28) ** 2 < 0.03
    image = _mix(ground, block, shape.astype(float))
    _lines(rng, image, ink, SIZE // 2, int(rng.integers(3, 8)))
    return Material("paper", image, WHITE, 0.0, 0.9, tiled=False)


def screen(rng: np.random.Generator) -> Material:
    """Draw a display: switched off, a landscape, a page of text with windows, or a dial plate of figures."""
    x, y = _grid()
    kind = rng.integers(4)
    if kind == 0:
        image = _mix(_hsv(0.6, 0.2, 0.05), _hsv(0.6, 0.2, 0.16), (x + y) / 2)
    elif kind == 1:
        sky, land = _hsv(rng.uniform(0.5, 0.65), 0.5, 0.9), _hsv(rng.uniform(0.1, 0.4), 0.6, 0.5)
        hills = 0.55 + 0.2 * (_noise(rng, 3, 0.1)[0] - 0.5)
        image = _mix(sky, land, (y > hills[None, :]).astype(float))
    else:
        image = _mix(_hsv(rng.random(), 0.5, 0.3), _hsv(rng.random(), 0.4, 0.7), y)
        for _ in range(int(rng.integers(1, 4))):
            r, c = rng.integers(2, SIZE // 2, 2)
            h, w = rng.integers(14, SIZE // 2, 2)
            image[r : r + h, c : c + w] = (_hsv(rng.random(), 0.1, 0.95) * 255).astype(np.uint8)
        _lines(rng, image, _hsv(0, 0, 0.15), int(rng.integers(6, 20)), int(rng.integers(4, 10)))
    return Material("screen", image, WHITE, 0.0, 0.1, tiled=False)


def keys(rng: np.random.Generator) -> Material:
    """Draw a field of keys with a light mark on each (or a dark one on light keys)."""
    rows, columns = int(rng.integers(3, 7)), int(rng.integers(3, 16))
    dark = rng.random() < 0.65
    gap, cap = (_hsv(0.6, 0.1, v) for v in ((0.03, 0.2) if dark else (0.5, 0.9)))
    mark = _hsv(rng.random(), 0.1, 0.9 if dark else 0.1)
    x, y = _grid()
    u, v = (x * columns) % 1, (y * rows) % 1
    image = _mix(gap, cap, ((np.abs(u - 0.5) < 0.4) & (np.abs(v - 0.5) < 0.4)).astype(float))
    image[(np.abs(u - 0.4) < 0.14) & (np.abs(v - 0.4) < 0.14)] = (mark * 255).astype(np.uint8)
    return Material("keys", image, WHITE, 0.0, 0.6, tiled=False)


def tinted(material: Material, factor: Scalar) -> Material:
    """Return the same material, its base color multiplied by `factor` (alpha stays)."""
    r, g, b = (min(float(channel * factor), 1.0) for channel in material.base_color[:3])
    return replace(material, base_color=(r, g, b, material.base_color[3]))
