# %% [markdown]
# # Ours beside the paper's
#
# The last chapter puts the tables that this run made beside those the paper printed, and says
# why they differ. **Nothing here is measured on the paper's data**: every number of ours is on the
# *embedded corpus*, procedural shapes in the data sets' own formats, with small encoders trained
# in the pipeline. Equal columns would be a coincidence; what can be compared is the order of the
# methods and the gap between segmenting (mIoU) and naming (LA-mIoU).

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
import json

import pandas as pd
from IPython.display import Markdown, display

from alignparts.core import paths
from alignparts.core.run import start
from alignparts.report import readme as report
from alignparts.report.site import build, tables

run = start("report", profile)
smoke = profile == "smoke"

# %% [markdown]
# ## Table 2
#
# One ground-truth part is served by the predicted segment that overlaps it most, and one segment
# may serve several parts: max-IoU is generous to coarse predictions, in both columns.

# %%
ours = pd.read_csv(tables.find(run.reports, "table2.csv"))
assert ours.value.between(0, 1).all()
beside = tables.beside(ours, tables.resource("paper_table2"), "table2")
beside[beside.metric.isin(["mIoU", "LA-mIoU"])] if not smoke else print("columns:", *beside.columns)

# %% [markdown]
# ## The order of the findings
#
# Whether the paper's order of methods is ours, too: a bootstrap interval of each difference, and what the
# paper's own numbers say. Printed whatever the verdict.

# %%
verdicts = []
for name in ("table2", "table3", "table4", "retrieval", "cosegmentation", "generalization",
             "retrain"):
    path = tables.find(run.reports, f"{name}_claims.csv")
    if path is not None:
        paper = tables.resource(f"paper_{name}") if name.startswith("table") else None
        for one in tables.sentences(pd.read_csv(path), paper):
            verdicts.append(one.verdict)
            if not smoke:
                print(f"{one.claim}: {one.verdict}, {one.numbers}. The paper: {one.paper or 'no number'}.")

# %% [markdown]
# ## Tex-Parts
#
# What a review costs from our predictions, and what training on its outcome gains.

# %%
if not smoke:
    names = ("effort_ratios", "promise", "retrain")
    ratios, promise, gain = (pd.read_csv(tables.find(run.reports, f"{name}.csv")) for name in names)
    display(Markdown(report.texparts_table(ratios, promise, gain)))

# %% [markdown]
# ## Where this build departs from the text
#
# The paper's text disagrees with itself in places, and some of what it uses cannot be shipped.

# %%
deviations = tables.resource("deviations")
deviations

# %% [markdown]
# ## The site and the README
#
# Both are filled from the same tables; neither holds a number typed by hand. The site has a page a table, the
# figures, deviations and checklists; its first page is `reports/site/index.html`. Seconds, which differ from
# run to run, stand on one page outside it, the compute ledger `reports/timings/ledger.html`.

# %%
built = build.build(run.reports)
print("first page:", built.index.relative_to(run.reports))
if not smoke:
    print("pages:", *built.pages, sep="\n  ")
    print("nothing to show:", *built.left_out, sep="\n  ")

# %%
if not smoke:
    readme = paths.ROOT / "README.md"
    metrics = json.loads((run.reports / "metrics" / "evaluate.json").read_text())
    report.fill(readme, "table2", report.main_table(ours))
    report.fill(readme, "findings", report.findings(metrics))
run.metrics(
    {
        "rows": len(ours),
        "deviations": len(deviations),
        "pages": len(built.pages),
        "claims": len(verdicts),
        "claims_hold": verdicts.count("holds"),
    }
)
