"""Requests out as a file, replies in from one: for whoever has the model elsewhere.

A line of the file that goes out holds ``hash``, ``prompt``, ``variables``, ``images`` (their sha256), and
``messages`` and ``response_format`` as an OpenAI-compatible endpoint takes them. Who answers adds
``reply`` (the JSON object, or the model's text with one in it) and ``model`` to the line.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.llm.records import Request, Usage, first_problem, image_hashes
from alignparts.ontology.llm.schema import FORMATS, WrongReplyError, checked, json_object, response_format


class Answered(BaseModel):
    """A line that comes back; what else is on it is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hash: str
    prompt: str
    variables: dict[str, str]
    images: tuple[str, ...] = ()
    model: str
    reply: str | dict[str, JsonValue]
    usage: Usage | None = None


def export_requests(
    path: Path, llm: LanguageModel, requests: Iterable[Request], schemas: Mapping[str, type[BaseModel]]
) -> int:
    """Write the requests that no recorded reply covers as JSON lines; returns how many there are.

    Args:
        path: of the file, written whole or not at all.
        llm: whose record and prompts they are.
        requests: any; those on record and those that repeat are left out.
        schemas: what a reply must be, by prompt.

    Raises:
        AlignPartsError: a prompt or a placeholder's value is missing.
    """
    missing = llm.missing(Request(*request) for request in requests)
    lines = [
        json.dumps({
            "hash": llm.request_hash(*request),
            "prompt": request.prompt,
            "variables": dict(request.variables),
            "images": image_hashes(request.images),
            "messages": [{"role": "user", "content": llm.content(request)}],
            **response_format(FORMATS[0], schemas[request.prompt]),
        }, ensure_ascii=False)
        for request in missing
    ]  # fmt: skip
    write_text(path, "".join(f"{line}\n" for line in lines))
    return len(lines)


def import_replies(path: Path, llm: LanguageModel, schemas: Mapping[str, type[BaseModel]]) -> int:
    """Put the replies of an answered file on record; returns how many are new or have changed.

    Every line is checked before the first is recorded. A request that is on record gets the new reply.

    Args:
        path: JSON lines as :func:`export_requests` writes them, with ``reply`` and ``model`` added.
        llm: whose record and prompts they are.
        schemas: what a reply must be, by prompt.

    Raises:
        AlignPartsError: a line of another form, of another prompt's text, of a reply that does not fit,
            or of a request that an earlier line answers otherwise; names file, line and expectation.
    """
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected the exported requests with their replies")
    found: dict[str, tuple[int, Answered, dict]] = {}
    for number, text in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not text.strip():
            continue
        line, reply = _checked(f"{path}:{number}", text, llm, schemas)
        earlier = found.get(line.hash)
        if earlier and earlier[2] != reply:
            raise AlignPartsError(
                f"{path}:{number}: answers line {earlier[0]} otherwise; expected one reply each"
            )
        found[line.hash] = number, line, reply
    changed = 0
    for _, line, reply in found.values():
        if llm.recorded(line.hash) != reply:
            llm.keep(Request(line.prompt, line.variables), reply, line.model, line.usage, line.images)
            changed += 1
    return changed


def _checked(
    place: str, text: bytes, llm: LanguageModel, schemas: Mapping[str, type[BaseModel]]
) -> tuple[Answered, dict]:
    """A line and its reply as it is recorded."""
    try:
        line = Answered.model_validate_json(text)
    except ValidationError as error:
        raise AlignPartsError(
            f"{place}: {first_problem(error)}; expected an exported line with 'reply' and 'model' added"
        ) from None
    if line.prompt not in schemas:
        known = ", ".join(sorted(schemas))
        raise AlignPartsError(f"{place}: unknown prompt '{line.prompt}'; expected one of {known}")
    if line.hash != llm.request_hash(line.prompt, line.variables, line.images):
        raise AlignPartsError(
            f"{place}: the hash is not that of '{line.prompt}' with these variables; expected the line as it "
            "was exported (or the prompt's text has changed since: export again)"
        )
    schema = schemas[line.prompt]
    try:
        reply = json_object(line.reply) if isinstance(line.reply, str) else line.reply
        return line, checked(reply, schema).model_dump(mode="json")
    except WrongReplyError as error:
        raise AlignPartsError(f"{place}: the reply is not a {schema.__name__}: {error}") from None
