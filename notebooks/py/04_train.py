# %% [markdown]
# # Training: partlets find parts, and their names
#
# ALIGN-Parts (§3) fuses the two features of every point, lets $K$ learned *partlets* gather evidence from
# the fused points, and reads three things off each partlet: a mask over the points, whether it is a part
# at all, and an embedding that lives in the text encoder's own space. Nothing is clustered and no part
# number is asked for.
#
# Training (§3.2) is a set alignment. A cost, mask overlap plus cosine to the text (Eq. 8), is turned into
# a transport plan by Sinkhorn iterations and rounded to one partlet a part. Matched partlets learn mask
# and text, all partlets learn whether they are matched, and the whole shape learns its category.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from alignparts.core.run import start
from alignparts.core.trainer import forget_progress
from alignparts.model import losses, matching
from alignparts.model.alignparts import AlignParts, AlignPartsConfig
from alignparts.model.dataset import PartDataset, collate, ids_of_split
from alignparts.model.stage import Stage
from alignparts.model.texts import TextTable
from alignparts.model.train import train
from alignparts.naming.pipeline import Manifest, write_manifest

# %%
run = start("train", profile)
settings = run.params.train
stage = Stage(run.params, run.data, run.models)
store, vocabulary = stage.store, stage.vocabulary
for split in ("train", "validation"):
    print(f"{split}: {len(ids_of_split(store, split))} shapes")

# %% [markdown]
# ## The paper's model, counted
#
# The paper gives three parameter counts and few sizes. With biases everywhere, one positional bias for
# both directions and a feed-forward of four times the width, the same classes come to its numbers.

# %%
paper = AlignParts(AlignPartsConfig())
counted = {
    "fusion (paper: 5.7 M)": paper.fusion,
    "partlets (paper: 26.8 M)": paper.decoder,
    "global head (paper: 1.5 M)": paper.global_head,
    "all (paper: 34 M)": paper,
}
for name, module in counted.items():
    print(f"{name:<28}{sum(parameter.numel() for parameter in module.parameters()):>12,}")

# %% [markdown]
# ## One shape as the model sees it
#
# A random subset of the stored points, the features of each, the shape's parts and a text for each part:
# its affordance description, or, for a share of the shapes, only its name, so that plain names work too.

# %%
table = TextTable(vocabulary, stage.encode)
dataset = PartDataset(
    store, ids_of_split(store, "train"), table, points=settings.points, k=settings.model.k,
    seed=run.params.base.seed,
)
shape = dataset[0]
print("category:", shape.category)
print("points:", shape.points.shape, "geometry:", shape.geometry.shape, "appearance:", shape.appearance.shape)
for number, name in enumerate(shape.names):
    print(f"  {name}: {np.mean(shape.part == number):.0%} of the points")

# %% [markdown]
# ## Matching before any training
#
# The cost of every partlet with every part, the transport plan, and its rounding: every part has exactly
# one partlet.

# %%
batch, targets = collate([shape]), collate([shape]).targets
torch.manual_seed(run.params.base.seed)
widths = {"d_g": shape.geometry.shape[1], "d_a": shape.appearance.shape[1], "d_t": table.d_t}
untrained = AlignParts(AlignPartsConfig(**widths, **settings.model.model_dump()))
with torch.no_grad():
    output = untrained(**batch.inputs())
    cost = matching.cost_matrix(
        output.mask_logits, output.partlets, targets.masks, targets.labeled, targets.text
    )
    plan = matching.sinkhorn(cost, targets.parts)
    assignment = matching.assign(plan, targets.parts)
matched = assignment[0][assignment[0] >= 0].tolist()
assert len(set(matched)) == len(matched) == min(len(shape.names), settings.model.K)
print("matched partlets:", len(matched))

# %% tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3))
for axis, values, title in zip(axes, (cost[0], plan[0]), ("cost (Eq. 8)", "transport plan P"), strict=True):
    picture = axis.imshow(values.T.numpy(), aspect="auto")
    axis.set(xlabel="partlet", title=title)
    axis.set_yticks(range(len(shape.names)), shape.names)
    figure.colorbar(picture, ax=axis)
figure.tight_layout()
plt.show()

# %% [markdown]
# ## The terms of the loss
#
# Eqs. 9 to 14, their weights (§9) and, as the last row, their sum (Eq. 15).

# %% tags=["nbval-ignore-output"]
weights = settings.loss.model_dump(exclude={"tau"}, by_alias=True)
before = losses.alignment_losses(output, targets, settings.loss, assignment)
pd.DataFrame(
    {
        "weight": pd.Series(weights),
        "before training": {name: round(value.item(), 2) for name, value in before.items()},
    }
).reindex(list(before))

# %% [markdown]
# ## Training
#
# AdamW with a short rise and a cosine of the learning rate. A checkpoint per epoch: a run that is killed
# goes on to the very same weights, and one that `make train GPUS=n` has finished is taken as it is. The model
# folder holds the epoch with the best validation LA-mIoU.

# %%
trained = train(
    store, vocabulary, stage.encode, settings, run.models / "alignparts", seed=run.params.base.seed
)
history = pd.DataFrame(trained.history).set_index("epoch")
print("epochs:", len(history), "best:", trained.best_epoch)

# %% tags=["nbval-ignore-output"]
curves = {
    "terms, training": [f"train/{name}" for name in weights],
    "total (Eq. 15)": ["train/total", "validation/total"],
    "validation, category given": ["validation/miou", "validation/la_miou", "validation/category"],
}
figure, axes = plt.subplots(1, 3, figsize=(13, 3.2), layout="constrained")
for axis, (title, names) in zip(axes, curves.items(), strict=True):
    history[names].plot(ax=axis, title=title, marker=".")
    axis.legend(fontsize=7)
axes[0].set_yscale("symlog")
axes[2].set_ylim(0, 1)
run.figure(figure, "training_curves")
plt.show()

# %% [markdown]
# The loss is finite at every epoch and, in a full run, lower at the end than after the first.

# %% tags=["nbval-ignore-output"]
assert np.isfinite(history.to_numpy()).all()
run.check(history["train/total"].iloc[-1] < history["train/total"].iloc[0], "the loss falls")
history.iloc[[-1]].T.round(3)

# %% [markdown]
# ## What was written
#
# `AlignParts.from_pretrained` reads the folder; the statistics of the training partlets (Eqs. 38 and 39)
# lie beside the weights and feed the Mahalanobis confidence.

# %%
folder = run.models / "alignparts"
features = run.params.features
manifest = Manifest(
    geometry=features.geometry.checkpoint or "../geometry",
    appearance=features.appearance.checkpoint or "../appearance",
    text_encoder=run.params.ontology.text_encoder,
    views=features.views,
    resolution=features.resolution,
    points=run.params.evaluate.points,
)
write_manifest(folder, manifest, run.data / "ontology" / "vocabulary.json")
print(*sorted(path.name for path in folder.iterdir()), sep="\n")

# %% [markdown]
# The saved model gives the trained one's output to the bit.

# %%
again = AlignParts.from_pretrained(folder).eval()
with torch.no_grad():
    same = torch.equal(again(**batch.inputs()).mask_logits, trained.model(**batch.inputs()).mask_logits)
assert same
row = history.loc[trained.best_epoch]
run.metrics(
    {
        "shapes": trained.shapes,
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "epochs": len(history),
        "best_epoch": trained.best_epoch,
        **{name: round(float(value), 6) for name, value in row.items() if "/" in str(name)},
    }
)
forget_progress(run.models / "alignparts")
