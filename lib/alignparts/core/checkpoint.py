"""Checkpoints of a training run: safetensors and JSON, written so that a kill leaves the last one whole."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from huggingface_hub import PyTorchModelHubMixin
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError

M = TypeVar("M", bound="PretrainedModel")
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


def save_model(model: Any, folder: Path) -> None:
    """A hub model's ``save_pretrained``, each file atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as temporary:
        model.save_pretrained(temporary)
        for path in sorted(Path(temporary).iterdir()):
            os.chmod(path, 0o644)
            os.replace(path, folder / path.name)


class PretrainedModel(nn.Module, PyTorchModelHubMixin):
    """Network saved as safetensors with a config.json, and loaded with errors that say what to do.

    Attributes:
        title: name of the network with its article, for errors.
        hint: what to do where a folder holds no model.
    """

    title: ClassVar[str]
    hint: ClassVar[str] = "expected the folder that training writes"

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls: type[M], pretrained_model_name_or_path: str | Path, **options: Any
    ) -> M:
        """Load a model from a folder or, by name, from the Hugging Face hub.

        Raises:
            AlignPartsError: a folder without a model, or files that are not one.
        """
        folder = Path(pretrained_model_name_or_path)
        if folder.is_dir() or str(folder).count("/") != 1:
            for name in ("config.json", "model.safetensors"):
                if not (folder / name).is_file():
                    raise AlignPartsError(f"{folder / name}: no such file; {cls.hint}")
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # the hub's client prints that it loads
                return super().from_pretrained(str(folder), **options)
        except (SafetensorError, RuntimeError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise AlignPartsError(f"{folder}: not {cls.title} model: {reason}") from None


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
