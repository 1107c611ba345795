"""Options that several commands have in common, alone or in groups."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

EarlierRun = Annotated[Path | None, typer.Option(help="Use this earlier run instead of asking models.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Draw this many questions.")]
Resamples = Annotated[int, typer.Option(min=1, help="Bootstrap resamples for the intervals.")]
Images = Annotated[Path | None, typer.Option(help="Folder of the pictures, where it is not beside the file.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out rows that cannot be used.")]
DownstreamUrl = Annotated[str | None, typer.Option(help="OpenAI-compatible API, with /v1.")]
Model = Annotated[str | None, typer.Option(help="Model name to ask the downstream API for.")]


@dataclass(frozen=True, slots=True)
class QuestionOptions:
    """Which of a file's questions are used, and what of them."""

    limit: Limit = None
    images: Images = None
    min_side: Annotated[int | None, typer.Option(min=1, help="Leave out pictures with fewer pixels on a side.")] = None
    skip_bad: SkipBad = False


@dataclass(frozen=True, slots=True)
class AskingOptions:
    """A prediction run: its folder, and how models are asked."""

    out: Annotated[Path | None, typer.Option(help="The run's folder; the same command resumes it.")] = None
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="Questions in flight at once.")] = 32
    deadline: Annotated[float, typer.Option(min=0.1, help="Longest wait for one reply, in seconds.")] = 120.0
    recheck: Annotated[
        bool, typer.Option(help="On resuming, make sure that the models still reply as they did (greedy decoding).")
    ] = True


@dataclass(frozen=True, slots=True)
class ServedModelOptions:
    """The models, and the wording and decoding that they are asked with; None for the setting."""

    downstream_url: DownstreamUrl = None
    model: Model = None
    egress_host: Annotated[
        list[str] | None, typer.Option(help="Host beyond this machine that pictures may be sent to; may be repeated.")
    ] = None
    policy_url: Annotated[str | None, typer.Option(help="The policy service.")] = None
    policy_version: Annotated[str | None, typer.Option(help="Policy version; by default the active one.")] = None
    template: Annotated[str | None, typer.Option(help="Answer template, as name@version or a JSON file.")] = None
    temperature: Annotated[float | None, typer.Option(min=0, help="Of the downstream model; 0 is greedy.")] = None
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest reply of the downstream model.")] = None

    def settings(self) -> dict[str, str | float | list[str] | None]:
        """Name the options as the settings that they are laid over; None where one was not given."""
        return {
            "downstream_url": self.downstream_url,
            "downstream_model": self.model,
            "policy_url": self.policy_url,
            "answer_template": self.template,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "egress_hosts": self.egress_host,
        }
