"""Read a settings file; errors name the file, the key and what was expected."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import ValidationError

from alignparts.core import paths
from alignparts.core.config.block import Block
from alignparts.core.config.params import Params
from alignparts.core.errors import AlignPartsError

B = TypeVar("B", bound=Block)


def parse_params(blocks: Mapping[str, Any], source: str = "params.yaml") -> Params:
    """Validate the blocks of a settings file, the variants of Table 3 to their last key.

    Raises:
        AlignPartsError: a missing or unknown key, or a value out of range; the message names file and key.
    """
    with _one_line(source):
        params = Params.model_validate(blocks)
    with _one_line(source, "ablation.train"):
        base = params.ablation.base(params.train)
    for name in (*params.ablation.rows, *params.ablation.curves):
        if name not in params.ablations:
            known = ", ".join(params.ablations)
            raise AlignPartsError(f"{source}: ablation names '{name}', which ablations lacks; it has {known}")
    for name, variant in params.ablations.items():
        with _one_line(source, f"ablations.{name}"):
            variant.applied(base)
    return params


def load_params(path: Path | None = None) -> Params:
    """Read and validate a settings file; None takes the checkout's params.yaml, else the packaged one.

    Raises:
        AlignPartsError: no such file, no YAML mapping, or settings that :func:`parse_params` refuses.
    """
    if path is None:
        path = paths.PARAMS if paths.PARAMS.is_file() else paths.RESOURCES / "params.yaml"
    return parse_params(_mapping(path), str(path))


def load_block(path: Path, kind: type[B]) -> B:
    """Read and validate a file that holds one block alone; raises as :func:`load_params`."""
    with _one_line(str(path)):
        return kind.model_validate(_mapping(path))


def _mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping."""
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected settings, as params.yaml")
    try:
        blocks = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise AlignPartsError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(blocks, dict):
        raise AlignPartsError(f"{path}: expected a mapping, got {type(blocks).__name__}")
    return blocks


def restricted(block: B, keys: Iterable[str]) -> B:
    """Return only what ``keys`` name ("base", "corpus.points"); reading anything else is an AttributeError.

    A stage then cannot depend on a setting that dvc.yaml does not list for it.
    """
    inner: dict[str, list[str]] = {}
    for name, _, rest in (key.partition(".") for key in keys):
        inner.setdefault(name, []).extend([rest] if rest else [])
    values = {name: getattr(block, name) for name in inner}
    values |= {name: restricted(values[name], rest) for name, rest in inner.items() if rest}
    return cast(B, type(block).model_construct(_fields_set=set(values), **values))


@contextmanager
def _one_line(source: str, prefix: str = "") -> Iterator[None]:
    """Turn the first error of a validation into one line; `prefix` is the key of the validated block."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        context = first.get("ctx", {})
        parts = [prefix, *map(str, first["loc"]), context.get("key", "")]
        key = ".".join(filter(None, parts)) or "(top level)"
        message = f"{key}: {first['msg']} (got {first['input']!r})"
        if first["type"] == "unknown_key":
            message = f"unknown key '{key}'; known keys of this block: {context['known']}"
        elif first["type"] == "missing":
            message = f"key '{key}' is missing"
        raise AlignPartsError(f"{source}: {message}") from None
