"""What can be done about an object, each with the area that it puts right and the seconds that it takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from texparts.annotation.annotation import UNLABELED
from texparts.simulation.cost import Tally, Tool
from texparts.simulation.situation import Situation

MOST_FRAGMENTS = 64
"""Of a part that is worth cutting."""
TRIED = 32
"""More places for the brush on what is wrong, each time."""


@dataclass(frozen=True)
class Move:
    """Something to do.

    Attributes:
        gain: area put right, less what is spoilt, as a share of the whole.
        seconds: it takes, but for turning the view.
        do: does it.
        saved: seconds that it spares later: a part too many would have to be selected, to be deleted.
    """

    gain: float
    seconds: float
    do: Callable[[], None]
    saved: float = 0.0

    @property
    def rate(self) -> float:
        """Gain a second."""
        return self.gain / max(self.seconds - self.saved, 0.1 * self.seconds)


def renames(here: Situation) -> Iterator[Move]:
    """Give a true part's name to the part that fits it best."""
    for one in np.flatnonzero(here.failing).tolist():
        owner = here.owner.get(one)
        before = 0.0 if owner is None else here.lost(owner)
        gains = {part: here.held(part, one) - before - here.lost(part) for part in here.ids if part != owner}
        if gains:
            part = max(gains, key=lambda part: gains[part])
            tally = _selected(here, part).plus(_naming(here))
            do = partial(here.desk.rename, part, here.names[one])
            yield Move(gains[part], tally.seconds, do, _saved(here, [part]))


def merges(here: Situation) -> Iterator[Move]:
    """Put together what is of one true part; delete what is of none."""
    needed = here.table(here.row, len(here.ids) + 1, here.needed)
    belongs = here.share.argmax(axis=1)
    for one in range(here.rest + 1):
        group = [
            part
            for place, part in enumerate(here.ids)
            if part not in here.owned and belongs[place] == one and here.share[place, one] > 0
        ]
        group.sort(key=lambda part: (-here.held(part, one), part))
        owner = here.owner.get(one)
        rows = [here.ids.index(part) for part in group]
        # Some have a true part's name, but more of another one.
        strange = [
            part
            for place, part in enumerate(here.ids)
            if part in here.owned and belongs[place] == one and here.owned[part] != one
        ]
        if one == here.rest:
            if group:
                yield _deletion(here, group, float(here.share[rows, one].sum()))
            yield from (_deletion(here, [part], here.held(part, one) - here.lost(part)) for part in strange)
        elif owner is not None:
            if belongs[here.ids.index(owner)] != one and here.share[here.ids.index(owner)].any():
                continue  # it is mostly something else: to put it together with others would lose a border
            if group:
                yield _merge(here, [owner, *group], float(needed[rows, one].sum()))
            if here.failing[one]:
                for part in strange:
                    yield _merge(here, [owner, part], here.held(part, one) - here.lost(part))
        elif len(group) > 1:
            yield _merge(here, group, float(here.share[rows, one].sum()), here.names[one])


def clicks(here: Situation, tool: Tool, clusters: int) -> Iterator[Move]:
    """Paint whole pieces, or whole clusters: those of one true part together, as many as pay."""
    region = here.scene.regions(clusters)
    count = int(region.max()) + 1
    kept = here.table(region, count, here.kept)
    gains = here.table(region, count, here.needed) - (kept.sum(axis=1, keepdims=True) - kept)
    for one in range(here.rest + 1):
        order = np.argsort(-gains[:, one], kind="stable")
        order = order[gains[order, one] > 0]
        if not len(order):
            continue
        ready = _ready(here, one, tool, float(clusters))
        total = np.cumsum(gains[order, one])
        seconds = ready.seconds + here.cost.click().seconds * np.arange(1, len(order) + 1)
        best = int((total / seconds).argmax())
        chosen = order[: best + 1]

        def do(one: int = one, chosen: np.ndarray = chosen) -> None:
            part = _part(here, one)
            before = here.desk.take(part, tool, float(clusters))
            for kind in chosen.tolist():
                faces = np.flatnonzero(region == kind)
                here.desk.paint(part, faces, here.scene.brush.normals[faces], before)
                before = Tally()

        yield Move(float(total[best]), float(seconds[best]), do)


def splits(here: Situation, clusters: int, least: float) -> Iterator[Move]:
    """Cut a part along clusters, or (0) into its pieces, and put every fragment where it belongs.

    Args:
        here: the situation.
        clusters: how many.
        least: rate that a move must have to be of use.
    """
    least_seconds = here.cost.decide().plus(here.cost.press()).seconds
    for place, part in enumerate(here.ids):
        chosen = np.flatnonzero(here.row == place)
        if not len(chosen) or here.needed[chosen].sum() <= least * least_seconds:
            continue
        region = here.scene.regions_of(chosen, clusters)
        count = int(region.max()) + 1
        if not 2 <= count <= MOST_FRAGMENTS:
            continue
        worth = here.table(region, count, (here.needed + here.kept)[chosen], here.true[chosen])
        belongs = worth.argmax(axis=1)
        gain = float(worth.max(axis=1).sum() - here.kept[chosen].sum())
        hands = here.desk.hands
        ready = _selected(here, part).plus(here.cost.press())
        ready = ready.plus(hands.granularity(here.cost, clusters)[0] if clusters else Tally())
        after = [
            _sorting(here, part, one, int((belongs == one).sum())) for one in np.unique(belongs).tolist()
        ]
        first = {int(kind): int(face) for kind, face in zip(*_firsts(region), strict=True)}

        def do(part: int = part, chosen: np.ndarray = chosen, belongs: np.ndarray = belongs,
               first: dict[int, int] = first) -> None:  # fmt: skip
            here.desk.split(part, clusters)
            now = here.desk.annotation.face_part
            groups: dict[int, list[int]] = {}
            for kind, one in enumerate(belongs.tolist()):
                groups.setdefault(one, []).append(int(now[chosen[first[kind]]]))
            _sort_out(here, part, groups)

        yield Move(gain, ready.plus(*after).seconds, do)


