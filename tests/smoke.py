"""Settings of tests: the smoke profile with some keys changed."""

from typing import Any

import yaml

from alignparts.core import paths
from alignparts.core.config import Params, parse_params


def blocks(**changes: Any) -> dict[str, Any]:
    """Return the smoke profile's blocks with changes merged in; ``ablations`` is replaced as a whole."""
    shipped = yaml.safe_load((paths.PROFILES / "smoke.yaml").read_text())
    merged = _merged(shipped, changes)
    return merged | {"ablations": changes.get("ablations", shipped["ablations"])}


def params(**changes: Any) -> Params:
    """Return the validated smoke profile with changes merged in."""
    return parse_params(blocks(**changes))


def _merged(base: Any, changes: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(changes, dict)):
        return changes
    return base | {key: _merged(base.get(key), value) for key, value in changes.items()}


def block(name: str, **changes: Any) -> Any:
    """Return one block of the smoke profile with changes merged in, as in ``block("corpus", points=64)``."""
    return getattr(params(**{name: changes}), name)
