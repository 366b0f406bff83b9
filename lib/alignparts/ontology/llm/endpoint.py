"""How a question gets to an OpenAI-compatible endpoint and its reply back, whatever the endpoint does.

What an endpoint may refuse is given up step by step (HTTP 400 or 422): the reply's form, first a strict
JSON schema, then any JSON object, then text; and a temperature of 0, which some models do not take. What
is given up for one request and then answered stays given up. Every reply is checked against the schema
all the same, and a wrong one goes back to the model with what is wrong with it.

Waiting is without jitter, so that two runs ask in the same rhythm: what ``Retry-After`` says, else a time
that doubles. A pause that the endpoint asks for holds all requests, not only the one that was told.
"""

import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import httpx
from pydantic import BaseModel
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
)

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.protocol import (
    Answer,
    BrokenError,
    Completion,
    DeclinedError,
    Message,
    RefusedError,
    completion_of,
    correction,
    retry_after,
    token_counts,
)
from alignparts.ontology.llm.records import Usage
from alignparts.ontology.llm.schema import FORMATS, WrongReplyError, parse, response_format

Reply = TypeVar("Reply", bound=BaseModel)

LONGEST_PAUSE = 120.0
"""Seconds; an endpoint that asks for a longer one is not waited for."""
LONGEST_BACK_OFF = 60.0
"""Seconds at which the doubling ends."""
CUT_OFF = "cut off at the token limit"
_HOPELESS = (401, 402, 404)
"""What says that no other request will fare better: key, money, address or model."""


class EndpointError(AlignPartsError):
    """A question without an answer; ``hopeless`` where no other question would get one."""

    def __init__(self, message: str, hopeless: bool = False) -> None:
        super().__init__(message)
        self.hopeless = hopeless


class Prices(NamedTuple):
    """Per million tokens in and out, in any currency."""

    prompt: float
    completion: float


