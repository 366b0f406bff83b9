"""A user's own vocabulary: part names in a YAML file, with or without descriptions."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.naming.prediction import Candidate


def read_vocabulary(path: Path) -> list[Candidate]:
    """Candidates of a YAML file: a list of names, or a mapping from names to descriptions (null: none).

    Raises:
        AlignPartsError: missing, not YAML, empty, of another form, or with a name twice; the message names
            the key.
    """
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected a YAML list of part names")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AlignPartsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if isinstance(content, dict):
        items = list(content.items())
    elif isinstance(content, list):
        items = [(entry, None) for entry in content]
    elif content is None:
        items = []
    else:
        raise AlignPartsError(
            f"{path}: expected a list of names or a mapping name: description, got {type(content).__name__}"
        )
    if not items:
        raise AlignPartsError(f"{path}: the vocabulary is empty; expected at least one part name")
    candidates: dict[str, Candidate] = {}
    for number, (key, description) in enumerate(items, start=1):
        if not isinstance(key, str) or not key.strip():
            raise AlignPartsError(f"{path}: entry {number}: expected a name, got {key!r}; put it in quotes")
        if description is not None and not isinstance(description, str):
            raise AlignPartsError(f"{path}: {key}: expected a description as text, got {description!r}")
        tidy = key.strip()
        if tidy in candidates:
            raise AlignPartsError(f"{path}: '{tidy}' is listed twice (entry {number}); every name once")
        candidates[tidy] = Candidate(tidy, (description or "").strip())
    return list(candidates.values())


def write_vocabulary(path: Path, candidates: Sequence[Candidate]) -> None:
    """Write candidates as :func:`read_vocabulary` reads them, atomically."""
    content = {one.name: one.description or None for one in candidates}
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))


class _UniqueKeys(yaml.SafeLoader):
    """A loader to which a key given twice is an error, where YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = str(getattr(key_node, "value", key_node)).strip()
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"'{key}' is listed twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
