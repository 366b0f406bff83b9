"""Save and load weights: progress of a training run, and models in the format of the Hugging Face hub."""

import contextlib
import hashlib
import inspect
import io
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError

M = TypeVar("M", bound="PretrainedModel")
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # AdamW's state per parameter


def save_state(
    path: Path, identity: str, state: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write all that an interrupted run needs to continue as if it had never stopped.

    Args:
        path: safetensors file to write, atomically.
        identity: hash of the run's settings and inputs; :func:`load_state` refuses another run's file.
        state: progress of the run, for JSON.
        model: module whose weights and buffers are saved.
        optimizer: AdamW over the model's parameters.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for moment, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{moment}.{name}"] = value
    # A single entry: safetensors writes several in an order that changes from run to run.
    metadata = {"run": json.dumps({"identity": identity, "state": state})}
    content = to_bytes({name: value.detach().cpu().clone() for name, value in tensors.items()}, metadata)
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def load_state(
    path: Path, identity: str, model: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Restore what :func:`save_state` wrote and return its progress; None without a file of this run."""
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
        saved = {m: tensors[key] for m in MOMENTS if (key := f"optimizer.{m}.{name}") in tensors}
        if saved:
            optimizer.state[parameter] = {m: value.to(parameter.device) for m, value in saved.items()}
    return run["state"]


CARD = """\
---
{{ card_data }}
---

# {{ name }}

{{ about }}

`{{ module }}.{{ name }}` with {{ weights }} weights. To load the folder of this file:

```python
from {{ module }} import {{ name }}

model = {{ name }}.from_pretrained(folder)
```

| setting | value |
|---|---|
{% for key, value in settings.items() -%}
| {{ key }} | {{ value }} |
{% endfor -%}
"""
"""Card of a saved model, as Jinja."""


class PretrainedModel(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="alignparts",
    tags=["3d", "part-segmentation"],
    model_card_template=CARD,
):
    """Module that is saved as ``model.safetensors`` with a ``config.json``, as on the Hugging Face hub.

    The constructor of a subclass takes one argument, ``config``, a dataclass.
    """

    config: Any

    def generate_model_card(self, *args: Any, **values: Any) -> ModelCard:
        """Return a card that says what the model is, its size and settings, and how to load it."""
        about = (inspect.getdoc(type(self)) or "").partition("\n\n")[0]
        weights = f"{sum(parameter.numel() for parameter in self.parameters()):,}"
        own = {"name": type(self).__name__, "module": type(self).__module__, "about": about}
        return super().generate_model_card(
            *args, **own, weights=weights, settings=asdict(self.config), **values
        )

    @classmethod
    def from_pretrained(cls: type[M], source: str | Path, **options: Any) -> M:  # type: ignore[override]
        """Load a model, in evaluation mode, from a folder or by its name on the Hugging Face hub.

        Raises:
            AlignPartsError: the folder has no model, or its files are not those of this class.
        """
        folder = Path(source)
        if folder.is_dir() or str(folder).count("/") != 1:
            for name in ("config.json", "model.safetensors"):
                if not (folder / name).is_file():
                    raise AlignPartsError(
                        f"{folder / name}: no such file; expected the folder of a trained {cls.__name__}, "
                        "which `dvc repro` makes"
                    )
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # the hub's client prints that it loads
                return super().from_pretrained(str(source), strict=True, **options)  # type: ignore[misc]
        except (SafetensorError, RuntimeError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise AlignPartsError(f"{folder}: not a model of the class {cls.__name__}: {reason}") from None


def save_model(model: Any, folder: Path) -> None:
    """Call ``save_pretrained`` of a hub or transformers model; every file is replaced atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as temporary:
        model.save_pretrained(temporary)
        for path in sorted(Path(temporary).iterdir()):
            path.chmod(0o644)
            path.replace(folder / path.name)


def weights_digest(*modules: nn.Module) -> str:
    """Return a SHA-256 over the names and bytes of all weights and buffers."""
    total = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            total.update(name.encode())
            total.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
