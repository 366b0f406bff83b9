"""The app itself: gradio's page behind our guard. It listens nowhere by itself, and never opens a tunnel."""

import html
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, get_args

import gradio as gr
from fastapi import FastAPI

from alignparts.core import paths
from alignparts.core.errors import AlignPartsError
from alignparts.core.http import LOOPBACK
from alignparts.corpus.mesh.meshio import SUFFIXES
from alignparts.demo.guard import Guard
from alignparts.demo.job import COLUMNS, STEPS, Options, name_upload
from alignparts.naming.granularity import Detail
from alignparts.naming.pipeline import NamedPartsPipeline
from alignparts.naming.prediction import Labels

WAITING = 8
"""Most jobs that wait; one runs at a time."""
KEPT = 3600
"""Seconds that uploads and results are kept; the end of the server deletes all."""
THEME = gr.themes.Default(font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace"))
CSS = "iframe { width: 100%; height: max(75vh, 600px); border: 1px solid var(--border-color-primary) }"


def create_app(
    pipeline: NamedPartsPipeline, token: str, folder: Path, *, host: str, port: int, max_upload: int
) -> FastAPI:
    """Return the application, to be served at an address.

    Args:
        pipeline: names the meshes.
        token: secret that a browser has to bring once, as ``/?token=``.
        folder: empty folder for uploads and results; the caller deletes it.
        host, port: the address.
        max_upload: most bytes of a mesh.
    """
    jobs, files = folder / "jobs", folder / "files"
    jobs.mkdir()
    files.mkdir()
    # gradio reads these from the environment alone.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(files.resolve())}
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    closed: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    app = gr.mount_gradio_app(
        app, _page(pipeline, jobs, files), "/", server_name=host, server_port=port, app_kwargs=closed,
        theme=THEME, css=CSS, allowed_paths=[], max_file_size=max_upload, show_error=False, footer_links=[],
        run_history=False, ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False,
    )  # fmt: skip
    app.add_middleware(
        Guard, token=token, cookie=f"alignparts_{port}", hosts={*LOOPBACK, host}, folder=files,
        max_upload=max_upload + 4096,  # and the frame around the file
    )  # fmt: skip
    return app


def _page(pipeline: NamedPartsPipeline, jobs: Path, files: Path) -> gr.Blocks:
    categories = [] if pipeline.vocabulary is None else pipeline.vocabulary.categories
    samples = sorted(str(path) for path in paths.DEMO.glob("*.glb"))

    def run(mesh: str | None, *fields: Any, progress: gr.Progress = gr.Progress()) -> list[Any]:  # noqa: B008
        if mesh is None:
            raise gr.Error("choose a mesh first", print_exception=False)

        def tell(step: int) -> None:
            progress((step, len(STEPS)), desc=STEPS[step])

        try:
            with tempfile.TemporaryDirectory(dir=jobs) as work:
                done = name_upload(pipeline, Path(mesh), Options(*fields), Path(work), tell)
                kept = shutil.move(done.archive, tempfile.mkdtemp(dir=files))
                save = gr.DownloadButton(value=kept, interactive=True)
                return [done.summary, _frame(done.page.read_text("utf-8")), done.rows, save]
        except AlignPartsError as error:
            # Messages are shown as HTML.
            raise gr.Error(html.escape(str(error)), duration=None, print_exception=False) from None

    with gr.Blocks(title="ALIGN-Parts", analytics_enabled=False, delete_cache=(300, KEPT)) as blocks:
        gr.Markdown("# ALIGN-Parts\nA mesh in, its parts out: segmented and named.")
        with gr.Row():
            with gr.Column(min_width=320):
                mesh = gr.File(label="Mesh", file_types=list(SUFFIXES), height=140)
                if samples:
                    gr.Examples(samples, mesh, label="Samples")
                names = gr.Textbox(
                    label="Names to look for", info="One per line, or name: description.", lines=4
                )
                category = gr.Dropdown([("found by the model", ""), *categories], value="", label="Category")
                query = gr.Textbox(label="Only one part", info="Such as handle.")
                detail = gr.Radio(list(get_args(Detail)), value="default", label="Detail")
                instances = gr.Checkbox(label="Instances apart (leg_1, leg_2)")
                labels = gr.Dropdown(list(get_args(Labels)), value="patches", label="Labels of faces")
                go = gr.Button("Name the parts", variant="primary")
            with gr.Column(scale=3, min_width=320):
                summary = gr.Textbox(label="Summary", interactive=False)
                save = gr.DownloadButton("Download GLB, labels.json, face_labels.npy", interactive=False)
                view = gr.HTML()
                widths = ["32%", "26%", "20%", "22%"]
                table = gr.Dataframe(
                    headers=list(COLUMNS), label="Parts", interactive=False, column_widths=widths, wrap=True
                )
        fields = [mesh, names, category, query, detail, instances, labels]
        go.click(
            run,
            fields,
            [summary, view, table, save],
            show_progress_on=summary,
            concurrency_limit=1,
            api_visibility="private",
        )
    return blocks.queue(max_size=WAITING, api_open=False)


def _frame(page: str) -> str:
    """Return a frame with the page of `alignparts view`, which may run its scripts but not touch the app."""
    about = 'title="3D view of the named parts" sandbox="allow-scripts allow-downloads"'
    return f'<iframe {about} srcdoc="{html.escape(page)}"></iframe>'
