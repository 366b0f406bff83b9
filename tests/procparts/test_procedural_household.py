"""Facts about the generated household things that hold for every random shape of a category."""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from alignparts.corpus.dialects import load_dialects
from procparts import CATEGORIES, Piece

HOUSEHOLD = [
    "lamp",
    "faucet",
    "mug",
    "bottle",
    "vase",
    "jug",
    "kitchen_pot",
    "trash_can",
    "bucket",
    "scissors",
    "knife",
    "clock",
    "bag",
    "suitcase",
    "eyeglasses",
    "laptop",
    "display",
    "microwave",
    "oven",
    "dishwasher",
    "refrigerator",
    "fan",
    "camera",
    "toaster",
    "stapler",
]
SEEDS = range(30)


@cache
def build(category: str, seed: int) -> list[Piece]:
    return CATEGORIES[category](np.random.default_rng([7, seed]))


def counts(category: str, seed: int) -> Counter[str]:
    return Counter(piece.part for piece in build(category, seed))


def islands(pieces: list[Piece], slack: float) -> int:
    """Groups of pieces whose bounding boxes touch, give or take a share `slack` of the shape's size."""
    boxes = np.array([piece.mesh.bounds() for piece in pieces])
    gap = slack * np.ptp(boxes.reshape(-1, 3), axis=0).max()
    near = (
        (boxes[:, None, 0] <= boxes[None, :, 1] + gap) & (boxes[None, :, 0] <= boxes[:, None, 1] + gap)
    ).all(-1)
    left, groups = set(range(len(pieces))), 0
    while left:
        groups += 1
        todo = [left.pop()]
        while todo:
            new = [k for k in left if near[todo[-1], k]]
            todo.pop()
            left -= set(new)
            todo += new
    return groups


@pytest.mark.parametrize("category", HOUSEHOLD)
def test_parts_touch(category: str) -> None:
    alone = [seed for seed in SEEDS if islands(build(category, seed), 0.01) > 1]
    assert len(alone) <= 1, f"{category}: pieces apart for seeds {alone}"


@pytest.mark.parametrize("category", HOUSEHOLD)
def test_dialects_list_what_is_made(category: str) -> None:
    listed = set(load_dialects().categories[category].parts)
    made = {part for seed in range(60) for part in counts(category, seed)}
    assert made <= listed
    assert len(listed - made) <= 0.2 * len(listed), f"never made: {sorted(listed - made)}"


@pytest.mark.parametrize("category", HOUSEHOLD)
def test_shapes_of_a_category_differ(category: str) -> None:
    proportions = []
    for seed in SEEDS:
        low, high = np.array([p.mesh.bounds() for p in build(category, seed)]).transpose(1, 0, 2)
        size = high.max(axis=0) - low.min(axis=0)
        proportions.append(tuple(np.round(size / size.max(), 2)))
    assert len(set(proportions)) >= 25


def test_scissors_have_two_blades_two_handles_and_one_screw() -> None:
    for seed in SEEDS:
        made = counts("scissors", seed)
        assert (made["blade"], made["handle"], made["screw"]) == (2, 2, 1)
        assert made["shank"] in (0, 2)


def test_eyeglasses_are_symmetric_in_parts() -> None:
    for seed in SEEDS:
        made = counts("eyeglasses", seed)
        assert made["lens"] == made["temple"] == made["hinge"] == 2
        assert made["nose_pad"] == made["pad_arm"]


def test_a_knife_has_one_blade_and_one_handle() -> None:
    for seed in SEEDS:
        made = counts("knife", seed)
        assert made["blade"] == made["handle"] == 1


def test_a_laptop_has_one_screen_keyboard_and_base() -> None:
    for seed in SEEDS:
        made = counts("laptop", seed)
        assert made["screen"] == made["screen_frame"] == made["keyboard"] == made["base_frame"] == 1
        assert made["shaft"] in (1, 2)


def test_hands_of_a_clock_come_in_pairs() -> None:
    for seed in SEEDS:
        made = counts("clock", seed)
        assert made["hour_hand"] == made["minute_hand"] == made["axis"] == 1 - min(made["screen"], 1)
        assert made["second_hand"] <= made["hour_hand"]


@pytest.mark.parametrize(
    ("category", "part"),
    [
        ("lamp", "shade"),
        ("mug", "handle"),
        ("trash_can", "lid"),
        ("suitcase", "trolley"),
        ("fan", "cage"),
        ("oven", "burner"),
        ("bag", "strap"),
    ],
)
def test_structural_styles_vary(category: str, part: str) -> None:
    present = sum(part in counts(category, seed) for seed in range(60))
    assert 0 < present < 60


def test_hollow_vessels_are_open_above() -> None:
    for seed in range(10):
        body = next(p.mesh for p in build("mug", seed) if p.part == "body")
        low, high = body.bounds()
        rim = body.vertices[body.vertices[:, 1] > high[1] - 1e-6]
        radius = np.hypot(rim[:, 0], rim[:, 2])
        assert radius.min() > 0.3 * radius.max()
        assert body.vertices[:, 1].min() == pytest.approx(low[1])
