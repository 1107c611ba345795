"""`trustvqa batch`: a file of questions to the gateway, a file of results back."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from prompt4trust.datasets import Dataset
from prompt4trust.errors import DatasetError
from prompt4trust.group_names import group_key
from prompt4trust.questions import Question
from trustvqa.cli.addresses import GatewayAddress
from trustvqa.cli.api_key import read_key
from trustvqa.cli.ask.client_errors import in_words
from trustvqa.cli.ask.dicom_options import Frame, WindowText, window_of
from trustvqa.cli.ask.group_options import named_groups
from trustvqa.cli.ask.results_file import ResultsFile
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.option_groups import grouped
from trustvqa.cli.running_stack import default_address
from trustvqa.cli.runs import options
from trustvqa.cli.runs.progress import counting_bar
from trustvqa.client import Client, ClientError, VqaQuestion
from trustvqa.client.batches import MOST
from trustvqa.client.pictures import MAX_BYTES

_SOME_FAILED = 4
_SHOWN = 5  # reasons of failures


@grouped
def batch(
    data: Annotated[Path, typer.Argument(help="Questions: any file or folder that `trustvqa evaluate --data` reads.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file of results; the same command goes on with it.")],
    method: Annotated[str | None, typer.Option(help="How the confidence is obtained.")] = None,
    max_risk: Annotated[
        float | None, typer.Option(min=0, max=1, help="Largest share of wrong answers you accept.")
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Rate at which the set of remaining options is to hold the right one.")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            help="A group of the file that is sent with each question, by its name, such as modality; or NAME=VALUE, "
            "such as modality=CT, for all. None is sent that is not named here; more than once for several."
        ),
    ] = None,
    frame: Frame = None,
    window: WindowText = None,
    concurrency: Annotated[int, typer.Option(min=1, max=MOST, help="Questions under way at once.")] = 16,
    with_guesses: Annotated[
        bool,
        typer.Option("--with-guesses", help="Where the decision is to defer, write the model's choice as a guess."),
    ] = False,
    gateway: GatewayAddress = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds for one question, with further tries; it may wait for people's.")
    ] = 1800.0,
    seed: Annotated[int, typer.Option(help="Seed of the draw, where there is a --limit.")] = 42,
    questions: options.QuestionOptions,
) -> None:
    """Ask all questions of a file and write a line of results for each; a killed command goes on where it was.

    Ends with status 0 when every question was answered or deferred, 4 when some failed (the same command asks those
    again), 1 on an error.
    """
    console = Console(stderr=True)
    address = gateway or default_address("gateway")
    given: dict[str, Any] = {"method": method, "max_risk": max_risk, "coverage": coverage, "frame": frame}
    asked = {"data": data.name, **given, "window": window}
    given["window"] = window_of(window)
    try:
        named, fixed = _named_groups(group or [])
        dataset = questions.load(data, seed)
        _check_named(named, dataset, data)
        with (
            ResultsFile(out, asked, with_guesses=with_guesses) as results,
            Client(address, api_key=read_key()) as client,
        ):
            all_asked = [_question(each, given, named, fixed) for each in dataset.questions]
            left = _left(all_asked, results)
            before = len(dataset.questions) - len(left)
            known = f", {before} of them from before" if before else ""
            said = f"{len(dataset.questions)} questions into {escape(str(out))}{known}"
            console.print(said, soft_wrap=True, highlight=False)
            failed: Counter[str] = Counter()
            with counting_bar(console, disable=not console.is_terminal) as bar:
                task = bar.add_task("asking", total=len(dataset.questions), completed=before)
                digests: dict[str, str] = {}
                asking = _noting(left, digests)
                for outcome in client.batch(asking, key=results.key, concurrency=concurrency, deadline_s=timeout):
                    results.append(outcome, digests.pop(outcome.id, ""))
                    if outcome.error is not None:
                        failed[str(outcome.error)] += 1
                    bar.advance(task)
    except (CommandError, DatasetError) as error:
        fail(str(error))
    except ClientError as error:
        fail(in_words(error, address))
    _summarise(dataset, results, failed, console)
    raise typer.Exit(_SOME_FAILED if failed else 0)


def _named_groups(given: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Divide what --group says into the names of the file's own groups and what holds for all questions."""
    fixed = named_groups([each for each in given if "=" in each])
    named = [each.strip() for each in given if "=" not in each]
    times = Counter(map(group_key, [*named, *fixed]))  # the gateway, too, takes other spellings for the same group
    if twice := {name for name in named if times[group_key(name)] > 1}:
        raise CommandError(f"--group: {', '.join(sorted(twice))} is named twice")
    return named, fixed


