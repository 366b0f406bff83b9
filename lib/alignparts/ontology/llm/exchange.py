"""Requests out as a file, replies in from one: for a model that is reached by other means.

A line of the exported file holds ``hash``, ``prompt``, ``variables``, ``images`` (their sha256), and
``messages`` and ``response_format`` as an OpenAI-compatible endpoint takes them. The answered file has
``reply`` (the JSON object, or the model's text with one in it) and ``model`` added to each line.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.llm.messages import FORMATS, WrongReplyError, parse_reply, response_format
from alignparts.ontology.llm.records import Record, Request, problems

Schemas = Mapping[str, type[BaseModel]]
"""Pydantic model of the reply, by prompt."""


class Answered(Record, extra="ignore"):
    """An answered line; other keys are ignored."""

    reply: str | dict[str, Any]  # type: ignore[assignment]


def export_requests(path: Path, llm: LanguageModel, requests: Iterable[Request], schemas: Schemas) -> int:
    """Write the requests that no recorded reply covers as JSON lines, each once; return their number.

    Raises AlignPartsError if a prompt or a placeholder's value is missing.
    """
    missing = llm.missing(requests)
    contents = [{
        "hash": llm.request_hash(request),
        "prompt": request.prompt,
        "variables": dict(request.variables),
        "images": request.image_hashes,
        "messages": [{"role": "user", "content": llm.prompts.content(request)}],
        **response_format(FORMATS[0], schemas[request.prompt]),
    } for request in missing]  # fmt: skip
    write_text(path, "".join(f"{json.dumps(content, ensure_ascii=False)}\n" for content in contents))
    return len(missing)


def import_replies(path: Path, llm: LanguageModel, schemas: Schemas) -> int:
    """Put the replies of an answered file on record; return the number of new or changed ones.

    Every line is checked before the first is recorded. A request that is on record gets the new reply. A line
    of another form or text of the prompt, with a reply that does not fit, or that contradicts an earlier line
    raises AlignPartsError with file, line and expectation.
    """
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected the exported requests with their replies")
    answers: dict[str, tuple[int, Record]] = {}
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        record = _checked(f"{path}:{number}", line, llm, schemas)
        first, earlier = answers.setdefault(record.hash, (number, record))
        if earlier.reply != record.reply:
            raise AlignPartsError(f"{path}:{number}: answers line {first} otherwise; expected one reply each")
    known = {key: record.reply for key, record in llm.records.items()}
    changed = [record for _, record in answers.values() if known.get(record.hash) != record.reply]
    for record in changed:
        llm.keep(record)
    return len(changed)


def _checked(place: str, text: bytes, llm: LanguageModel, schemas: Schemas) -> Record:
    try:
        line = Answered.model_validate_json(text)
    except ValidationError as error:
        expected = "expected an exported line with 'reply' and 'model' added"
        raise AlignPartsError(f"{place}: {problems(error)}; {expected}") from None
    if line.prompt not in schemas:
        known = ", ".join(sorted(schemas))
        raise AlignPartsError(f"{place}: unknown prompt '{line.prompt}'; expected one of {known}")
    if line.hash != llm.request_hash(Request(line.prompt, line.variables, line.images)):
        raise AlignPartsError(
            f"{place}: the hash is not that of '{line.prompt}' with these variables; expected the line as it "
            "was exported (or the prompt's text has changed since: export again)"
        )
    schema = schemas[line.prompt]
    try:
        reply = parse_reply(line.reply, schema).model_dump(mode="json")
    except WrongReplyError as error:
        raise AlignPartsError(f"{place}: the reply is not a {schema.__name__}: {error}") from None
    return Record(**{**dict(line), "reply": reply})
