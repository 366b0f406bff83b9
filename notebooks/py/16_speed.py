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
# %matplotlib inline
import pandas as pd
import torch

from alignparts.core.run import start
from alignparts.corpus.index import Corpus
from alignparts.evaluation.speed import bench
from alignparts.evaluation.speed.timing import by_method, time_stages
from alignparts.model.alignparts import AlignParts
from alignparts.report import plots

run = start("speed", profile)
settings = run.params.bench
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# %% [markdown]
# ## The model
#
# The smoke size has small networks, the others the paper's (`bench.networks`).

# %%
sizes, geometry, appearance = bench.network_sizes(settings)
torch.manual_seed(run.params.base.seed)
model = AlignParts(sizes).eval().to(device)
parameters = sum(parameter.numel() for parameter in model.parameters())
run.check(round(parameters / 1e6) == 34, "the model has the paper's 34 M parameters")
print(f"parameters: {parameters:,}")

# %% [markdown]
# ## The bound
#
# Nearly all the arithmetic is matrix products. Their FLOP are counted, the machine's rate in a product of
# the model's most common size is measured, and the quotient is a time that no code with these products beats.

# %%
points = settings.stage_points
flops = bench.product_flops(model, bench.inputs(sizes, points, 1, device))
product_seconds = flops / bench.product_rate(device)
print(f"{points} points: {flops / 1e9:.2f} GFLOP in matrix products")

# %% [markdown]
# ## One forward pass, and the peer's path
#
# Fusion, decoder and heads against the number of points and against shapes at once; the peer's planes, its
# field at the same points, and k-means. What follows from these times:

# %% tags=["nbval-ignore-output"]
repetitions = settings.repetitions
at = sorted({*settings.points, points})
ours = bench.forward_rows(model, at, settings.batches, points, repetitions=repetitions)
peer = bench.peer_rows(at, settings.parts, config=geometry, device=device)
bounds = bench.bounds(ours, peer, points, product_seconds)
bounds.round(2)

# %% [markdown]
# Times are shown as ratios to our forward pass, so that the picture is the same on machines of any speed:

# %% tags=["nbval-ignore-output"]
table = pd.concat([ours, peer], ignore_index=True)
growth = plots.draw_growth(table, points)
growth

# %% [markdown]
# ## End to end
#
# A mesh in, named faces out, stage by stage; the same pipeline as `alignparts name` at the paper's sizes.

# %% tags=["nbval-ignore-output"]
pipeline = bench.random_pipeline(model, geometry, appearance, settings)
corpus = Corpus(run.data / "corpus")
shapes = [corpus.load(shape_id) for shape_id in corpus.ids(split="test")[: settings.shapes]]
stages = time_stages(pipeline, shapes, points=points, repetitions=repetitions)
ends = by_method(stages).set_index("method").end_to_end_ratio
bounds["the peer end to end / ours end to end"] = ends[bench.PEER]
figure = plots.draw_stages(stages)
figure

# %% [markdown]
# ## What was measured
#
# Seconds differ from machine to machine and from run to run, so they go to `reports/timings`.

# %%
long = bench.summary(table, stages, bounds, points)
folder = run.reports / "timings"
folder.mkdir(parents=True, exist_ok=True)
long.to_csv(folder / "speed.csv", index=False)
growth.savefig(folder / "speed_growth.png", dpi=110)
figure.savefig(folder / "speed_stages.png", dpi=110)
assert (table.seconds > 0).all() and (stages.seconds >= 0).all()
print("rows:", len(long), "| columns:", ", ".join(long.columns))
