# %% [markdown]
# # One corpus from three data sets
#
# The paper trains on PartNet, 3DCoMPaT++ and Find3D (§3.4), which cannot be shipped. This chapter
# makes the *embedded corpus* in their place: procedural, textured shapes of everyday categories,
# **written to disk in the three data sets' own formats**, each with its own names and its own idea of
# what a part is. From there on nothing is special: the readers that read the real folders read these,
# and turn all of them into one corpus.
#
# Three categories (`corpus.heldout`) are never trained on: they are the open-vocabulary test.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
import matplotlib.pyplot as plt
import pandas as pd

from alignparts.core.atomic import write_text
from alignparts.core.run import start
from alignparts.corpus import embedded, ingest
from alignparts.pictures import figures

run = start("corpus", profile)
base = run.params.base

# %% [markdown]
# ## Three trees on disk
#
# Every shape is written in exactly one dialect. PartNet has untextured components and a tree of raw
# names, and carries color only in its point samples; 3DCoMPaT++ has styled glTF; Find3D's benchmark
# has colored clouds of 5,000 points and no mesh at all.

# %%
on = {"seed": base.seed, "workers": base.workers, "scheduler": base.scheduler}
embedded.write_embedded(run.data / "raw", run.params.corpus, **on)
sorted(path.name for path in (run.data / "raw").iterdir() if path.is_dir())

# %% [markdown]
# ## Read back into one corpus
#
# A shape that cannot be read is left out with its reason; nothing is left out here.

# %%
corpus = ingest.ingest(
    [run.data / "raw" / name for name in ("partnet", "compat", "find3d")],
    run.data / "corpus", run.params.corpus, **on,
).corpus
left_out = pd.read_csv(run.data / "corpus" / "report.csv")
assert left_out.empty
print("shapes:", len(corpus))

# %% [markdown]
# Shapes by data set and split: PartNet and 3DCoMPaT++ give three test shapes per category each, Find3D one
# of each of some categories, as the paper does (§3.4).

# %%
counts = corpus.index.groupby(["dataset", "split"]).size().unstack(fill_value=0)
counts

# %% [markdown]
# No shape is in two splits, and the held-out categories are in one split alone.

# %%
assert corpus.index.shape_id.is_unique
heldout = corpus.index[corpus.index.split == "heldout"]
assert not set(heldout.category) & set(corpus.index.category[corpus.index.split != "heldout"])
print("held-out categories:", sorted(heldout.category.unique()))

# %% [markdown]
# ## Parts per shape
#
# Named parts of a shape, instances merged by name, in each dialect; and the shapes per category.

# %% tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 2, figsize=(10, 6.5), layout="constrained")
for dataset, group in corpus.index.groupby("dataset"):
    axes[0].hist(group.parts, bins=range(1, 20), histtype="step", label=dataset)
axes[0].set(xlabel="named parts per shape", ylabel="shapes")
axes[0].legend()
corpus.index.category.value_counts().sort_values().plot.barh(ax=axes[1], fontsize=7, width=0.7)
axes[1].set(xlabel="shapes", ylabel="")
run.figure(figure, "corpus_counts")
plt.show()

# %% [markdown]
# ## A contact sheet
#
# Several shapes of every category, as the renderer sees them.

# %% tags=["nbval-ignore-output"]
sheet = figures.contact_sheet(figures.first_of_each(corpus, 6))
run.figure(sheet, "contact_sheet")
sheet

# %% [markdown]
# ## Written
#
# The counts by data set, category and split, and their sums.

# %%
table = corpus.index.groupby(["dataset", "category", "split"]).size().rename("shapes").reset_index()
write_text(run.folder / "corpus.csv", table.to_csv(index=False, lineterminator="\n"))
run.metrics(
    {
        "shapes": len(corpus),
        "categories": int(corpus.index.category.nunique()),
        "splits": {str(name): int(count) for name, count in corpus.index.groupby("split").size().items()},
        "left_out": len(left_out),
    }
)
