"""One client for any OpenAI-compatible endpoint; recorded replies are the default.

Every request is keyed by a hash of its prompt, variables and images. Replies are kept as JSON lines, so
a run needs neither account nor network, and another model's replies can be recorded beside them. Every
reply is on record before the next is waited for: a run that is killed goes on where it was.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.core.paths import RESOURCES
from alignparts.ontology.llm.endpoint import Endpoint, EndpointError, Prices
from alignparts.ontology.llm.prompts import Prompts
from alignparts.ontology.llm.protocol import bearer_token, image_part, is_base_url
from alignparts.ontology.llm.records import (
    Record,
    Request,
    Usage,
    append_record,
    first_problem,
    hash_of,
    image_hashes,
    read_records,
)

if TYPE_CHECKING:
    from alignparts.core.config import OntologyParams

__all__ = [
    "KEY_VARIABLE", "PROMPTS", "REPLIES", "LanguageModel", "Record", "Request", "UnansweredError", "Usage",
    "append_record", "read_records",
]  # fmt: skip

Reply = TypeVar("Reply", bound=BaseModel)

PROMPTS = RESOURCES / "prompts"
REPLIES = RESOURCES / "replies"
KEY_VARIABLE = "ALIGNPARTS_LLM_KEY"
_SHOWN = 10
"""Requests that an error spells out."""


class UnansweredError(AlignPartsError):
    """Requests of a batch that got no reply.

    Attributes:
        failures: each with its reason; all that is not among them is on record.
    """

    def __init__(self, message: str, failures: Sequence[tuple[Request, str]]) -> None:
        super().__init__(message)
        self.failures = tuple(failures)


class LanguageModel:
    """Asks named prompts, answers from the record first.

    Args:
        endpoint: ``recorded`` (replay only), or the base URL of an OpenAI-compatible endpoint
            (``http://localhost:11434/v1``, ``https://api.openai.com/v1``,
            ``https://generativelanguage.googleapis.com/v1beta/openai``, …).
        model: name of the model at the endpoint.
        replies: folder of recorded replies, read and appended to; the one that ships with the
            library by default.
        api_key: bearer token; the variable ALIGNPARTS_LLM_KEY by default.
        attempts: how often a request is sent before giving up.
        wait: seconds before the second attempt; doubles each time.
        timeout: seconds for a connection, and for a whole reply.
        per_minute: requests a minute at most, retries included; None is no limit.
        parallel: requests under way at once in :meth:`ask_all`.
        price_in: of a million tokens in, in any currency; None leaves the cost unknown.
        price_out: of a million tokens out.
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
        per_minute: float | None = None,
        parallel: int = 4,
        price_in: float | None = None,
        price_out: float | None = None,
    ) -> None:
        if endpoint != "recorded" and not is_base_url(endpoint):
            raise AlignPartsError(
                f"ontology.llm: '{endpoint}' is neither 'recorded' nor the base URL of an "
                "OpenAI-compatible endpoint (http://… or https://…)"
            )
        self.endpoint = None if endpoint == "recorded" else endpoint.rstrip("/")
        self.model = model
        self.folder = replies
        self.parallel = parallel
        self._prompts = Prompts(prompts)
        self._online: Endpoint | None = None
        if self.endpoint is not None:
            key = api_key if api_key is not None else os.environ.get(KEY_VARIABLE, "")
            prices = None if price_in is None or price_out is None else Prices(price_in, price_out)
            self._online = Endpoint(
                self.endpoint, model, key=bearer_token(key, KEY_VARIABLE), attempts=attempts, wait=wait,
                timeout=timeout, per_minute=per_minute, prices=prices,
            )  # fmt: skip
        self._records = read_records(replies)

    @classmethod
    def from_params(cls, params: "OntologyParams", replies: Path = REPLIES) -> "LanguageModel":
        """The client that the block ``ontology`` of params.yaml describes."""
        return cls(
            params.llm, params.llm_model, replies, per_minute=params.llm_requests_per_minute,
            parallel=params.llm_parallel, price_in=params.llm_price_in, price_out=params.llm_price_out,
        )  # fmt: skip

    @property
    def spent(self) -> Usage:
        """What this client's replies from the endpoint took, those of failed requests included."""
        return self._online.spent if self._online else Usage()

    def known(self, prompt: str, variables: Mapping[str, str], images: Sequence[bytes] = ()) -> bool:
        """Whether a reply to this request is on record."""
        return self.request_hash(prompt, variables, images) in self._records

    def recorded(self, key: str) -> dict[str, Any] | None:
        """The recorded reply to the request of a hash, as it is written."""
        return self._records[key].reply if key in self._records else None

    def missing(self, requests: Iterable[Request]) -> list[Request]:
        """Those of the requests that no recorded reply covers, each once."""
        found = {self.request_hash(*request): request for request in requests if not self.known(*request)}
        return list(found.values())

    def request_hash(
        self, prompt: str, variables: Mapping[str, str], images: Sequence[bytes | str] = ()
    ) -> str:
        """The sha256 of a request: the prompt's text, its variables, and the sha256 of every image.

        Args:
            prompt: name of a file in the prompts folder, without ``.txt``.
            variables: what its ``$placeholders`` stand for.
            images: each as its bytes or as its sha256.
        """
        return hash_of(self._prompts.text(prompt), variables, image_hashes(images))

    def content(self, request: Request) -> str | list[dict[str, Any]]:
        """The question as an endpoint gets it: text, or text and image parts (data URLs).

        Raises:
            AlignPartsError: a placeholder without a value; an image that is neither PNG nor JPEG.
        """
        text = self._prompts.filled(request.prompt, request.variables)
        if not request.images:
            return text
        shown = [image_part(image) for image in request.images]
        return [{"type": "text", "text": text}, *shown]

    def ask(
        self,
        prompt: str,
        variables: Mapping[str, str],
        schema: type[Reply],
        images: Sequence[bytes] = (),
    ) -> Reply:
        """The reply to a prompt, from the record or, failing that, from the endpoint.

        Args:
            prompt: name of a file in the prompts folder, without ``.txt``.
            variables: what its ``$placeholders`` stand for.
            schema: pydantic model of the reply's JSON object.
            images: PNG or JPEG files that are shown with the question.

        Raises:
            AlignPartsError: nothing on record and no endpoint; a reply of another form; an
                endpoint that refuses or stays silent.
        """
        request = Request(prompt, variables, tuple(images))
        key = self.request_hash(*request)
        if key in self._records:
            try:
                return schema.model_validate(self._records[key].reply)
            except ValidationError as error:
                raise AlignPartsError(
                    f"{self.folder}: the recorded reply {key[:12]} to '{prompt}' is not a "
                    f"{schema.__name__}: {first_problem(error)}"
                ) from None
        if self._online is None:
            raise AlignPartsError(f"no recorded reply to {request}; {self._way_out()}")
        reply, usage = self._online.ask(f"'{prompt}'", self.content(request), schema)
        self.keep(request, reply.model_dump(mode="json"), self.model, usage)
        return reply

    def ask_all(self, requests: Sequence[Request], schema: type[Reply]) -> list[Reply]:
        """The replies to many requests, in their order; ``parallel`` are asked at once.

        What is answered is recorded at once, so that a second call asks for the rest alone. One request
        that fails does not keep the others from being asked, unless it shows that all would fail (a
        wrong key, no such model, nobody there).

        Raises:
            UnansweredError: requests without a reply, all of them with their reasons.
            AlignPartsError: a recorded reply of another form.
        """
        requests = [Request(*request) for request in requests]
        missing = self.missing(requests)
        if missing and self._online is None:
            listed = _listed([str(request) for request in missing])
            raise UnansweredError(
                f"{len(missing)} of {len(requests)} requests have no recorded reply: {listed}; "
                f"{self._way_out()}",
                [(request, "no recorded reply") for request in missing],
            )
        if missing:
            self._answer(missing, schema)
        return [self.ask(prompt, variables, schema, images) for prompt, variables, images in requests]

    def keep(
        self, request: Request, reply: dict[str, Any], model: str, usage: Usage | None = None,
        images: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Put a reply on record.

        Args:
            request: what it answers.
            reply: its JSON object, already checked.
            model: who answered.
            usage: what it took, if anybody counted.
            images: sha256 of the images, where their bytes are not at hand.
        """
        shas = image_hashes(request.images or images)
        record = Record(
            hash=self.request_hash(request.prompt, request.variables, shas), prompt=request.prompt,
            variables=dict(request.variables), model=model, reply=reply, images=shas, usage=usage,
        )  # fmt: skip
        append_record(self.folder / f"{request.prompt}.jsonl", record)
        self._records[record.hash] = record

    def _answer(self, requests: Sequence[Request], schema: type[BaseModel]) -> None:
        """Ask for replies that are not on record, several at a time."""
        assert self._online is not None
        failures: dict[int, str] = {}
        with (
            ThreadPoolExecutor(self.parallel) as pool,
            tqdm(total=len(requests), desc="asking", mininterval=2.0, leave=False) as progress,
        ):
            futures = {
                pool.submit(self.ask, prompt, variables, schema, images): number
                for number, (prompt, variables, images) in enumerate(requests)
            }
            try:
                for future in as_completed(futures):
                    progress.update()
                    error = EndpointError("not asked") if future.cancelled() else future.exception()
                    if error is None:
                        continue
                    if not isinstance(error, EndpointError):
                        raise error
                    failures[futures[future]] = str(error)
                    if error.hopeless:
                        for other in futures:
                            other.cancel()
            except BaseException:
                # An interrupt: what is under way is still recorded, nothing more is asked.
                self._online.stop.set()
                pool.shutdown(cancel_futures=True)
                self._online.stop.clear()
                raise
        if failures:
            failed = [(requests[number], reason) for number, reason in sorted(failures.items())]
            listed = _listed([f"{request}: {reason}" for request, reason in failed])
            raise UnansweredError(
                f"{len(failed)} of {len(requests)} requests failed, the others are recorded in "
                f"{self.folder}; ask again for the rest: {listed}",
                failed,
            )

    def _way_out(self) -> str:
        return (
            f"either add replies to a .jsonl file in {self.folder} (alignparts.ontology.llm.exchange writes "
            "the requests to a file and reads the answered ones back), or name the base URL of an "
            "OpenAI-compatible endpoint and a model there: ontology.llm, ontology.llm_model of params.yaml, "
            f"--llm and --llm-model of a command (key in {KEY_VARIABLE})"
        )


def _listed(items: Sequence[str]) -> str:
    more = f"; and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return "; ".join(items[:_SHOWN]) + more
