"""The chat-completions protocol: what an answer says, what it means, and what goes into a message."""

import base64
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.schema import WrongReplyError

Message = dict[str, Any]


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, text: str, retry_after: float | None = None) -> None:
        pause = f" (asks to wait {retry_after:.0f} s)" if retry_after else ""
        super().__init__(f"HTTP {status}: {' '.join(_said(text).split())[:200]}{pause}")
        self.status, self.text, self.retry_after = status, text, retry_after

    @property
    def spent(self) -> bool:
        """Whether the account has run dry, which OpenAI says with the status of a rate limit."""
        return "insufficient_quota" in self.text


class BrokenError(Exception):
    """An answer that is not a chat completion."""


class DeclinedError(Exception):
    """The model will not answer."""


def is_base_url(text: str) -> bool:
    """Whether a text can be the base URL of an endpoint."""
    try:
        return bool(re.match(r"https?://[^/]", text) and httpx.URL(text).host)
    except httpx.InvalidURL:
        return False


def bearer_token(key: str, source: str) -> str | None:
    """The key without the line end that a file leaves; None where it is empty.

    Raises:
        AlignPartsError: no header can carry it; names the ``source`` and never the key.
    """
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise AlignPartsError(f"{source}: holds characters that no HTTP header takes; copy the key again")
    return key or None


class Answer(NamedTuple):
    """What came back, and the seconds from sending to its last byte."""

    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float


class Completion(NamedTuple):
    """What a model wrote.

    Attributes:
        text: "" where it wrote none.
        cut: it ran into the token limit.
        refusal: why it will not answer, "" where it did.
        usage: the counts as they came.
    """

    text: str
    cut: bool
    refusal: str
    usage: object


def completion_of(answer: Answer) -> Completion:
    """The first choice of a chat completion.

    Raises:
        BrokenError: not a chat completion.
        RefusedError: an error that a gateway sends as HTTP 200.
    """
    body = _body(answer)
    try:
        choice = body["choices"][0]
        message, end = choice["message"], choice.get("finish_reason")
        refusal = message.get("refusal") or ("its content filter" if end == "content_filter" else "")
        return Completion(_text(message.get("content")), end == "length", str(refusal), body.get("usage"))
    except (KeyError, IndexError, TypeError, AttributeError):
        raise BrokenError("not a chat completion") from None


def correction(error: WrongReplyError) -> list[Message]:
    """What shows the model its wrong reply: at temperature 0 the question alone would get it again."""
    if not error.text.strip():
        return []  # several endpoints refuse an empty message
    return [
        {"role": "assistant", "content": error.text[:4000]},
        {"role": "user", "content": f"That is not what was asked for: {error}. Answer the question again, "
                                    "with the JSON object alone."},
    ]  # fmt: skip


def _body(answer: Answer) -> dict[str, Any]:
    try:
        body = json.loads(answer.text)
    except (ValueError, RecursionError):
        raise BrokenError(f"not JSON: {' '.join(answer.text.split())[:80]!r}") from None
    if not isinstance(body, dict):
        raise BrokenError("not a chat completion")
    error = body.get("error")
    if error and not body.get("choices"):
        code = error.get("code") if isinstance(error, dict) else None
        raise RefusedError(code if isinstance(code, int) else 502, json.dumps(error, ensure_ascii=False))
    return body


def _said(text: str) -> str:
    """The message in the body of an error, or the body where it has none."""
    with suppress(ValueError, RecursionError, AttributeError):
        body = json.loads(text)
        error = body.get("error", body)
        message = error if isinstance(error, str) else error.get("message")
        return message if isinstance(message, str) else text
    return text


def _text(content: object) -> str:
    """The text of a message, whole or in parts; half characters would break the record."""
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content if part.get("type") == "text")
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""


def token_counts(counts: object) -> tuple[int, int] | None:
    """Tokens in and out, None where the endpoint does not say.

    Hidden thought is paid as output; some endpoints count it in the total alone.
    """
    if not isinstance(counts, dict):
        return None
    prompt, completion, whole = (_count(counts.get(f"{kind}_tokens")) for kind in _KINDS)
    if prompt is not None and whole is not None:
        completion = max(whole - prompt, completion or 0)
    return None if prompt is None or completion is None else (prompt, completion)


_KINDS = ("prompt", "completion", "total")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait, given as seconds or as a date (RFC 9110, section 10.2.3)."""
    asked = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d*)?", asked):
        return float(asked)
    try:
        date = parsedate_to_datetime(asked)
    except (TypeError, ValueError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max((date - datetime.now(UTC)).total_seconds(), 0.0)


def image_part(image: bytes) -> Message:
    """An image as a part of a message, a data URL.

    Raises:
        AlignPartsError: neither PNG nor JPEG.
    """
    for kind, signature in (("png", b"\x89PNG\r\n\x1a\n"), ("jpeg", b"\xff\xd8\xff")):
        if image.startswith(signature):
            url = f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
            return {"type": "image_url", "image_url": {"url": url}}
    raise AlignPartsError(
        f"an image of {len(image)} bytes is neither PNG nor JPEG; convert it to one of them"
    )
