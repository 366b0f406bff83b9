# %% [markdown]
# # Ours beside the paper's
#
# The last chapter of the pipeline puts the tables that this run made beside those the paper printed, and says
# why they differ; `make site` makes a site of them all. **Nothing here is measured on the paper's data**:
# every number of ours is on the *embedded corpus*, procedural shapes in the data sets' own formats, with
# small encoders trained in the pipeline. Equal columns would be a coincidence; what can be compared is the
# order of the methods and the gap between segmenting (mIoU) and naming (LA-mIoU).

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
# %matplotlib inline
import pandas as pd

from alignparts.core.run import start
from alignparts.evaluation.tables import read, write_table
from alignparts.report import readme
from alignparts.site import tables
from alignparts.site.pages import claims

run = start("report", profile)
pd.set_option("display.max_colwidth", None, "display.max_rows", 200)

# %% [markdown]
# ## Table 2
#
# One ground-truth part is served by the predicted segment that overlaps it most, and one segment
# may serve several parts: max-IoU is generous to coarse predictions, in both columns.

# %% tags=["nbval-ignore-output"]
ours = read(run.reports, "table2")
assert ours.value.dropna().between(0, 1).all()
beside = tables.beside(ours, tables.resource("paper_table2"), "table2")
beside[beside.metric.isin(["mIoU", "LA-mIoU"])]

# %% [markdown]
# ## The order of the findings
#
# Is the paper's order of methods ours, too? A bootstrap interval of each difference, whatever the verdict,
# and what the paper's own numbers say.

# %% tags=["nbval-ignore-output"]
findings = pd.DataFrame(claims(run.reports))
write_table(run.folder, "findings", findings)
findings

# %% [markdown]
# ## Tex-Parts
#
# What a review costs from our predictions, and what training on its outcome gains (section 13).

# %% tags=["nbval-ignore-output"]
names = ("effort_ratios", "promise", "retrain")
summary = readme.texparts_table(*(read(run.reports, name) for name in names))
write_table(run.folder, "texparts", summary)
summary

# %% [markdown]
# ## Where this build departs from the text
#
# The paper's text disagrees with itself in places, and some of what it uses cannot be shipped.

# %%
deviations = tables.resource("deviations")
deviations

# %% [markdown]
# ## The README
#
# The pipeline also fills the marked parts of the README: Table 2, and the main finding in words.

# %%
print("filled in README.md:", readme.fill_all(run))
verdicts = findings.verdict.tolist()
counts = {"rows": len(ours), "deviations": len(deviations)}
run.metrics(counts | {"claims": len(verdicts), "claims_hold": verdicts.count("holds")})
