"""Options that several commands have in common, alone or in groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from prompt4trust.datasets import KINDS, Dataset, Kind, load_dataset, parse_columns
from prompt4trust.meaning import JUDGES
from trustvqa.cli.addresses import checked_address
from trustvqa.cli.errors import CommandError

EarlierRun = Annotated[Path | None, typer.Option(help="Use this earlier run instead of asking models.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Draw this many questions.")]
Resamples = Annotated[int, typer.Option(min=1, help="Bootstrap resamples for the intervals.")]
Images = Annotated[Path | None, typer.Option(help="Folder of the pictures, where it is not beside the file.")]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="|".join(KINDS), help="The file's format, where its fields do not show it."),
]
Columns = Annotated[
    str | None,
    typer.Option(
        help="Of a table of any other format (CSV, TSV, JSON, parquet), which column holds what: "
        "question=Q,options=A+B+C+D,answer=T,image=F; also id and group."
    ),
]
CopBase = Annotated[
    int | None,
    typer.Option(
        min=0, max=1, help="Number of the first option, where right options are numbers and 0 is none of them."
    ),
]
Judge = Annotated[
    str | None,
    typer.Option(help=f"Take the open questions alone; this judge says which answers are right: {', '.join(JUDGES)}."),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out rows that cannot be used.")]
DownstreamUrl = Annotated[
    str | None, typer.Option(callback=checked_address, help="OpenAI-compatible API, with /v1.", metavar="URL")
]
Model = Annotated[str | None, typer.Option(help="Model name to ask the downstream API for.")]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a question file is laid out, as the command line names it; None for what the file itself shows."""

    kind: str | None = None
    columns: str | None = None
    cop_base: int | None = None


def read_questions(
    path: Path,
    layout: Layout,
    *,
    images: Path | None = None,
    skip_bad: bool = False,
    limit: int | None = None,
    seed: int = 42,
    min_side: int | None = None,
    judge: str | None = None,
) -> Dataset:
    """Read a question file as options say; where a judge is named, its open questions alone.

    Raises:
        CommandError: If there is no such format or judge, or no open question for the judge.
        DatasetError: If the file, or the columns named, cannot be used.
    """
    if judge is not None and judge not in JUDGES:
        raise CommandError(f"no judge {judge!r} of open answers; there are {', '.join(JUDGES)}")
    known: Mapping[str, Kind] = {each: each for each in KINDS}
    if layout.kind is not None and layout.kind not in known:
        raise CommandError(f"no format {layout.kind!r}; there are {', '.join(KINDS)}")
    dataset = load_dataset(
        path,
        known[layout.kind] if layout.kind is not None else None,
        images=images,
        on_bad="skip" if skip_bad else "error",
        limit=limit if judge is None else None,
        seed=seed,
        min_side=min_side,
        columns=None if layout.columns is None else parse_columns(layout.columns),
        cop_base=None if layout.cop_base is None else 0 if layout.cop_base == 0 else 1,
    )
    if judge is None:
        return dataset
    judged = dataset.judged_by(judge, limit=limit, seed=seed)
    if not judged.questions:
        raise CommandError(f"{path}: no open question with an expected answer, for a judge to compare with")
    return judged


@dataclass(frozen=True, slots=True)
class QuestionOptions:
    """Which of a file's questions are used, and what of them."""

    limit: Limit = None
    images: Images = None
    min_side: Annotated[int | None, typer.Option(min=1, help="Leave out pictures with fewer pixels on a side.")] = None
    skip_bad: SkipBad = False
    kind: Format = None
    columns: Columns = None
    cop_base: CopBase = None
    judge: Judge = None

    def load(self, path: Path, seed: int) -> Dataset:
        """Read the questions.

        Args:
            path: The question file.
            seed: Seed of the draw.

        Raises:
            CommandError: If there is no such format or judge, or no open question for the judge.
            DatasetError: If the file, or the columns named, cannot be used.
        """
        return read_questions(
            path,
            Layout(self.kind, self.columns, self.cop_base),
            images=self.images,
            skip_bad=self.skip_bad,
            limit=self.limit,
            seed=seed,
            min_side=self.min_side,
            judge=self.judge,
        )


@dataclass(frozen=True, slots=True)
class AskingOptions:
    """A prediction run: its folder, and how models are asked."""

    out: Annotated[Path | None, typer.Option(help="The run's folder; the same command resumes it.")] = None
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="Questions in flight at once.")] = 32
    deadline: Annotated[float, typer.Option(min=0.1, help="Longest wait for one reply, in seconds.")] = 120.0
    recheck: Annotated[
        bool, typer.Option(help="On resuming, make sure that the models still reply as they did (greedy decoding).")
    ] = True
    reference: Annotated[
        Path | None,
        typer.Option(
            help="A file of reference inputs, of other questions: how near each question is to them is a signal."
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class ServedModelOptions:
    """The models, and the wording and decoding that they are asked with; None for the setting."""

    downstream_url: DownstreamUrl = None
    model: Model = None
    second_url: Annotated[
        str | None,
        typer.Option(callback=checked_address, help="The same of a second model, for cgp+second-model.", metavar="URL"),
    ] = None
    second_model: Annotated[str | None, typer.Option(help="Model name to ask that one for.")] = None
    egress_host: Annotated[
        list[str] | None, typer.Option(help="Host beyond this machine that pictures may be sent to; may be repeated.")
    ] = None
    burned_in_host: Annotated[
        list[str] | None,
        typer.Option(help="Host that may also be sent DICOM pictures that hold text, or may; may be repeated."),
    ] = None
    policy_url: Annotated[
        str | None, typer.Option(callback=checked_address, help="The policy service.", metavar="URL")
    ] = None
    policy_version: Annotated[str | None, typer.Option(help="Policy version; by default the active one.")] = None
    template: Annotated[
        str | None,
        typer.Option(
            help="Answer template, as name@version or a JSON file; +module:function behind it names a parser."
        ),
    ] = None
    temperature: Annotated[float | None, typer.Option(min=0, help="Of the downstream model; 0 is greedy.")] = None
    top_p: Annotated[float | None, typer.Option(help="Nucleus of the downstream model; 1 for all.")] = None
    top_k: Annotated[int | None, typer.Option(min=0, help="Candidates of the downstream model; 0 for all.")] = None
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest reply of the downstream model.")] = None

    def settings(self) -> dict[str, str | float | list[str] | None]:
        """Name the options as the settings that they are laid over; None where one was not given."""
        return {
            "downstream_url": self.downstream_url,
            "downstream_model": self.model,
            "second_downstream_url": self.second_url,
            "second_downstream_model": self.second_model,
            "policy_url": self.policy_url,
            "answer_template": self.template,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "max_tokens": self.max_tokens,
            "egress_hosts": self.egress_host,
            "burned_in_hosts": self.burned_in_host,
        }
