"""Stages: executed notebooks without what differs between runs; ordered parallel maps; twins."""

import copy
import os
import sys

import nbformat
import pytest
import smoke
import yaml
from doors import listening

from alignparts.core import notebooks, paths
from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.core.notebooks import names, normalized, read_twin
from alignparts.core.parallel import map_shapes
from alignparts.core.run import start


def executed(identity: str, time: str) -> dict:
    return {
        "cells": [
            {
                "cell_type": "code",
                "id": identity,
                "execution_count": 1,
                "source": "print(1)",
                "metadata": {"tags": ["parameters"], "papermill": {"start_time": time}},
                "outputs": [
                    {"output_type": "stream", "name": "stdout", "text": "1\n"},
                    {"output_type": "stream", "name": "stderr", "text": f"{time} it/s\n"},
                ],
            }
        ],
        "metadata": {"papermill": {"duration": time}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def test_normalized_drops_all_that_differs_and_keeps_what_was_printed():
    one, two = normalized(executed("a", "1.0")), normalized(executed("b", "2.0"))
    assert one == two
    assert one["cells"][0]["outputs"] == [{"output_type": "stream", "name": "stdout", "text": "1\n"}]
    assert one["cells"][0]["metadata"] == {"tags": ["parameters"]}


def test_normalized_leaves_its_input_alone():
    notebook = executed("a", "1.0")
    before = copy.deepcopy(notebook)
    normalized(notebook)
    assert notebook == before


def test_smoke_runs_write_apart_from_the_pipeline():
    smoke, full = start("corpus", "smoke"), start("corpus")
    assert smoke.data.parts[-3:] == ("build", "smoke", "data") and full.data == paths.DATA
    with pytest.raises(AlignPartsError, match="no such file"):
        start("corpus", "nowhere")


def test_write_text_replaces_whole_files_and_leaves_no_other(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    write_text(target, "one")
    write_text(target, "two")
    assert target.read_text() == "two"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


def square(value: int) -> int:
    return value * value


def test_map_shapes_keeps_order_in_and_out_of_process():
    items = list(range(23))
    expected = [square(item) for item in items]
    assert list(map_shapes(square, items, workers=1)) == expected
    assert list(map_shapes(square, items, workers=2)) == expected


def doors_of_parent(_: int) -> list[tuple[str, int]]:
    return sorted(listening(os.getppid()))


def test_work_in_other_processes_opens_no_port():
    before = sorted(listening(os.getpid()))
    assert list(map_shapes(doors_of_parent, range(4), workers=2)) == [before] * 4


@pytest.mark.parametrize(
    "address", ["10.0.0.7:8786", "tcp://host:8786", "ucx://host:1", "tcp://127.0.0.1@host:1"]
)
def test_a_scheduler_of_another_host_is_asked_by_tls_alone(address):
    with pytest.raises(AlignPartsError, match="neither encrypted nor on this machine; .*tls://"):
        list(map_shapes(square, [1], scheduler=address))


def test_a_notebook_is_run_over_sockets_of_its_own(monkeypatch, tmp_path):
    # The one left takes what forked processes print, with a random key that they have inherited.
    code = "import os, doors\nprint(len(doors.listening(os.getpid())))"
    cell = nbformat.v4.new_code_cell(code, metadata={"tags": ["parameters"]})
    twin = nbformat.v4.new_notebook(cells=[cell], metadata=notebooks.METADATA)
    monkeypatch.setattr(notebooks, "read_twin", lambda name: twin)
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    done = nbformat.read(notebooks.execute("one", full=False), as_version=4)
    assert done.cells[0].outputs[0].text in ("0\n", "1\n")


def test_every_notebook_agrees_with_its_twin():
    assert [name[:2] for name in names()] == [f"{number:02}" for number in range(1, len(names()) + 1)]
    for name in names():
        notebook = nbformat.read(paths.NOTEBOOKS / f"{name}.ipynb", as_version=4)
        run, twin = ([(c.cell_type, c.source.strip()) for c in n.cells] for n in (notebook, read_twin(name)))
        assert run == twin, f"{name}: run `make notebooks`"


def test_a_finding_that_fails_is_an_error_of_the_embedded_corpus_alone(monkeypatch, tmp_path, capsys):
    for name, kind in (("embedded", [{"kind": "embedded"}]), ("real", [{"kind": "partnet", "folder": "x"}])):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(smoke.blocks(corpus={"sources": kind})))
        monkeypatch.setattr(paths, "PARAMS", path)
        run = start("report")
        run.check(True, "the loss falls")
        if name == "embedded":
            with pytest.raises(AssertionError, match="the loss falls"):
                run.check(False, "the loss falls")
        else:
            run.check(False, "the loss falls")
    assert capsys.readouterr().out == "does not hold: the loss falls\n"
