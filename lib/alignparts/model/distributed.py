"""One process or many: what data-parallel training adds, through accelerate."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from alignparts.core.errors import AlignPartsError


class Processes:
    """The processes that train one model, this one among them.

    Started alone it is the only one; started by ``accelerate launch`` or ``torchrun`` it is one of many, each
    of which takes its share of every batch. Gradients are those of one process with the whole batch.

    Args:
        device: "cpu" or "cuda"; the accelerator if there is one.

    Attributes:
        device: of this process.
        rank: 0 in the one that writes files.
        count: of processes.
    """

    def __init__(self, device: str | torch.device | None = None) -> None:
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs

        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        # The decoder's key bias takes no part (softmax does not see it), so it never has a gradient.
        options = DistributedDataParallelKwargs(find_unused_parameters=True)
        self._accelerator = Accelerator(cpu=torch.device(device).type == "cpu", kwargs_handlers=[options])
        self.device: torch.device = self._accelerator.device
        self.rank: int = self._accelerator.process_index
        self.count: int = self._accelerator.num_processes

    @property
    def first(self) -> bool:
        """Whether this process writes the files and draws the progress bar."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model to call in training: the gradients of all processes are averaged as they arise."""
        return self._accelerator.prepare_model(model) if self.count > 1 else model

    def shares(self, order: Sequence[Sequence[int]]) -> list[list[int]]:
        """This process's part of every batch: equal ones, so up to count - 1 shapes of the last batch wait.

        Raises:
            AlignPartsError: a batch has fewer shapes than there are processes.
        """
        if order and max(map(len, order)) < self.count:
            raise AlignPartsError(
                f"train.batch_size: {len(order[0])} shapes cannot be shared by {self.count} processes"
            )
        even = [batch[: len(batch) - len(batch) % self.count] for batch in order]
        return [list(batch[self.rank :: self.count]) for batch in even if batch]

    def gather(self, tensor: Tensor) -> Tensor:
        """The rows of all processes, with gradients to each; the tensor itself where there is one process."""
        if self.count == 1:
            return tensor
        from torch.distributed.nn.functional import all_gather

        return torch.cat(all_gather(tensor.contiguous()))

    def total(self, values: Mapping[str, float]) -> dict[str, float]:
        """Sums over all processes."""
        if self.count == 1:
            return dict(values)
        packed = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        return dict(zip(values, self._accelerator.reduce(packed, "sum").tolist(), strict=True))

    def wait(self) -> None:
        """Until every process is here."""
        self._accelerator.wait_for_everyone()
