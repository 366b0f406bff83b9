"""The training loop: resumed to the byte, its best epoch kept, not repeated, and its errors."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import STATE, Row, Trainer, adamw, forget_progress, learning_rate, seeded


class Toy:
    """A line through noisy points, with dropout; the numbers of the validation are given."""

    def __init__(self, folder: Path | None, validation: tuple[float, ...] = (0.1, 0.3, 0.3, 0.2), **options):
        self.model = seeded(0, lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1)))
        self.optimizer = adamw(self.model, 1e-2, 1e-2, fused=options.pop("fused", True))
        self.validation, self.kept, self.epochs = validation, dict[int, bytes](), list[int]()
        self.trainer = Trainer(
            "toy", self.model, self.optimizer, folder and folder / STATE, epochs=len(validation),
            identity=options.pop("identity", "toy"), score=lambda row: row["validation/right"], **options,
        )  # fmt: skip

    def batches(self, epoch: int) -> Iterator[Tensor]:
        torch.manual_seed(epoch)
        for size in (4, 4, 2):
            yield torch.randn(size, 3)

    def loss(self, model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        terms = {
            "fit": (model(batch)[:, 0] - batch.sum(1)).square().mean(),
            "size": model(batch).abs().mean(),
        }
        return {**terms, "total": terms["fit"] + 0.1 * terms["size"]}

    def fit(self, on_epoch: Callable[[int, Row], None] | None = None) -> bytes:
        def finished(epoch: int, row: Row) -> None:
            self.epochs.append(epoch)
            if on_epoch is not None:
                on_epoch(epoch, row)

        self.trainer.fit(
            self.batches,
            self.loss,
            lambda step: learning_rate(step, 12, 1e-2, 1e-4),
            steps=12,
            size=len,
            clip=0.5,
            validate=lambda: {"right": self.validation[self.trainer.epoch]},
            keep=lambda: self.kept.update({self.trainer.epoch: weights(self.model)}),
            on_epoch=finished,
        )
        return weights(self.model)


def weights(model: nn.Module) -> bytes:
    return b"".join(value.detach().numpy().tobytes() for value in model.parameters())


def kill(epoch: int) -> Callable[[int, Row], None]:
    def killed(finished: int, row: Row) -> None:
        if finished == epoch:
            raise KeyboardInterrupt

    return killed


@pytest.mark.parametrize("options", [{}, {"fused": False}, {"per_step": True}])
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_killed_run_ends_like_one_that_never_stopped(tmp_path: Path, epoch: int, options: dict) -> None:
    whole = Toy(None, **options)
    torch.manual_seed(5)
    expected, drawn = whole.fit(), torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn)  # the global generator is left alone
    killed = Toy(tmp_path, **options)
    with pytest.raises(KeyboardInterrupt):
        killed.fit(kill(epoch))
    resumed = Toy(tmp_path, **options)
    assert resumed.fit() == expected and resumed.epochs == list(range(epoch + 1, 4))
    assert resumed.trainer.history == whole.trainer.history
    assert len(whole.trainer.history) == (12 if "per_step" in options else 4)


def test_the_row_of_an_epoch_is_the_mean_over_its_shapes() -> None:
    toy = Toy(None, (0.0,), per_step=True)
    toy.fit()
    steps = toy.trainer.history
    toy = Toy(None, (0.0,))
    toy.fit()
    (row,) = toy.trainer.history
    for name in ("fit", "size", "total"):
        mean = sum(size * step[name] for size, step in zip((4, 4, 2), steps, strict=True)) / 10
        assert row[f"train/{name}"] == pytest.approx(mean, rel=1e-12)
    assert row["lr"] == learning_rate(2, 12, 1e-2, 1e-4)


def test_the_last_of_the_best_epochs_is_kept(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.fit()
    assert list(toy.kept) == [0, 1, 2] and toy.trainer.best_epoch == 2


def test_a_finished_run_is_not_repeated_until_its_progress_is_forgotten(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    expected = toy.fit()
    again = Toy(tmp_path)
    assert again.trainer.finished and again.fit() == expected and not again.epochs
    assert again.trainer.history == toy.trainer.history and again.trainer.best_epoch == 2
    forget_progress(tmp_path)
    afresh = Toy(tmp_path)
    assert afresh.fit() == expected and afresh.epochs == [0, 1, 2, 3]


@pytest.mark.parametrize("damage", ["identity", "bytes"])
def test_progress_of_another_run_is_not_taken_up(tmp_path: Path, damage: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        Toy(tmp_path).fit(kill(1))
    if damage == "bytes":
        (tmp_path / STATE).write_bytes(b"broken")
    other = Toy(tmp_path, identity="toy" if damage == "bytes" else "another")
    assert not other.trainer.history and other.fit() == Toy(None).fit()


def test_the_gradient_is_clipped_alike_by_both_kinds_of_optimizers() -> None:
    torch.testing.assert_close(*(
        torch.cat([p.flatten() for p in toy.model.parameters()])
        for toy in (Toy(None, fused=True), Toy(None, fused=False))
        if toy.fit()
    ))  # fmt: skip


def test_a_loss_that_is_not_finite_is_one_clear_error() -> None:
    toy = Toy(None)
    toy.loss = lambda model, batch: {"total": model(batch).mean() * float("nan")}  # type: ignore[method-assign]
    with pytest.raises(
        AlignPartsError, match=r"toy: the loss of epoch 0 is not finite; try a lower lr than 0\.01"
    ):
        toy.fit()


def test_learning_rate_rises_and_falls() -> None:
    rates = [learning_rate(step, 100, 3e-4, 5e-6) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4) and max(rates) == 3e-4 and rates[-1] == pytest.approx(5e-6)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert learning_rate(0, 1, 1.0, 0.1) > 0


def test_vectors_and_spared_parameters_are_not_decayed() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    decayed, spared = adamw(model, 1.0, 0.5, ["1.weight"]).param_groups
    assert [p is model[0].weight for p in decayed["params"]] == [True]
    assert decayed["weight_decay"] == 0.5 and spared["weight_decay"] == 0 and len(spared["params"]) == 3
