# %% [markdown]
# # Ours beside the paper's
#
# The last chapter puts the table that this run made beside the one the paper printed, and says
# why they differ. **Nothing here is measured on the paper's data**: every number of ours is on the
# *embedded corpus*, procedural shapes in the data sets' own formats, with small encoders trained
# in the pipeline. Equal columns would be a coincidence; what can be compared is the order of the
# methods and the gap between segmenting (mIoU) and naming (LA-mIoU).

# %% tags=["parameters"]
smoke = True          # the notebook's own default: seconds on a laptop; the pipeline passes False
params = None         # every block of params.yaml, given by the pipeline

# %%
import pandas as pd

from alignparts import paths, report
from alignparts.run import start, write_text

run = start("report", params=params, smoke=smoke)

# %% [markdown]
# ## Table 2
#
# One ground-truth part is served by the predicted segment that overlaps it most, and one segment
# may serve several parts: max-IoU is generous to coarse predictions, in both columns.

# %%
ours = pd.read_csv(run.reports / "tables" / "table2.csv")
paper = pd.read_csv(paths.RESOURCES / "paper_table2.csv")
beside = ours.merge(paper, on=["method", "test_set", "metric"], how="outer", suffixes=("", "_paper"))
print("rows of ours:", len(ours), "| rows of the paper:", len(paper))

# %%
columns = ["method", "test_set", "metric", "value", "low", "high", "n", "value_paper"]
table = beside[beside.metric.isin(["mIoU", "LA-mIoU", "rLA-mIoU"])][columns].rename(
    columns={"value": "embedded corpus", "value_paper": "paper"}
)
assert ours.value.between(0, 1).all()
table if not smoke else print("methods:", sorted(ours.method.unique()))

# %% [markdown]
# ## Where this build departs from the text
#
# The paper's text disagrees with itself in places, and some of what it uses cannot be shipped.

# %%
deviations = pd.read_csv(paths.RESOURCES / "deviations.csv")
deviations

# %% [markdown]
# ## The page and the README
#
# Both are filled from the same tables; neither holds a number typed by hand.

# %%
figures = {
    "evaluate_shapes": "Best, median and worst test shapes: ground truth beside prediction.",
    "contact_sheet": "One shape of every category of the embedded corpus.",
}
sections = [
    ("Table 2, embedded corpus beside the paper", report.table_html(table.round(3))),
    *(
        (caption.split(":")[0], report.figure_html(run.reports / "figures" / f"{name}.png", caption))
        for name, caption in figures.items()
        if (run.reports / "figures" / f"{name}.png").is_file()
    ),
    ("Deviations", report.table_html(deviations)),
]
timings = sorted((run.reports / "timings").glob("*.csv"))
sections += [(f"Timings: {path.stem}", report.table_html(pd.read_csv(path))) for path in timings]
write_text(run.reports / "site" / "index.html", report.page("ALIGN-Parts: the report", sections))
print("sections of the page:", [heading for heading, _ in sections[:1]])

# %%
if not smoke:
    report.fill(paths.ROOT / "README.md", "table2", report.main_table(ours))
run.metrics({"rows": len(ours), "deviations": len(deviations)})
