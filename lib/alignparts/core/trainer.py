"""Train any module: resumed to the byte after a kill, data-parallel, the best epoch saved."""

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from alignparts.core.checkpoint import load_state, save_state
from alignparts.core.errors import AlignPartsError

if TYPE_CHECKING:
    from accelerate import Accelerator

B = TypeVar("B")
M = TypeVar("M", bound=nn.Module)
Row = dict[str, float | int]
STATE = "resume.safetensors"
"""Name of the checkpoint of a training, in the folder of its model."""


@dataclass(frozen=True)
class Trained(Generic[M]):
    """Result of a training: the model of the best epoch (counted from 0), in evaluation mode.

    A row of the history has ``epoch``, ``lr``, ``train/…`` and ``validation/…``; `shapes` counts by split.
    """

    model: M
    history: list[Row]
    best_epoch: int
    shapes: dict[str, int]


def seeded(seed: int, make: Callable[[], M]) -> M:
    """Return a new module whose random weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def learning_rate(step: int, total: int, peak: float, floor: float, warmup: float = 0.03) -> float:
    """Return the rate of a step: a rise over a share `warmup` of the steps, then a cosine to `floor`."""
    rising = max(1, round(warmup * total))
    if step < rising:
        return peak * (step + 1) / rising
    progress = (step - rising) / max(total - 1 - rising, 1)
    return floor + (peak - floor) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def adamw(
    model: nn.Module, lr: float, weight_decay: float, spared: Collection[str] = (), fused: bool = False
) -> torch.optim.AdamW:
    """Return AdamW over a model; vectors (biases, norms) and the parameters in `spared` are not decayed.

    The fused variant clips gradients in the kernel of its step, which saves a pass over them.
    """
    groups: list[dict[str, Any]] = [{"params": [], "weight_decay": decay} for decay in (weight_decay, 0.0)]
    for name, parameter in model.named_parameters():
        groups[parameter.ndim < 2 or name in spared]["params"].append(parameter)
    optimizer = torch.optim.AdamW(groups, lr=lr, fused=fused or None)
    if fused:
        optimizer.found_inf = torch.zeros(())  # type: ignore[attr-defined]  # the kernel wants it beside a scale
    return optimizer


def forget_progress(*folders: Path) -> None:
    """Remove the checkpoints of finished trainings; call it after the last output of the stage is written."""
    for folder in folders:
        (folder / STATE).unlink(missing_ok=True)


class Trainer:
    """Training of a module, epoch by epoch, with a checkpoint after each.

    Every random choice of a batch has to depend on the seed and the numbers of epoch and step alone. A killed
    run then continues after its last finished epoch to the weights of one that never stopped, and a finished
    run is not repeated until its checkpoint is removed (:func:`forget_progress`).

    Args:
        name: title of the progress bar and of errors.
        model: module to train; checkpoints hold its parameters and buffers.
        optimizer: AdamW over its parameters.
        checkpoint: file of the progress; None writes none.
        epochs: number of epochs.
        identity: all that the result depends on, for JSON; a checkpoint of another run is not read.
        score: value of an epoch's row, the larger the better; of equal ones the last epoch is the best.
        per_step: write a row of history per step, with the terms of its loss, instead of one per epoch.
        processes: accelerate's handle, if several processes may train the model together.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        checkpoint: Path | None,
        *,
        epochs: int,
        identity: Any,
        score: Callable[[Row], float] = lambda _: 0.0,
        per_step: bool = False,
        processes: "Accelerator | None" = None,
    ) -> None:
        self.name, self.model, self.optimizer, self.checkpoint = name, model, optimizer, checkpoint
        self.epochs, self.score, self.per_step, self.processes = epochs, score, per_step, processes
        self.history: list[Row] = []
        self.epoch = self.step = 0  # number of finished epochs and steps
        described = json.dumps([identity, torch.get_num_threads()])
        self.identity = hashlib.sha256(described.encode()).hexdigest()
        if checkpoint is not None and (state := load_state(checkpoint, self.identity, model, optimizer)):
            self.history, self.epoch, self.step = state["history"], state["epoch"], state["step"]

    @property
    def first(self) -> bool:
        """Return whether this process writes the files and draws the progress bar."""
        return self.processes is None or self.processes.is_main_process

    @property
    def finished(self) -> bool:
        """Return whether all epochs are done."""
        return self.epoch >= self.epochs

    @property
    def best_epoch(self) -> int:
        """Return the number of the epoch with the highest score, from 0."""
        return int(max(self.history, key=lambda row: (self.score(row), row["epoch"]))["epoch"])

    def wait(self) -> None:
        """Wait until every process gets to this call."""
        if self.processes is not None:
            self.processes.wait_for_everyone()

    def fit(
        self,
        batches: Callable[[int], Iterable[B]],
        loss: Callable[[nn.Module, B], Mapping[str, Tensor]],
        rate: Callable[[int], float],
        *,
        steps: int,
        size: Callable[[B], int] = lambda _: 1,
        clip: float | None = None,
        after_step: Callable[[int], object] = lambda _: None,
        validate: Callable[[], Mapping[str, float]] = lambda: {},
        keep: Callable[[], object] = lambda: None,
        on_epoch: Callable[[int, Row], None] | None = None,
    ) -> None:
        """Train the epochs that are missing.

        Args:
            batches: function from the number of an epoch to its batches.
            loss: function from the model to call and a batch to the terms of the loss, "total" among them.
            rate: function from the number of a step to its learning rate.
            steps: number of steps of all epochs.
            size: weight of a batch in the means of an epoch, the number of its shapes.
            clip: largest norm of the gradient.
            after_step: called with the number of every finished step, before the next.
            validate: returns metrics after an epoch, by name.
            keep: saves the model; called after every epoch that is the best so far.
            on_epoch: called with the number and the row of an epoch, after its checkpoint.

        Raises:
            AlignPartsError: a loss that is not finite.
        """
        self.wait()
        wrapped = self.model
        if self.processes is not None and self.processes.num_processes > 1:
            wrapped = self.processes.prepare_model(self.model)
        bar = tqdm(
            total=steps, initial=self.step, desc=self.name, unit="step", mininterval=1, disable=not self.first
        )
        with bar, torch.random.fork_rng(devices=[]):
            while not self.finished:
                self.model.train()
                sums, lr = {"": 0.0}, 0.0  # "": weight
                for batch in batches(self.epoch):
                    lr = rate(self.step)
                    values = self._step(loss(wrapped, batch), lr, clip)
                    after_step(self.step)
                    self.step += 1
                    sums[""] += (weight := size(batch))
                    for name, value in values.items():
                        sums[name] = sums.get(name, 0.0) + value * weight
                    if self.per_step:
                        self.history.append(values)
                    bar.set_postfix(loss=f"{values['total']:.3f}", refresh=False)
                    bar.update()
                row = self._row(lr, sums)
                if self.first:
                    row |= {f"validation/{name}": value for name, value in validate().items()}
                if not self.per_step:
                    self.history.append(row)
                if self.first:
                    self._save(keep)
                self.epoch += 1
                self.wait()
                if on_epoch is not None:
                    on_epoch(self.epoch - 1, row)

    def _step(self, terms: Mapping[str, Tensor], lr: float, clip: float | None) -> Row:
        """Take one step along the gradient of the total and return the values of all terms."""
        if not bool(torch.isfinite(terms["total"])):
            raise AlignPartsError(
                f"{self.name}: the loss of epoch {self.epoch} is not finite; "
                f"try a lower lr than {self.optimizer.defaults['lr']:g}"
            )
        self.optimizer.zero_grad(set_to_none=True)
        terms["total"].backward()
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        if clip is not None:
            parameters = [parameter for parameter in self.model.parameters() if parameter.grad is not None]
            norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
            if hasattr(self.optimizer, "found_inf"):  # see adamw
                self.optimizer.grad_scale = (norm / clip).clamp(min=1)  # type: ignore[attr-defined]
            else:
                nn.utils.clip_grads_with_norm_(parameters, clip, norm)
        self.optimizer.step()
        return {name: value.item() for name, value in terms.items()}

    def _row(self, lr: float, sums: dict[str, float]) -> Row:
        """Return the means of an epoch over all processes."""
        if self.processes is not None and self.processes.num_processes > 1:
            packed = torch.tensor(list(sums.values()), dtype=torch.float64, device=self.processes.device)
            sums = dict(zip(sums, self.processes.reduce(packed, "sum").tolist(), strict=True))
        weight = sums.pop("")
        means = {f"train/{name}": value / weight for name, value in sums.items()}
        return {"epoch": self.epoch, "lr": lr, **means}

    def _save(self, keep: Callable[[], object]) -> None:
        """Save the model if the epoch is the best so far, then write the checkpoint."""
        if not self.per_step and self.best_epoch == self.epoch:
            keep()
        if self.checkpoint is not None:
            state = {"history": self.history, "epoch": self.epoch + 1, "step": self.step}
            save_state(self.checkpoint, self.identity, state, self.model, self.optimizer)
