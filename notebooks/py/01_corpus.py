# %% [markdown]
# # One corpus from several data sets
#
# `corpus.sources` of the settings lists the data sets; this chapter reads all of them into one corpus.
# The paper trains on PartNet, 3DCoMPaT++ and Find3D (§3.4), which cannot be shipped: whoever has them
# names their folders there. The default's only source makes the *embedded corpus* in their place:
# procedural, textured shapes of everyday categories, **written to disk in the three data sets' own
# formats**, each with its own names and its own idea of what a part is. From there on nothing is
# special: the readers that read the real folders read these.
#
# Categories under `corpus.heldout` are never trained on: they are the open-vocabulary test.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
import matplotlib.pyplot as plt
import pandas as pd

from alignparts.core.atomic import write_text
from alignparts.core.run import start
from alignparts.corpus.sources import build_corpus
from alignparts.corpus.splits import write_lists
from alignparts.pictures import figures

run = start("corpus", profile)
params = run.params.corpus
pd.DataFrame([source.model_dump() for source in params.sources]).dropna(axis="columns", how="all")

# %% [markdown]
# ## All sources into one
#
# A folder that is missing is an error before anything is read. Of the generated shapes, every one is written
# in exactly one dialect: PartNet has untextured components and a tree of raw names, and carries color only in
# its point samples; 3DCoMPaT++ has styled glTF; Find3D's benchmark has colored clouds of 5,000 points and no
# mesh at all.

# %%
done = build_corpus(params, run.params.base, run.data)
corpus = done.corpus
print("shapes:", len(corpus))

# %% [markdown]
# A shape that cannot be read or is not drawn is left out with its reason (`data/corpus/report.csv`); copies
# of one object, within a data set or across several, leave training where another of them is tested. Of the
# generated shapes none is left out.

# %%
assert params.sources[0].kind != "embedded" or len(params.sources) > 1 or done.report.empty
print(f"left out: {len(done.report)}; shapes with a copy: {len(done.groups)}; taken out of training: "
      f"{int((corpus.index.split == 'duplicate').sum())}")
done.report.groupby(["kind"]).agg(shapes=("shape_id", "size"), example=("reason", "first"))

# %% [markdown]
# Shapes by data set and split, by the rule `corpus.split`. By the paper's (§3.4), PartNet and 3DCoMPaT++ give
# three test shapes per category each, Find3D one of each of some categories. The ids of every split are
# written as lists, `reports/corpus/splits`.

# %%
write_lists(run.folder, corpus.index)
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
# Several shapes of every category.

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
        "left_out": len(done.report),
    }
)
