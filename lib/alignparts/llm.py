"""One client for any OpenAI-compatible endpoint; recorded replies are the default.

Every request is keyed by a hash of its prompt and variables. Replies are kept as JSON lines, so a
run needs neither account nor network, and another model's replies can be recorded beside them.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from alignparts.errors import AlignPartsError
from alignparts.paths import RESOURCES

Reply = TypeVar("Reply", bound=BaseModel)

PROMPTS = RESOURCES / "prompts"
REPLIES = RESOURCES / "replies"
KEY_VARIABLE = "ALIGNPARTS_LLM_KEY"


class Record(BaseModel):
    """One recorded reply: a line of a ``.jsonl`` file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hash: str
    prompt: str
    variables: dict[str, str]
    model: str
    reply: dict[str, Any]


class LanguageModel:
    """Asks named prompts, answers from the record first.

    Args:
        endpoint: ``recorded``, or the base URL of an OpenAI-compatible endpoint
            (``http://localhost:11434/v1``, ``https://api.openai.com/v1``,
            ``https://generativelanguage.googleapis.com/v1beta/openai``, …).
        model: name of the model at the endpoint.
        replies: folder of recorded replies, read and appended to; the one that ships with the
            library by default.
        api_key: bearer token; the variable ALIGNPARTS_LLM_KEY by default.
        attempts: how often a request is sent before giving up.
        wait: seconds before the second attempt; doubles each time.
    """

    def __init__(
        self,
        endpoint: str = "recorded",
        model: str = "recorded",
        replies: Path = REPLIES,
        *,
        prompts: Path = PROMPTS,
        api_key: str | None = None,
        attempts: int = 5,
        wait: float = 1.0,
        timeout: float = 60.0,
    ) -> None:
        if endpoint != "recorded" and not re.match(r"https?://[^/]", endpoint):
            raise AlignPartsError(
                f"ontology.llm: '{endpoint}' is neither 'recorded' nor the base URL of an "
                "OpenAI-compatible endpoint (http://… or https://…)"
            )
        self.endpoint = None if endpoint == "recorded" else endpoint.rstrip("/")
        self.model = model
        self.folder = replies
        self._prompts = prompts
        self._key = api_key if api_key is not None else os.environ.get(KEY_VARIABLE)
        self._attempts, self._wait, self._timeout = attempts, wait, timeout
        self._templates: dict[str, str] = {}
        self._records = read_records(replies)

    def known(self, prompt: str, variables: Mapping[str, str]) -> bool:
        """Whether a reply to this request is on record."""
        return self.request_hash(prompt, variables) in self._records

    def request_hash(self, prompt: str, variables: Mapping[str, str]) -> str:
        """The sha256 of a request: the prompt's text and its variables, as canonical JSON."""
        text = json.dumps({"prompt": self._template(prompt), "variables": dict(variables)},
                          sort_keys=True, ensure_ascii=False, separators=(",", ":"))  # fmt: skip
        return hashlib.sha256(text.encode()).hexdigest()

    def ask(self, prompt: str, variables: Mapping[str, str], schema: type[Reply]) -> Reply:
        """The reply to a prompt, from the record or, failing that, from the endpoint.

        Args:
            prompt: name of a file in the prompts folder, without ``.txt``.
            variables: what its ``$placeholders`` stand for.
            schema: pydantic model of the reply's JSON object.

        Raises:
            AlignPartsError: nothing on record and no endpoint; a reply of another form; an
                endpoint that refuses or stays silent.
        """
        key = self.request_hash(prompt, variables)
        if key in self._records:
            record = self._records[key]
            try:
                return schema.model_validate(record.reply)
            except ValidationError as error:
                raise AlignPartsError(
                    f"{self.folder}: the recorded reply {key[:12]} to '{prompt}' is not a "
                    f"{schema.__name__}: {_first(error)}"
                ) from None
        if self.endpoint is None:
            raise AlignPartsError(
                f"no recorded reply to '{prompt}' for {json.dumps(dict(variables), ensure_ascii=False)}; "
                f"either add it to a .jsonl file in {self.folder}, or set ontology.llm to the base URL of an "
                f"OpenAI-compatible endpoint and ontology.llm_model to a model there (key in {KEY_VARIABLE})"
            )
        reply = self._from_endpoint(prompt, variables, schema)
        record = Record(hash=key, prompt=prompt, variables=dict(variables), model=self.model,
                        reply=reply.model_dump(mode="json"))  # fmt: skip
        append_record(self.folder / f"{prompt}.jsonl", record)
        self._records[key] = record
        return reply

    def _template(self, prompt: str) -> str:
        if prompt not in self._templates:
            path = self._prompts / f"{prompt}.txt"
            if not path.is_file():
                known = ", ".join(sorted(file.stem for file in self._prompts.glob("*.txt")))
                raise AlignPartsError(f"{path}: no such prompt; there are: {known}")
            self._templates[prompt] = path.read_text(encoding="utf-8")
        return self._templates[prompt]

    def _from_endpoint(self, prompt: str, variables: Mapping[str, str], schema: type[Reply]) -> Reply:
        try:
            question = Template(self._template(prompt)).substitute(variables)
        except (KeyError, ValueError) as error:
            raise AlignPartsError(f"{self._prompts / prompt}.txt: placeholder {error} has no value") from None
        retrying = Retrying(
            retry=retry_if_exception(_worth_another_try),
            stop=stop_after_attempt(self._attempts),
            wait=self._pause,
            reraise=True,
        )
        url = f"{self.endpoint}/chat/completions"
        try:
            return retrying(self._post, url, question, schema)
        except httpx.HTTPStatusError as error:
            detail = " ".join(error.response.text.split())[:200]
            raise AlignPartsError(f"{url}: HTTP {error.response.status_code}: {detail}") from None
        except httpx.HTTPError as error:
            raise AlignPartsError(f"{url}: {str(error) or type(error).__name__}") from None
        except (ValidationError, _NoObjectError) as error:
            raise AlignPartsError(
                f"{url}: model '{self.model}' did not answer '{prompt}' with a {schema.__name__} in "
                f"{self._attempts} attempts: {_first(error)}"
            ) from None

    def _post(self, url: str, question: str, schema: type[Reply]) -> Reply:
        body = {"model": self.model, "temperature": 0, "messages": [{"role": "user", "content": question}]}
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        response = httpx.post(url, json=body, headers=headers, timeout=self._timeout)
        response.raise_for_status()
        try:
            content = response.json()["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError):
            raise _NoObjectError("not a chat completion") from None
        return schema.model_validate(_json_object(content))

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: what the server asks for, else doubling."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, httpx.HTTPStatusError):
            asked = error.response.headers.get("retry-after", "")
            if asked.isdigit():
                return min(float(asked), 120.0)
        return self._wait * 2 ** (state.attempt_number - 1)


class _NoObjectError(ValueError):
    """A reply without a JSON object in it."""


def _worth_another_try(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (408, 429) or error.response.status_code >= 500
    return isinstance(error, httpx.TransportError | ValidationError | _NoObjectError)


def _json_object(content: object) -> dict[str, Any]:
    """The JSON object in a reply, also when the model wraps it in a code fence or in prose."""
    text = content if isinstance(content, str) else ""
    start = text.find("{")
    if start >= 0:
        try:
            value, _ = json.JSONDecoder().raw_decode(text[start:])
        except json.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            return value
    raise _NoObjectError(f"no JSON object in {' '.join(text.split())[:80]!r}")


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'reply'}: {first['msg']}"
    return str(error).splitlines()[0]


def read_records(folder: Path) -> dict[str, Record]:
    """All recorded replies of a folder's ``.jsonl`` files, by hash; of two for one hash the later wins.

    Raises:
        AlignPartsError: a line that is not a record; names file and line.
    """
    records: dict[str, Record] = {}
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    record = Record.model_validate_json(line)
                except ValidationError as error:
                    raise AlignPartsError(f"{path}:{number}: not a recorded reply: {_first(error)}") from None
                records[record.hash] = record
    return records


def append_record(path: Path, record: Record) -> None:
    """Append one line in a single write, so that writers in parallel never mix their lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record.model_dump(mode="json"), ensure_ascii=False, sort_keys=True) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        written = os.write(handle, line.encode())
    finally:
        os.close(handle)
    if written != len(line.encode()):
        raise AlignPartsError(f"{path}: disk full while recording a reply; remove its last line")
