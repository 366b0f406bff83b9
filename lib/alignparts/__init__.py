"""ALIGN-Parts: segment a 3D object into parts and name them.

>>> from alignparts import name
>>> parts = name("chair.glb")
>>> parts.names, parts.confidence, parts.faces  # a name and a number per part, an index per face
>>> parts.save("named")

See :func:`alignparts.api.name`. Nothing is imported before the function is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alignparts.api import name

__all__ = ["name"]


def __getattr__(attribute: str) -> Any:
    if attribute != "name":
        raise AttributeError(f"module 'alignparts' has no attribute '{attribute}'")
    from alignparts.api import name

    return name
