"""Options that `evaluate` and `calibrate` have in common."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path | None, typer.Option(help="The run's folder; the same command resumes it.")]
EarlierRun = Annotated[Path | None, typer.Option(help="Use this earlier run instead of asking models.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Draw this many questions.")]
Resamples = Annotated[int, typer.Option(min=1, help="Bootstrap resamples for the intervals.")]
Concurrency = Annotated[int, typer.Option(min=1, max=1024, help="Questions in flight at once.")]
Deadline = Annotated[float, typer.Option(min=0.1, help="Longest wait for one reply, in seconds.")]
Images = Annotated[Path | None, typer.Option(help="Folder of the pictures, where it is not beside the file.")]
MinSide = Annotated[int | None, typer.Option(min=1, help="Leave out pictures with fewer pixels on a side.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out rows that cannot be used.")]
Recheck = Annotated[
    bool, typer.Option(help="On resuming, make sure that the models still reply as they did (greedy decoding).")
]
DownstreamUrl = Annotated[str | None, typer.Option(help="OpenAI-compatible API, with /v1.")]
Model = Annotated[str | None, typer.Option(help="Model name to ask the downstream API for.")]
EgressHost = Annotated[
    list[str] | None, typer.Option(help="Host beyond this machine that pictures may be sent to; may be repeated.")
]
PolicyUrl = Annotated[str | None, typer.Option(help="The policy service.")]
PolicyVersion = Annotated[str | None, typer.Option(help="Policy version; by default the active one.")]
Template = Annotated[str | None, typer.Option(help="Answer template, as name@version or a JSON file.")]
Temperature = Annotated[float | None, typer.Option(min=0, help="Of the downstream model; 0 is greedy.")]
MaxTokens = Annotated[int | None, typer.Option(min=1, help="Longest reply of the downstream model.")]
Gateway = Annotated[str, typer.Option(envvar="TRUSTVQA_URL", help="The gateway whose feedback is meant.")]
Since = Annotated[datetime | None, typer.Option(help="Feedback: answered at this time (UTC) or later.")]
Until = Annotated[datetime | None, typer.Option(help="Feedback: answered before this time (UTC).")]
