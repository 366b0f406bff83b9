"""Public checkpoints by name: their pinned revisions, and the command that downloads them."""

from typing import NamedTuple

from alignparts.core.errors import AlignPartsError


class Public(NamedTuple):
    """Checkpoint on the Hugging Face hub: the size of its download, and the commit taken by default."""

    size: str
    revision: str | None = None


PUBLIC = {
    "facebook/dinov2-small": Public("88 MB", "ed25f3a31f01632728cabb09d1542f84ab7b0056"),
    "facebook/dinov2-base": Public("346 MB", "f9e44c814b77203eaa57a6bdbbd535f21ede1415"),
    "facebook/dinov2-large": Public("1.2 GB"),
    "facebook/dinov2-giant": Public("4.5 GB"),
    "sentence-transformers/all-mpnet-base-v2": Public("438 MB", "e8c3b32edf5434bc2275fc9bab85f82640a19130"),
    "google/siglip-base-patch16-224": Public("813 MB", "7fd15f0689c79d79e38b1c2e2e2370a7bf2761ed"),
    "openai/clip-vit-base-patch32": Public("605 MB", "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"),
}
PARTFIELD = Public("1.4 GB", "90b9b1e08b6a12fdcb6ee26b4854a26235e1765f")
"""Repository mikaelaangel/partfield-ckpt, file model_objaverse.ckpt; NVIDIA License, non-commercial."""


def split(name: str) -> tuple[str, str | None]:
    """Return repository and revision of ``NAME`` or ``NAME@REVISION``; those of `PUBLIC` are pinned."""
    repository, _, revision = name.partition("@")
    known = PUBLIC.get(repository)
    return repository, revision or (known.revision if known else None)


def download(name: str) -> str:
    """Return the command that downloads a checkpoint, with its size if that is known."""
    repository, revision = split(name)
    command = f"hf download {repository}" + (f" --revision {revision}" if revision else "")
    return command + (f" ({PUBLIC[repository].size})" if repository in PUBLIC else "")


def is_cached(name: str) -> bool:
    """Return whether a checkpoint lies in the local Hugging Face cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    repository, revision = split(name)
    try:
        snapshot_download(repository, revision=revision, local_files_only=True)
    except (LocalEntryNotFoundError, HFValidationError):
        return False
    return True


def missing(user: str, name: str, error: Exception, otherwise: str = "") -> AlignPartsError:
    """Return the error for a checkpoint that is no folder, not cached and not to be had from the hub.

    `user` is who needs it, such as "text encoder"; `otherwise` is a further way out.
    """
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return AlignPartsError(
        f"{user} '{name}': no such folder, not in the local Hugging Face cache, and not to be had from the "
        f"hub; where there is a network run: {download(name)}{otherwise} ({reason})"
    )