def _check_named(named: Sequence[str], dataset: Dataset, data: Path) -> None:
    there = dict.fromkeys(name for question in dataset.questions for name in question.groups)
    if missing := [name for name in named if name not in there]:
        known = f"its groups are {', '.join(there)}" if there else "it has none; --columns names a table's, as group=C"
        raise CommandError(f"--group {', '.join(missing)}: no question of {data} names it; {known}")


def _question(
    question: Question, given: Mapping[str, Any], named: Sequence[str], fixed: Mapping[str, str]
) -> VqaQuestion:
    # Not the truth, and of a data set's groups those alone that were asked for: some tell the truth.
    options_in_order = dict(question.options)
    groups = {**fixed, **{name: question.groups[name] for name in named if name in question.groups}}
    return VqaQuestion(question.image, question.text, options_in_order, question.id, groups=groups, **given)


def _left(asked: Sequence[VqaQuestion], results: ResultsFile) -> list[VqaQuestion]:
    """Find the questions without a result; a result of another question under the same id ends the command."""
    known = [each for each in asked if each.id in results.digests]
    other = [str(each.id) for each in known if results.digests[str(each.id)] != _digest(each, _file_of(each))]
    if other:
        named = ", ".join(repr(each) for each in other[:_SHOWN]) + (", …" if len(other) > _SHOWN else "")
        raise CommandError(
            f"{results.path} has results of other questions, options or pictures under {len(other)} of the same ids "
            f"({named}): name another file for the results"
        )
    return [each for each in asked if each.id not in results.digests]


def _noting(asked: Sequence[VqaQuestion], digests: dict[str, str]) -> Iterator[VqaQuestion]:
    """Give each question with its picture's file, read once, and note the digest of both."""
    for each in asked:
        file = _file_of(each)
        digests[str(each.id)] = _digest(each, file)
        yield each if file is None else replace(each, picture=file)


def _file_of(question: VqaQuestion) -> bytes | None:
    """Read a picture's file; None where the question fails by itself when it is asked."""
    try:
        with Path(question.picture).open("rb") as stream:
            file = stream.read(MAX_BYTES + 1)
    except (OSError, TypeError):
        return None
    return file if len(file) <= MAX_BYTES else None


def _digest(question: VqaQuestion, file: bytes | None) -> str:
    """SHA-256 of all that is asked, the picture's bytes included; by it a result is known as the question's own."""
    picture = "" if file is None else hashlib.sha256(file).hexdigest()
    # Results of before name no options of an open question.
    asked = {name: value for name, value in question.fields().items() if value != {}}
    return hashlib.sha256(json.dumps([asked, picture]).encode()).hexdigest()


def _summarise(dataset: Dataset, results: ResultsFile, failed: Counter[str], console: Console) -> None:
    ids = {each.id for each in dataset.questions}
    counts = Counter(decision for each, decision in results.decisions.items() if each in ids)
    console.print(
        f"{counts['answer']} answered, {counts['defer']} deferred to a person, {failed.total()} failed", highlight=False
    )
    for why, count in failed.most_common(_SHOWN):
        console.print(f"  {count} × {escape(why)}", style="red", highlight=False, soft_wrap=True)
