"""Two processes are one with the whole batch."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import toy
from safetensors.torch import load_file

from alignparts.core.errors import AlignPartsError
from alignparts.model.alignparts import AlignParts
from alignparts.model.train import gather, shares

HERE = Path(__file__).parents[1]


def start(processes: int, store: Path, out: Path) -> None:
    out.mkdir()
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    run = subprocess.run(
        [sys.executable, *launcher, str(HERE / "two_processes.py"), str(store), str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]


def test_two_processes_give_the_gradients_and_the_curve_of_one(tmp_path: Path) -> None:
    toy.store(tmp_path / "store", train=8, validation=2)
    start(1, tmp_path / "store", tmp_path / "one")
    start(2, tmp_path / "store", tmp_path / "two")
    one, two = (load_file(tmp_path / name / "gradients.safetensors") for name in ("one", "two"))
    assert set(one) == set(two) and len(one) > 40
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, atol=1e-6, rtol=1e-4)
    curves = []
    for name in ("one", "two"):
        with (tmp_path / name / "model/curves/plots/metrics/train/total.tsv").open() as file:
            curves.append([float(row["total"]) for row in csv.DictReader(file, delimiter="\t")])
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)
    models = [AlignParts.from_pretrained(tmp_path / name / "model/last") for name in ("one", "two")]
    for a, b in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=1e-2)


def test_shares_are_equal_and_disjoint() -> None:
    order = [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9]]
    assert [shares(order, rank, 3) for rank in range(3)] == [[[0, 3], [6]], [[1, 4], [7]], [[2, 5], [8]]]
    with pytest.raises(AlignPartsError, match="batch_size: 6 shapes are too few for 7 processes"):
        shares(order[:1], 0, 7)
    alone = torch.rand(3)
    assert shares(order, 0, 1) == order and gather(alone) is alone
