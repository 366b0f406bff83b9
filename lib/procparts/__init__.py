"""Generate procedural shapes with named parts: one builder per category, one finish for every shape."""

import importlib
import pkgutil
from collections.abc import Callable

import numpy as np

from procparts.kit.finish import finish
from procparts.kit.mesh import Mesh, Piece

Builder = Callable[[np.random.Generator], list[Piece]]


def _registered() -> dict[str, Builder]:
    """Return the categories of every module of this package, by name."""
    builders: dict[str, Builder] = {}
    for module in sorted(pkgutil.walk_packages(__path__, f"{__name__}."), key=lambda m: m.name):
        categories = getattr(importlib.import_module(module.name), "CATEGORIES", {})
        twice = sorted(
            name for name in categories if builders.get(name, categories[name]) is not categories[name]
        )
        if twice:
            raise ValueError(f"{module.name}: category defined twice: {', '.join(twice)}")
        builders.update(categories)
    return builders


CATEGORIES: dict[str, Builder] = _registered()


def generate(category: str, rng: np.random.Generator, free_yaw: float = 0.4) -> list[Piece]:
    """Generate one random shape of `category`: its pieces, finished and posed.

    A share `free_yaw` of the shapes is turned freely about the up axis; the rest face +z, give or take 10
    degrees. Equal generators give equal shapes.

    Raises:
        ValueError: the category is unknown.
    """
    if category not in CATEGORIES:
        raise ValueError(f"generate: unknown category '{category}'; one of {', '.join(sorted(CATEGORIES))}")
    return finish(CATEGORIES[category](rng), rng, free_yaw)


__all__ = ["CATEGORIES", "Builder", "Mesh", "Piece", "generate"]
