"""What test_distributed.py starts in one process and in two: a step's gradients, then a short training.

python two_processes.py STORE OUT
"""

import sys
from pathlib import Path

import smoke
import torch
import toy
from safetensors.torch import save_file

from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts, AlignPartsConfig
from alignparts.model.dataset import PartDataset, collate, epoch_order
from alignparts.model.losses import alignment_losses
from alignparts.model.texts import TextTable
from alignparts.model.train import accelerator, gather, shares, train

SIZES = {"d_m": 16, "d_f": 16, "K": 8, "k": 6, "heads": 2, "decoder_heads": 2, "layers": 2, "fourier": 3}


def main(store: FeatureStore, out: Path) -> None:
    torch.set_num_threads(1)
    processes = accelerator("cpu")
    data = PartDataset(
        store, store.ids()[:4], TextTable(toy.vocabulary(), toy.encode), points=48, k=6, negatives="category"
    )
    torch.manual_seed(0)
    model = AlignParts(AlignPartsConfig(d_g=6, d_a=5, d_t=toy.WIDTH, **SIZES))
    wrapped = processes.prepare_model(model)
    for share in shares([[2, 0, 3, 1]], processes.process_index, processes.num_processes):
        batch = collate([data[index] for index in share])
        losses = alignment_losses(wrapped(**batch.inputs()), batch.targets, toy.LOSS, gather=gather)
        losses["total"].backward()
    if processes.is_main_process:
        found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        save_file(found, out / "gradients.safetensors")
    params = smoke.block("train", points=48, epochs=2, batch_size=4, lr=3e-3, model=SIZES)
    assert len(epoch_order(9, 4, 0, 0)) == 3
    train(store, toy.vocabulary(), toy.encode, params, out / "model", device="cpu")


if __name__ == "__main__":
    main(FeatureStore(Path(sys.argv[1])), Path(sys.argv[2]))
