"""Checkpoints of a training run: safetensors and JSON, written so that a kill leaves the last one whole."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from alignparts.atomic import write_atomically

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def save_state(
    path: Path, identity: str, state: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """All that an interrupted run needs to go on as if it had not been: weights, moments, progress.

    Args:
        path: the safetensors file.
        identity: what the run is; another run does not read it.
        state: anything JSON can write.
        model: its weights and buffers.
        optimizer: AdamW over the model's parameters.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for moment, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{moment}.{name}"] = value
    # One entry: safetensors writes several in an order that changes from run to run.
    metadata = {"run": json.dumps({"identity": identity, "state": state})}
    write_bytes(
        path, to_bytes({name: value.detach().cpu().clone() for name, value in tensors.items()}, metadata)
    )


def load_state(
    path: Path, identity: str, model: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Restore what :func:`save_state` wrote; None where there is nothing of this very run."""
    try:
        with safe_open(path, framework="pt") as file:
            run: dict[str, Any] = json.loads((file.metadata() or {}).get("run", "{}"))
            if run.get("identity") != identity:
                return None
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (FileNotFoundError, SafetensorError):
        return None
    model.load_state_dict({name: tensors[f"model.{name}"] for name in model.state_dict()})
    for name, parameter in model.named_parameters():
        found = {m: tensors[key] for m in MOMENTS if (key := f"optimizer.{m}.{name}") in tensors}
        if found:
            optimizer.state[parameter] = {m: value.to(parameter.device) for m, value in found.items()}
    return run["state"]


def weights_digest(*modules: nn.Module) -> str:
    """A hash of all weights and their names."""
    total = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            total.update(name.encode())
            total.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def clear(folder: Path) -> None:
    """Remove a folder if it is there."""
    shutil.rmtree(folder, ignore_errors=True)