class Pace:
    """Lets requests go at even intervals, whichever thread asks.

    Args:
        per_minute: requests a minute at most, retries included; None is no limit.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def slot(self) -> float:
        """Seconds until the next free slot, which is taken with it."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._gap
            return start - now

    def hold(self, seconds: float) -> None:
        """Give no slot for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


class _StoppedError(Exception):
    """Nobody waits for the answer any longer."""


class Endpoint:
    """One model at one OpenAI-compatible endpoint; may be asked from several threads.

    Args:
        url: base URL, such as ``https://api.openai.com/v1``.
        model: its name there.
        key: bearer token, if one is needed.
        attempts: how often a question is sent before giving up.
        wait: seconds before the second attempt; doubles each time.
        timeout: seconds for a connection, and for a whole reply.
        per_minute: requests a minute at most; None is no limit.
        prices: None leaves the cost unknown.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None = None,
        attempts: int = 5,
        wait: float = 1.0,
        timeout: float = 60.0,
        per_minute: float | None = None,
        prices: Prices | None = None,
    ) -> None:
        self.url, self.model = f"{url}/chat/completions", model
        self.spent = Usage()
        self.stop = threading.Event()
        self._attempts, self._wait, self._timeout, self._prices = attempts, wait, timeout, prices
        self._pace = Pace(per_minute)
        self._form, self._temperature = 0, True
        self._lock = threading.Lock()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # As many connections as there are threads that ask.
        limits = httpx.Limits(max_connections=None)
        self._client = httpx.Client(headers=headers, timeout=timeout, limits=limits)

    def ask(self, label: str, content: str | list[Message], schema: type[Reply]) -> tuple[Reply, Usage]:
        """The answer to a question, and what it and the wrong replies before it took.

        Args:
            label: what errors call the question.
            content: of the user's message: text, or text and image parts.
            schema: what the reply must be.

        Raises:
            EndpointError: none came, none that fits, or the endpoint refuses.
        """
        question: list[Message] = [{"role": "user", "content": content}]
        corrected: list[Message] = []
        usage = Usage()

        def attempt() -> Reply:
            nonlocal usage, corrected
            completion, took = self._complete(question + corrected, schema)
            usage += took
            try:
                return parse(completion.text, schema)
            except WrongReplyError as error:
                wrong = WrongReplyError(CUT_OFF, completion.text) if completion.cut else error
                corrected = correction(wrong)
                raise wrong from None

        retrying = Retrying(
            retry=retry_if_exception(_worth_another_try),
            stop=stop_after_attempt(self._attempts) | stop_when_event_set(self.stop),
            wait=self._pause,
            sleep=sleep_using_event(self.stop),
            reraise=True,
        )
        try:
            return retrying(attempt), usage
        except (RefusedError, BrokenError, _StoppedError) as error:
            hopeless = isinstance(error, RefusedError) and (error.status in _HOPELESS or error.spent)
            raise EndpointError(f"{self.url}: {error}", hopeless) from None
        except httpx.TimeoutException:
            raise EndpointError(
                f"{self.url}: no complete reply within {self._timeout:g} s, in {self._attempts} attempts"
            ) from None
        except httpx.RequestError as error:
            lost = isinstance(error, httpx.ConnectError)
            raise EndpointError(f"{self.url}: {str(error) or type(error).__name__}", lost) from None
        except DeclinedError as error:
            raise EndpointError(f"{self.url}: model '{self.model}' declines {label}: {error}") from None
        except WrongReplyError as error:
            raise EndpointError(
                f"{self.url}: model '{self.model}' did not answer {label} with a {schema.__name__} in "
                f"{self._attempts} attempts: {error}"
            ) from None

    def _complete(self, messages: Sequence[Message], schema: type[BaseModel]) -> tuple[Completion, Usage]:
        """What the model writes, and what that took, which is spent whatever becomes of it."""
        answer = self._send(messages, schema)
        completion = completion_of(answer)
        usage = self._usage(completion.usage, answer.seconds)
        with self._lock:
            self.spent += usage
        if completion.refusal:
            raise DeclinedError(completion.refusal[:200])
        return completion, usage

    def _send(self, messages: Sequence[Message], schema: type[BaseModel]) -> Answer:
        """Post the messages in the strictest form that the endpoint takes.

        Raises:
            RefusedError: an error that no other form helps against.
        """
        form, temperature = self._form, self._temperature
        while True:
            body: dict[str, Any] = {"model": self.model, "messages": list(messages)}
            body |= {"temperature": 0} if temperature else {}
            answer = self._post(body | response_format(FORMATS[form], schema))
            if 200 <= answer.status < 300:
                self._settle(form, temperature)
                return answer
            refused = RefusedError(answer.status, answer.text, retry_after(answer.headers))
            if answer.status not in (400, 422):
                raise refused
            if temperature and "temperature" in answer.text:
                temperature = False
            elif form + 1 < len(FORMATS):
                form += 1
            else:
                raise refused

    def _settle(self, form: int, temperature: bool) -> None:
        """Remember what the endpoint takes, and say so when it is less than was thought."""
        with self._lock:
            known, self._form = self._form, max(self._form, form)
            self._temperature = self._temperature and temperature
        if form > known:
            warnings.warn(
                f"{self.url}: refuses replies in the form {FORMATS[known]}; asking for {FORMATS[form]} "
                "instead, and checking them all the same",
                stacklevel=2,
            )

    def _post(self, body: Mapping[str, Any]) -> Answer:
        if self.stop.wait(self._pace.slot()):
            raise _StoppedError("stopped before it was asked")
        start = time.monotonic()
        with self._client.stream("POST", self.url, json=body) as response:
            data = bytearray()
            for chunk in response.iter_bytes():
                data += chunk
                # The client's own limit is for each chunk: a server that drips would never meet it.
                if time.monotonic() - start > self._timeout:
                    raise httpx.ReadTimeout("", request=response.request)
        took = time.monotonic() - start
        return Answer(response.status_code, response.headers, data.decode("utf-8", "replace"), took)

    def _usage(self, counts: object, seconds: float) -> Usage:
        tokens = token_counts(counts)
        if tokens is None:
            return Usage(replies=1, unreported=1, seconds=round(seconds, 3), cost=None)
        prompt, completion = tokens
        prices = self._prices
        cost = (prompt * prices.prompt + completion * prices.completion) / 1e6 if prices else None
        return Usage(replies=1, prompt_tokens=prompt, completion_tokens=completion,
                     seconds=round(seconds, 3), cost=cost)  # fmt: skip

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, WrongReplyError):
            return 0.0  # the endpoint is well
        if isinstance(error, RefusedError) and error.retry_after is not None:
            self._pace.hold(error.retry_after)
            return error.retry_after
        return min(self._wait * 2 ** (state.attempt_number - 1), LONGEST_BACK_OFF)


def _worth_another_try(error: BaseException) -> bool:
    if isinstance(error, RefusedError):
        transient = error.status in (408, 409, 429) or error.status >= 500
        return transient and not error.spent and (error.retry_after or 0.0) <= LONGEST_PAUSE
    return isinstance(error, httpx.RequestError | WrongReplyError | BrokenError)
