"""A file is whole or not there."""

import pytest

from alignparts.core.atomic import write_atomically


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    write_atomically(target, lambda path: path.write_text("old"))

    def fails(path):
        path.write_text("half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_atomically(target, fails)
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_others_may_read_it(tmp_path):
    target = tmp_path / "a.txt"
    write_atomically(target, lambda path: path.write_text("text"))
    assert target.stat().st_mode & 0o044 == 0o044
