"""A scripted annotator for the load test: speaks HTTP as the page does, and notes what was acknowledged."""

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

RETRY_SECONDS = 0.3
NAMES = ("lid", "handle", "body", "left_foot", "right_foot", "<b>knob</b>", "spout")


@dataclass
class Log:
    """What an annotator sent and was told.

    Attributes:
        acknowledged: (id, seq, edit) of every edit by task, in the order of their answers.
        last: the last state of every task that the server gave.
        submitted: verdict by task.
        seconds: of every answered request, by kind.
        retries: requests that had to be sent again.
        refused: answers that the script did not expect.
    """

    acknowledged: dict[int, list[tuple[str, int, dict[str, Any]]]] = field(default_factory=dict)
    last: dict[int, dict[str, Any]] = field(default_factory=dict)
    submitted: dict[int, str] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    retries: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class ScriptedAnnotator:
    """Takes objects, edits them at a person's speed and hands them in, until it is told to stop."""

    def __init__(self, base_url: str, token: str, seed: int, pause: float, edits: int) -> None:
        """Set up.

        Args:
            base_url: of the server.
            token: of the annotator.
            seed: of the script.
            pause: mean seconds between two edits.
            edits: mean number of them on an object.
        """
        self.log = Log()
        self._url, self._token = base_url, token
        self._random = random.Random(seed)
        self._pause, self._edits = pause, edits
        self._stop = False

    def stop(self) -> None:
        """Finish the edit in flight and no more."""
        self._stop = True

    async def run(self) -> Log:
        """Work; returns what was acknowledged."""
        headers = {"X-AlignParts": "1"}
        async with httpx.AsyncClient(base_url=self._url, headers=headers, timeout=30) as client:
            await asyncio.sleep(self._random.random() * self._pause)
            await self._ask(client, "log in", "POST", "/login", {"token": self._token})
            while not self._stop:
                state = await self._ask(client, "take", "POST", "/api/next", {})
                if state is None:
                    break
                self.log.last[state["task"]] = state
                async with self._following(client, state["task"]):
                    await self._work(client, state)
        return self.log

    async def _work(self, client: httpx.AsyncClient, state: dict[str, Any]) -> None:
        task = state["task"]
        path = f"/api/tasks/{task}"
        for _ in range(1 + self._random.randrange(2 * self._edits)):
            await asyncio.sleep(min(self._random.expovariate(1 / self._pause), 5 * self._pause))
            if self._stop:
                return
            await self._ask(client, "beat", "POST", f"{path}/beat", {"active": True})
            edit = self._choose(state)
            if edit["kind"] == "rename":
                params = f"q={edit['name'][:3]}&category={state['category']}"
                await self._ask(client, "search", "GET", f"/api/vocabulary?{params}")
            body = {"id": str(uuid.uuid4()), "seq": state["seq"], "edit": edit}
            kind = "paint" if edit["kind"] == "paint" else "edit"
            after = await self._ask(client, kind, "POST", f"{path}/events", body)
            if after is None:
                state = await self._ask(client, "state", "GET", path) or state
                continue
            self.log.acknowledged.setdefault(task, []).append((body["id"], after["seq"], edit))
            self.log.last[task] = state = after
        verdict = "rejected" if self._random.random() < 0.1 else "done"
        body = {"verdict": verdict, "note": "broken" if verdict == "rejected" else ""}
        if await self._ask(client, "submit", "POST", f"{path}/submit", body) is not None:
            self.log.submitted[task] = verdict

    def _choose(self, state: dict[str, Any]) -> dict[str, Any]:
        """An edit that fits the state."""
        pick, faces = self._random, state["faces"]
        parts = [part["id"] for part in state["parts"]]
        kinds = {"paint": 40, "accept": 15, "rename": 15, "add": 8, "delete": 3, "merge": 6, "restore": 1}
        kinds |= {"undo": 10 * state["can_undo"], "redo": 8 * state["can_redo"]}
        if len(parts) < 2:
            kinds = {"add": 1}
        kind = pick.choices(list(kinds), list(kinds.values()))[0]
        if kind in ("paint", "add"):
            start = pick.randrange(faces - 1)
            runs = [start, pick.randrange(1, min(faces - start, max(faces // 10, 2)) + 1)]
        match kind:
            case "paint":
                return {"kind": kind, "part": pick.choice([*parts, -1]), "faces": runs}
            case "add":
                return {"kind": kind, "name": pick.choice(NAMES), "description": "", "faces": runs}
            case "accept":
                return {"kind": kind, "parts": pick.sample(parts, 1)}
            case "rename":
                name = pick.choice(NAMES)
                return {"kind": kind, "part": pick.choice(parts), "name": name, "description": ""}
            case "delete":
                return {"kind": kind, "part": pick.choice(parts)}
            case "merge":
                chosen = pick.sample(parts, 2)
                return {"kind": kind, "parts": chosen, "into": chosen[0]}
            case "restore":
                return {"kind": kind, "seq": pick.randint(0, state["seq"])}
            case _:
                return {"kind": kind}

    async def _ask(
        self, client: httpx.AsyncClient, kind: str, method: str, path: str, body: Any = None
    ) -> dict[str, Any] | None:
        """The answer to a request; sent again, as it is, until there is one. None: 204, or refused."""
        while True:
            start = time.perf_counter()
            try:
                answer = await client.request(method, path, json=body)
            except httpx.TransportError:
                self.log.retries += 1
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if answer.status_code == 503:
                self.log.retries += 1
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self.log.seconds.setdefault(kind, []).append(time.perf_counter() - start)
            if answer.status_code == 204:
                return None
            if answer.is_error:
                self.log.refused[f"{kind}: {answer.status_code} {answer.text[:200]}"] += 1
                return None
            return answer.json()

    @asynccontextmanager
    async def _following(self, client: httpx.AsyncClient, task: int) -> AsyncIterator[None]:
        """With the stream of changes open, as the page has it."""

        async def follow() -> None:
            while True:
                try:
                    async with client.stream("GET", f"/api/tasks/{task}/live", timeout=None) as stream:
                        async for _ in stream.aiter_lines():
                            pass
                except httpx.TransportError:
                    pass
                await asyncio.sleep(RETRY_SECONDS)

        following = asyncio.create_task(follow())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
