"""Tokens open the door to those who have one, and nothing in the database gives one away."""

from pathlib import Path

import pytest
from review_store import Review, on_sqlite, postgres_folder, review

from alignparts.core.errors import AlignPartsError
from texparts.app.security import Attempts

__all__ = ["on_sqlite", "postgres_folder", "review"]


def test_a_token_and_its_end(review: Review) -> None:
    store = review.store
    token = store.tokens.add(" Ann\u200b  Other ", admin=True)
    ann = store.tokens.annotator_of(token)
    assert ann is not None and (ann.name, ann.admin) == ("Ann Other", True)
    for wrong in ("", token[:-1], token + "x", token.upper(), "x" * 10_000, "\x00", "\ud800"):
        assert store.tokens.annotator_of(wrong) is None
    with pytest.raises(AlignPartsError, match="renew"):
        store.tokens.add("Ann Other")
    with pytest.raises(AlignPartsError, match="expected 1 to 120"):
        store.tokens.add("x" * 10_000)
    with pytest.raises(AlignPartsError, match="expected one of Ann Other"):
        store.tokens.revoke("Bo")
    key = store.tokens.open_session(ann)
    assert store.tokens.session(key) == ann and store.tokens.session(token) is None
    store.tokens.revoke("Ann Other")
    assert store.tokens.annotator_of(token) is None and store.tokens.session(key) is None
    assert store.tokens.list()[0].revoked_at == review.clock.now
    new = store.tokens.renew("Ann Other")
    assert store.tokens.annotator_of(new) == ann and store.tokens.annotator_of(token) is None


def test_sessions_end(review: Review) -> None:
    ann = review.annotator("Ann")
    first, second = review.store.tokens.open_session(ann), review.store.tokens.open_session(ann)
    review.store.tokens.close_session(first)
    assert review.store.tokens.session(first) is None and review.store.tokens.session(second) == ann
    review.clock.forward(14 * 86400 + 1)
    assert review.store.tokens.session(second) is None


def test_no_secret_is_on_the_disk(on_sqlite: Review) -> None:
    token = on_sqlite.store.tokens.add("Ann")
    ann = on_sqlite.store.tokens.annotator_of(token)
    assert ann is not None
    key = on_sqlite.store.tokens.open_session(ann)
    on_sqlite.store.close()
    stored = b"".join(path.read_bytes() for path in Path(on_sqlite.root).glob("review.db*"))
    assert b"Ann" in stored and token.encode() not in stored and key.encode() not in stored


def test_failed_attempts_are_forgotten_in_time() -> None:
    now = [0.0]
    attempts = Attempts(2, 60.0, lambda: now[0])
    for at in (0.0, 30.0):
        now[0] = at
        assert attempts.wait("a", "wrong") == 0
        attempts.failed("a", "wrong")
    assert attempts.wait("a", "wrong") == 30
    assert attempts.wait("b", "wrong") == attempts.wait("a", "another") == 0
    now[0] = 61.0
    assert attempts.wait("a", "wrong") == 0
    attempts.failed("a", "wrong")
    assert attempts.wait("a", "wrong") == 29
    now[0] = 200.0
    assert attempts.wait("a", "wrong") == 0


def test_counting_attempts_takes_bounded_memory_and_time() -> None:
    now = [0.0]
    attempts = Attempts(2, 60.0, lambda: now[0])
    for number in range(20_000):
        attempts.failed("a", f"guess {number}")
    assert len(attempts._failed) <= 4096
    now[0] = 61.0
    assert attempts.wait("a", "guess 0") == 0 and not attempts._failed
