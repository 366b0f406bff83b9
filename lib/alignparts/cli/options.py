"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

ModelOption = Annotated[
    Path, typer.Option("--model", help="Folder of the trained model.", show_default="the release model")
]
PointsOption = Annotated[
    int | None, typer.Option(min=16, help="Surface samples per mesh.", show_default="the model's")
]
DeviceOption = Annotated[str, typer.Option(help="A torch device, such as cpu or cuda.")]
LlmOption = Annotated[str, typer.Option(help="'recorded', or the base URL of an OpenAI-compatible endpoint.")]
LlmModelOption = Annotated[str, typer.Option(help="Name of the model at the endpoint.")]
RepliesOption = Annotated[
    Path | None, typer.Option(help="Folder of recorded replies.", show_default="the library's own")
]
LabelsOption = Annotated[
    Literal["patches", "filled", "points"],
    typer.Option(
        help="Faces get their part by the mesh's patches; or by the best mask of the nearest samples; or by "
        "Eq. 22, which leaves faces unlabeled."
    ),
]
DetailOption = Annotated[
    Literal["coarse", "default", "fine"],
    typer.Option(
        help="Coarse: parts below 5% of the area join a neighbor. Fine: connected pieces and partlets of one "
        "part become its children."
    ),
]
InstancesOption = Annotated[
    bool,
    typer.Option(
        "--instances", help="Give each connected instance of a part its own node, such as leg_1 (front left)."
    ),
]
