# %% [markdown]
# %% [markdown]
# # Speed: where the seconds go, and how near the bound they are
#
# The paper's speed-up compares its decoder, features at hand, at 10,000 points, with PartField's clustering
# at 100,000. Here every stage is timed end to end, at the same number of points, at the **paper's sizes**
# (34 M parameters, d_g 448, d_a 768), with random weights: no weight changes how long a product takes.
#
# Three contestants in one run, so that the ratios mean something whatever the machine:
#
# * **ours**, the code that trains and names;
# * **a straight transcription** of Eqs. 2 to 6 and 23 to 37, every tensor built in full, the same weights;
# * **the peer's path**: PartField's planes, the field at the same points, k-means at a given part number.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

from alignparts.core.run import start
from alignparts.corpus.index import Corpus
from alignparts.evaluation.speed import bench
from alignparts.evaluation.speed.timing import by_method, time_stages
from alignparts.features.appearance import small_config
from alignparts.features.partfield import PartFieldConfig
from alignparts.model.alignparts import AlignParts, AlignPartsConfig
from alignparts.naming.pipeline import Manifest

run = start("speed", profile)
smoke = profile == "smoke"
settings = run.params.bench
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
small = {"d_g": 64, "d_a": 96, "d_m": 64, "d_f": 32, "d_t": 48, "K": 8, "k": 8, "layers": 2}
torch.manual_seed(run.params.base.seed)
model = AlignParts(AlignPartsConfig(**(small if smoke else {}))).eval().to(device)
print(f"parameters: {sum(parameter.numel() for parameter in model.parameters()):,}")

# %% [markdown]
# ## The bound
#
# Nearly all the arithmetic is matrix products. Their FLOP are counted, the machine's rate in a product of
# the model's most common size is measured, and the quotient is a time that no code with these products beats.

# %%
middle = settings.stage_points
flops = bench.product_flops(model, bench.inputs(model.config, middle, 1, device))
rate = bench.product_rate(device)
bound = flops / rate
print(f"{middle} points: {flops / 1e9:.1f} GFLOP in matrix products")

# %% [markdown]
# ## One forward pass: against points, and against shapes at once

# %%
ours = bench.forward_rows(
    model, sorted({*settings.points, middle}), settings.batches, middle, repetitions=settings.repetitions
)
forward = bench.value(ours, bench.OURS, "forward", middle)
straight = bench.value(ours, bench.STRAIGHT, "forward", middle)
one = ours[(ours.stage == "forward") & (ours.points == middle) & (ours.batch == 1)]
memory = one.set_index("method").memory_mb
bounds = pd.Series(
    {
        "forward / its matrix products alone": forward / bound,
        "transcription / ours": straight / forward,
        "extra memory, ours (MB)": memory.get(bench.OURS),
        "extra memory, transcription (MB)": memory.get(bench.STRAIGHT),
        "exponent of seconds in points, 4 k to 64 k": bench.growth(ours, bench.OURS, "forward", 4000, 66_000),
    }
)
print(bounds.round(2).to_string() if not smoke else "measured: " + ", ".join(bounds.index))

# %% [markdown]
# ## The peer's path

# %%
peer = bench.peer_rows(
    settings.points,
    settings.parts,
    config=PartFieldConfig.small() if smoke else None,
    repetitions=1,
    device=device,
)
table = pd.concat([ours, peer], ignore_index=True)
decoder = bench.value(ours, bench.OURS, "decoder", middle)
against = {
    f"k-means at {k} parts / decoder": bench.value(peer, bench.PEER, "k-means", middle, parts=k) / decoder
    for k in settings.parts
}
print(pd.Series(against).round(1).to_string() if not smoke else "measured: " + ", ".join(against))

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
lines = [(bench.OURS, "forward", 0), (bench.OURS, "decoder", 0), (bench.STRAIGHT, "forward", 0),
         (bench.PEER, "query", 0), *((bench.PEER, "k-means", parts) for parts in settings.parts)]
for method, stage, parts in lines:
    kept = table[(table.method == method) & (table.stage == stage) & (table.batch == 1)]
    kept = kept[kept.parts == parts]
    label = f"{method}: {stage}" + (f", {parts} parts" if parts else "")
    axes[0].loglog(kept.points, kept.seconds / forward, marker="o", markersize=3, label=label)
unit = f"time / our forward pass at {middle} points"
axes[0].set(xlabel="points", ylabel=unit, title="one shape")
axes[0].legend(fontsize=7)
batched = ours[(ours.stage == "forward") & (ours.points == middle)].sort_values("batch")
for method, rows in batched.groupby("method"):
    axes[1].plot(rows.batch, rows.seconds / rows.batch / forward, marker="o", label=method)
axes[1].set(xlabel="shapes at once", ylabel="the same, a shape", title=f"{middle} points", ylim=(0, None))
axes[1].legend(fontsize=8)
growth = figure
plt.show()

# %% [markdown]
# ## End to end
#
# A mesh in, named faces out, stage by stage; the same pipeline as `alignparts name` at the paper's sizes.

# %%
manifest = Manifest(views=2, resolution=56) if smoke else Manifest(views=8, resolution=224)
pipeline = bench.paper_pipeline(
    model,
    geometry=PartFieldConfig.small() if smoke else None,
    appearance=small_config(56) if smoke else None,
    manifest=manifest,
)
corpus = Corpus(run.data / "corpus")
shapes = [corpus.load(shape_id) for shape_id in corpus.ids(split="test")[: 1 if smoke else 3]]
stages = time_stages(pipeline, shapes, points=settings.stage_points, repetitions=1 if smoke else 2)
print("stages:", ", ".join(stages.stage))

# %%
figure, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
bars = stages[stages.stage != "model"]
colors = ["#b5543c" if method == bench.PEER else "#2f6aa3" for method in bars.method]
whole = bars.seconds[bars.stage.isin(["fusion", "decoder"])].sum()
drawn = axis.barh(bars.stage, bars.seconds / whole, color=colors)
axis.bar_label(drawn, [f" {ratio:.2g}" for ratio in bars.seconds / whole], fontsize=8)
axis.invert_yaxis()
bounds = pd.concat([bounds, pd.Series(against)])
ends = by_method(stages).set_index("method").end_to_end_ratio.drop(bench.OURS)
bounds["the peer end to end / ours end to end"] = float(ends.iloc[0])
title = f"{settings.stage_points} points; red: the peer's clustering"
axis.set(xlabel="time / (fusion + decoder)", title=title)
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## What was measured
#
# Seconds differ from machine to machine and from run to run, so they go to `reports/timings`.

# %%
long = bench.summary(table, stages, bounds, middle)
folder = run.reports / "timings"
folder.mkdir(parents=True, exist_ok=True)
long.to_csv(folder / "speed.csv", index=False)
growth.savefig(folder / "speed_growth.png", dpi=110)
figure.savefig(folder / "speed_stages.png", dpi=110)
assert (table.seconds > 0).all() and (stages.seconds >= 0).all()
print("columns:", ", ".join(long.columns))
