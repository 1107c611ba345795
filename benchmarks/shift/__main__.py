"""Separation of unlike questions from like ones: python -m benchmarks.shift (or `make bench-shift`). Asks no model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.results import write_figures
from benchmarks.shift.spoiling import ELSEWHERE, HARMLESS, STRANGE
from benchmarks.shift.study import (
    Separation,
    as_json,
    ask_elsewhere,
    draw,
    draw_look,
    leave_out,
    reference_of,
    share_json,
    spoil,
    tell,
    time_it,
)
from prompt4trust.datasets.phantoms.families import MODALITIES
from prompt4trust.shift import LIMIT
from prompt4trust.shift.reference_quality import Share, beyond, judge_each

_LEVELS = (0.9, 0.95, 0.99, 0.995)


def main(
    calibration: Annotated[int, typer.Option(min=600, help="Phantoms of the calibration split.")] = 3000,
    test: Annotated[int, typer.Option(min=100, help="Phantoms of the test split.")] = 3000,
    spoilt: Annotated[int, typer.Option(min=20, help="Test phantoms that are spoilt in each way.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the phantoms.")] = 1,
    limit: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Atypicality that counts as beyond.")] = LIMIT,
    split: Annotated[
        str, typer.Option(help="What to try on: validation while descriptors change, then test.")
    ] = "test",
    out: Annotated[Path | None, typer.Option(help="Write all figures there, as JSON.")] = None,
) -> None:
    """Fit on the calibration split, report on the test split."""
    console = Console()
    known, tried = draw(calibration, seed, "calibration"), draw(test, seed, split)
    figures: dict[str, Any] = {
        "settings": {"calibration": calibration, "test": test, "spoilt": spoilt, "seed": seed, "limit": limit,
                     "split": split}
    }  # fmt: skip

    unseen = {modality: leave_out(known, tried, modality, limit) for modality in MODALITIES}
    figures["unseen_modality"] = {modality: as_json(told) for modality, told in unseen.items()}
    console.print(f"\n[bold]A modality that the reference has none of[/], n = {test} of the {split} split")
    console.print(_unseen(unseen))

    reference = reference_of(known)
    usual = [each.described for each in tried]
    judged = judge_each(reference.judge_all(usual))
    shares = {f"{level:g}": {part: beyond(scores, level) for part, scores in judged.items()} for level in _LEVELS}
    figures["like_the_reference"] = {
        level: {part: share_json(share) for part, share in by_part.items()} for level, by_part in shares.items()
    }
    console.print(f"\n[bold]Questions like the reference[/]: share of {test} at or beyond a limit (at most 1 - limit)")
    console.print(_table("limit", shares))

    some = tried[:spoilt]
    kinds: dict[str, Separation] = {}
    pet = [each.described for each in draw_look(spoilt, seed, split, "PET")]
    kinds["a fifth look, like PET"] = tell(reference, usual, pet, limit)
    for name, how in (*STRANGE.items(), *HARMLESS.items()):
        kinds[name] = tell(reference, usual, spoil(some, how), limit)
    kinds["questions about something else"] = tell(reference, usual, ask_elsewhere(some, ELSEWHERE), limit)
    reworded = [each.described for each in draw(spoilt, seed, split, "heldout")]
    kinds["wordings held out of training"] = tell(reference, usual, reworded, limit)
    figures["kinds"] = as_json(kinds)
    console.print(
        f"\n[bold]Other pictures and questions[/], {spoilt} each; JPEG to mirrored, and the last, should not be strange"
    )
    console.print(_kinds(kinds))

    figures["milliseconds"] = {f"{side} x {side}": time_it(reference, tried, side) for side in (112, 1024)}
    for size, times in figures["milliseconds"].items():
        console.print(f"{size}: {times['describe']:.2f} ms to describe, {times['judge']:.2f} ms to judge")
    if out is not None:
        write_figures(out, figures)


def _unseen(unseen: Mapping[str, Mapping[str, Separation]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("unseen", "of which", "n", "AUROC by picture", "by words", "by both", "beyond", "usual beyond"):
        table.add_column(head, no_wrap=True)
    for modality, kinds in unseen.items():
        for kind in ("all", "pure", "blended"):
            told = kinds[kind]
            table.add_row(
                modality if kind == "all" else "",
                kind,
                str(told.n),
                *(f"{area.value:.3f} ({area.low:.3f}-{area.high:.3f})" for area in told.auroc.values()),
                _percent(told.beyond["both"]),
                _percent(kinds["usual"].beyond["both"]) if kind == "all" else "",
            )
    return table


def _kinds(kinds: Mapping[str, Separation]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("", "AUROC by both", "beyond", "by picture alone", "by words alone"):
        table.add_column(head, no_wrap=True)
    for name, told in kinds.items():
        area = told.auroc["both"]
        cells = (_percent(told.beyond[part]) for part in ("both", "picture", "words"))
        table.add_row(name, f"{area.value:.3f} ({area.low:.3f}-{area.high:.3f})", *cells)
    return table


def _table(head: str, shares: Mapping[str, Mapping[str, Share]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    parts = list(next(iter(shares.values())))
    for name in (head, *parts):
        table.add_column(name, no_wrap=True)
    for level, by_part in shares.items():
        table.add_row(level, *(_percent(by_part[part]) for part in parts))
    return table


def _percent(share: Share) -> str:
    return f"{100 * share.value:.3g} % ({100 * share.low:.3g}-{100 * share.high:.3g})"


if __name__ == "__main__":
    typer.run(main)
