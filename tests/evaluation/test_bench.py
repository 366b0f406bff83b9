"""The benchmark's own arithmetic: what it counts, fits and picks."""

import numpy as np
import pandas as pd
import pytest
import torch

from alignparts.evaluation.speed import bench
from alignparts.features.partfield import PartFieldConfig
from alignparts.model.alignparts import AlignParts, AlignPartsConfig

SIZES = AlignPartsConfig(d_g=6, d_a=8, d_m=8, d_f=4, d_t=12, K=3, k=4, heads=2, decoder_heads=3, layers=1)
CPU = torch.device("cpu")


def test_products_are_counted() -> None:
    model = AlignParts(SIZES).eval()
    counts = [bench.product_flops(model, bench.inputs(SIZES, n, 1, CPU)) for n in (40, 80, 160)]
    # Linear in the points, but for what the partlets do among themselves.
    assert counts[2] - counts[1] == 2 * (counts[1] - counts[0])
    a_point = (counts[1] - counts[0]) / 40
    c = SIZES
    edges = c.k * (39 * 64 + 64 * c.heads + 4 * c.d_m)  # bias, then scores and sums of both directions
    maps = 4 * c.d_m * (c.d_g + c.d_a) + 2 * (c.d_g**2 + c.d_a**2)  # query, key, value, out; gates
    project = (c.d_g + c.d_a) * c.d_f + c.d_f**2
    decoder = c.layers * 2 * c.K * c.decoder_heads * c.d_f + c.K * c.d_f
    assert a_point == 2 * (edges + maps + project + decoder)


def test_growth_is_the_exponent() -> None:
    points = np.array([1000, 4000, 16000, 64000])
    rows = [[bench.OURS, "forward", n, 0, 1, 1e-6 * n**1.3, 0.0, "cpu"] for n in points]
    table = pd.DataFrame(rows, columns=bench.COLUMNS)
    assert bench.growth(table, bench.OURS, "forward") == pytest.approx(1.3)
    assert bench.growth(table, bench.OURS, "forward", 4000, 65000) == pytest.approx(1.3)
    assert np.isnan(bench.growth(table, bench.OURS, "forward", 5, 10))
    assert bench.value(table, bench.OURS, "forward", 4000) == pytest.approx(1e-6 * 4000**1.3)
    assert np.isnan(bench.value(table, bench.OURS, "decoder", 4000))


def test_memory_sees_a_large_tensor() -> None:
    found = bench.peak_memory(lambda: torch.zeros(50, 2**20 // 4).add_(1).sum(), CPU)
    assert np.isnan(found) or 45 < found < 120


def test_a_run_has_every_row() -> None:
    model = AlignParts(SIZES).eval()
    ours = bench.forward_rows(model, [16, 32], [1, 2], 16, repetitions=1)
    assert set(ours.stage) == {"forward", "fusion", "decoder", "neighbors"}
    assert ours[(ours.method == bench.STRAIGHT)].batch.tolist() == [1, 1, 2]
    without = bench.forward_rows(model, [32], [1], 32, repetitions=1, memory_mb=0.0)
    assert set(without.method) == {bench.OURS}
    peer = bench.peer_rows([16, 32], [2, 3], config=PartFieldConfig.small())
    assert len(peer) == 1 + 2 * 3 and (peer.seconds > 0).all()
    stages = pd.DataFrame({"method": ["a"], "stage": ["b"], "seconds": [1.0], "points": [16]})
    table = pd.concat([ours, peer], ignore_index=True)
    long = bench.summary(table, stages, pd.Series({"exponent": 1.0}), 16)
    assert list(long.columns) == ["method", "stage", "seconds", "ratio", "points", "memory_mb", "device"]
    forward = long[(long.method == bench.OURS) & (long.stage == "forward") & (long.points == 16)]
    assert forward.ratio.iloc[0] == pytest.approx(1)
    assert len(long) == len(table) + 2