def strokes(here: Situation, least: float) -> Iterator[Move]:
    """A stroke of the brush for the true parts that lack most.

    Args:
        here: the situation.
        least: rate that a move must have to be of use.
    """
    cost, brush = here.cost, here.scene.brush
    lacking = np.bincount(here.true, here.needed, here.rest + 1)
    for one in np.argsort(-lacking, kind="stable")[:2].tolist():
        if lacking[one] <= least * cost.stroke(0, 0.0).seconds:
            return
        if not len(brush.centers):
            brush.consider(np.arange(len(here.row)), cost.centers)
        brush.consider(np.flatnonzero((here.true == one) & (here.needed > 0)), TRIED)
        gain = np.where(here.true == one, here.needed, -here.kept)
        for radius in cost.radii:
            center, most = brush.best(gain, radius)
            ready = _ready(here, one, "brush", radius)
            dab = ready.plus(cost.stroke(0, 0.0))

            def do(
                one: int = one, radius: float = radius, center: int = center, gain: np.ndarray = gain
            ) -> None:
                faces, segments, length = brush.stroke(gain, radius, center)
                part = _part(here, one)
                before = here.desk.take(part, "brush", radius)
                where = brush.normals[brush.centers[[center]]]
                here.desk.paint(part, faces, where, before, cost.stroke(segments, length))

            yield Move(most, dab.seconds, do)


def _selected(here: Situation, *parts: int) -> Tally:
    return here.cost.decide().plus(here.desk.select(parts)[0])


def _naming(here: Situation) -> Tally:
    return here.cost.press().plus(here.cost.name())


def _ready(here: Situation, one: int, tool: Tool, setting: float) -> Tally:
    """Up to the first click or stroke for a true part, which may not be there yet."""
    hands, erase = here.desk.hands, one == here.rest
    begun = here.cost.decide()
    if erase or one in here.owner:
        chosen, hands = (Tally(), hands) if erase else here.desk.select([here.owner[one]])
        begun = begun.plus(chosen)
    else:
        begun = begun.plus(here.cost.decide(), _naming(here))
        hands = replace(hands, tool="brush", erase=False)
    return begun.plus(hands.take(here.cost, tool, setting, erase)[0])


def _part(here: Situation, one: int) -> int:
    """The part to paint for a true part, made if need be."""
    if one == here.rest:
        return UNLABELED
    return here.owner[one] if one in here.owner else here.desk.add(here.names[one])


def _merge(here: Situation, parts: list[int], gain: float, name: str = "") -> Move:
    def do() -> None:
        here.desk.merge(parts)
        if name:
            here.desk.rename(parts[0], name)

    tally = _selected(here, *parts).plus(here.cost.press())
    if name:
        tally = tally.plus(here.cost.decide(), _naming(here))
    return Move(gain, tally.seconds, do, _saved(here, parts))


def _deletion(here: Situation, parts: list[int], gain: float) -> Move:
    tally = _selected(here, *here.desk.together(parts)).plus(here.cost.press())
    return Move(gain, tally.seconds, partial(here.desk.delete, parts), _saved(here, parts))


def _saved(here: Situation, parts: list[int]) -> float:
    return here.cost.click().seconds * sum(part not in here.owned for part in parts)


def _sorting(here: Situation, part: int, one: int, fragments: int) -> Tally:
    """What it takes, at most, to put the fragments of one true part where they belong: :func:`_sort_out`."""
    cost, several = here.cost, fragments > 1
    if one == here.rest:
        return cost.decide().plus(cost.click(fragments), cost.press(1 + several))
    owner = here.owner.get(one)
    if owner is not None and owner != part:
        return cost.decide().plus(cost.click(fragments + 1), cost.press(2))
    merged = cost.decide().plus(cost.click(fragments), cost.press(2)) if several else Tally()
    return merged if owner == part else merged.plus(cost.decide(), cost.click(not several), _naming(here))


def _sort_out(here: Situation, part: int, groups: dict[int, list[int]]) -> None:
    """Fragments of ``part`` by the true part they are of; all of them have its name."""
    for one, fragments in sorted(groups.items()):
        owner = here.owner.get(one)
        if one == here.rest:
            here.desk.delete(fragments)
        elif owner is not None and owner != part:
            here.desk.merge([owner, *fragments])
        else:
            if len(fragments) > 1:
                here.desk.merge(fragments)
            if owner is None:
                here.desk.rename(fragments[0], here.names[one])


def _firsts(region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.unique(region, return_index=True)
