"""What the tests of the command line share."""

import sys

import pytest
import trimesh
from named_parts import pipeline

from alignparts.cli import app
from alignparts.naming.pipeline import NamedPartsPipeline


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a command; returns exit code, stdout, stderr."""
    monkeypatch.setattr(NamedPartsPipeline, "from_pretrained", classmethod(lambda *_, **__: pipeline()))

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["alignparts", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            app.main()
        out = capsys.readouterr()
        return stopped.value.code or 0, out.out, out.err

    return command


@pytest.fixture
def ball(tmp_path):
    path = tmp_path / "ball.glb"
    trimesh.creation.icosphere(2).export(path)
    return path
