"""Which pictures the shipped reference finds unlike its own, by kind: `python -m models.radiology.familiarity`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image, ImageOps
from PIL.Image import Resampling

from models.radiology.data.odd_questions import NEAR_MISSES, OFF_TOPIC, phantom_questions
from models.radiology.data.other_pictures import DRAWN, OPTIONS, QUESTION, draw
from models.radiology.data.questions import Asked, of_split, read_questions
from models.radiology.workshop import OPTION_ORDER
from prompt4trust.files import write_atomically
from prompt4trust.metrics.proportions import exact_interval
from prompt4trust.picture_files import read_reduced_picture
from prompt4trust.pictures import ReducedPicture
from prompt4trust.questions import letter_options
from prompt4trust.shift import LIMIT, Described, Reference, ReferenceArtifact
from prompt4trust.shift.reference import reached
from prompt4trust.shift.words import describe_words, wording

CLAIMED = "body part"
"""Kind of questions whose right answers the reference knows with their pictures."""
_PER_KIND = 200
_CROPS = 6

CHANGED: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "as it is, PNG": lambda picture: picture,
    "JPEG of quality 60": lambda picture: _jpeg(picture, 60),
    "half as large": lambda picture: picture.resize((picture.width // 2, picture.height // 2), Resampling.BICUBIC),
    "15 % darker": lambda picture: picture.point(lambda value: value * 0.85),
    "mirrored": ImageOps.mirror,
    "inverted": ImageOps.invert,
    "turned by 90 degrees": lambda picture: picture.rotate(90, expand=True),
    "upside down": lambda picture: picture.rotate(180),
}
"""Name -> what is done to a radiograph: the first five leave it an ordinary one."""


def judge(reference: Reference, artifact: ReferenceArtifact, pictures: Iterable[Image.Image], limit: float) -> Any:
    """Count the pictures that a usual question about defers.

    Returns:
        n, the share beyond the limit with its exact 95 % interval, and the share that each part puts there.
    """
    describer = artifact.describer()
    options = letter_options(OPTIONS)
    return _shares(
        reference, [describer.describe(ReducedPicture.of(each), QUESTION, options) for each in pictures], limit
    )


def false_alarms(
    reference: Reference, artifact: ReferenceArtifact, asked: Iterable[Asked], images: Path, limit: float
) -> dict[str, Any]:
    """Count a split's own questions, and pictures, beyond the limit.

    Returns:
        `questions`: shares as of `judge`, of all questions; `pictures`: of one usual question about each picture.
    """
    describer, rows = artifact.describer(), list(asked)
    seen = {name: read_reduced_picture(images / name) for name in sorted({each.picture for each in rows})}
    own = [describer.describe(seen[each.picture], each.text, each.lettered) for each in rows]
    usual = [describer.describe(picture, QUESTION, letter_options(OPTIONS)) for picture in seen.values()]
    return {"questions": _shares(reference, own, limit), "pictures": _shares(reference, usual, limit)}


def unlike_questions(
    reference: Reference, artifact: ReferenceArtifact, pictures: Iterable[Image.Image], limit: float
) -> dict[str, Any]:
    """Count unlike questions about usual pictures, by kind: here it is what is asked that is judged.

    Returns:
        By kind n, the different questions; the share that is beyond the limit about every one of the pictures, with its
        exact 95 % interval; and the share of questions that each part puts there about some picture.
    """
    describer, seen = artifact.describer(), [ReducedPicture.of(each) for each in pictures]
    kinds = {"off topic": OFF_TOPIC, "medical, of other things": NEAR_MISSES, "of Phantom-VQA": phantom_questions()}
    found = {}
    for kind, asked in kinds.items():
        shares = [
            _shares(reference, [describer.describe(each, text, letter_options(options)) for each in seen], limit)
            for text, options in asked
        ]
        told = sum(each["beyond"] == 1 for each in shares)
        parts = {name: round(float(np.mean([each["by_part_alone"][name] > 0 for each in shares])), 4)
                 for name in reference.parts}  # fmt: skip
        found[kind] = {**_counted(told, len(asked)), "by_part_alone": parts}
    return found


def contradictions(
    reference: Reference, artifact: ReferenceArtifact, asked: Iterable[Asked], images: Path
) -> dict[str, dict[str, float]]:
    """Count the answers to a body-part question about a split's pictures that the picture speaks against.

    It is asked in learned words (`QUESTION`), as nothing is held against the looks in others; `asked` says of how many
    of the split's own body-part questions something is.

    Returns:
        `right` and `wrong`: n answers, the share that is spoken against, and its exact 95 % interval; each picture has
        one right answer and one wrong one for each other option. `held`: n questions of the split, the share in learned
        words, and its interval.
    """
    describer = artifact.describer()
    own = [each for each in asked if each.kind == CLAIMED]
    pictures = {each.picture: each for each in own}
    told: dict[str, list[bool]] = {"right": [], "wrong": []}
    for name, each in sorted(pictures.items()):
        described = describer.describe(read_reduced_picture(images / name), QUESTION, each.lettered)
        for place, option in enumerate(each.options):
            side = "right" if place == each.gold else "wrong"
            told[side].append(reference.against(described, option, each.options) is not None)
    claims = None if reference.claims is None else reference.claims[1]
    words = [describe_words(each.text, each.lettered) for each in own]
    told["held"] = [
        claims is not None and claims.asks_that(said.question, map(wording, each.options))
        for said, each in zip(words, own, strict=True)
    ]
    return {side: _counted(sum(against), len(against)) for side, against in told.items()}


def photographs(folder: Path, seed: int = 0) -> dict[str, list[Image.Image]]:
    """Read a folder of folders of pictures, a folder a kind: each as it is and in parts, in its colours and in grey."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[Image.Image]] = {}
    for path in sorted(folder.glob("*/*")):
        with Image.open(path) as opened:
            whole = opened.convert("L" if opened.mode in ("1", "L", "I", "F", "I;16") else "RGB")
        for picture in (whole, whole.convert("L")) if whole.mode == "RGB" else (whole,):
            name = f"{path.parent.name}, {'in colour' if picture.mode == 'RGB' else 'in grey'}"
            found.setdefault(name, []).extend([picture, *(_part(picture, rng) for _ in range(_CROPS - 1))])
    return found


def _part(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    width, height = (int(side * rng.uniform(0.4, 0.9)) for side in picture.size)
    left, top = int(rng.integers(0, picture.width - width + 1)), int(rng.integers(0, picture.height - height + 1))
    return picture.crop((left, top, left + width, top + height))


def _jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as opened:
        return opened.copy()


def _shares(reference: Reference, described: list[Described], limit: float) -> dict[str, Any]:
    judged, parts = reference.judge_all(described)
    beyond = sum(reached(each, limit) for each in judged)
    alone = {
        # As it counts among all parts: each of p parts puts beyond what has 1 - (1 - limit) / p of it.
        name: round(float(np.mean([reached(1 - len(parts) * (1 - each), limit) for each in scores])), 4)
        for name, scores in parts.items()
    }
    return {**_counted(beyond, len(judged)), "by_part_alone": alone}


def _counted(beyond: int, n: int) -> dict[str, float]:
    """Give a count as a share of n, to four digits, with its exact 95 % interval."""
    low, high = exact_interval(beyond, n)
    return {"n": n, "beyond": round(beyond / n, 4), "low": round(low, 4), "high": round(high, 4)}


def main(
    data: Annotated[Path, typer.Option(help="Folder of VQA-RAD.")],
    reference: Annotated[Path, typer.Option(help="The reference's file.")],
    split: Annotated[str, typer.Option(help="Validation while anything is chosen, then test.")] = "test",
    others: Annotated[Path | None, typer.Option(help="Folder of folders of other pictures, a folder a kind.")] = None,
    limit: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Atypicality that counts as beyond.")] = LIMIT,
    n: Annotated[int, typer.Option(min=1, help="Pictures of each drawn kind.")] = _PER_KIND,
    out: Annotated[Path, typer.Option(help="File that the figures are written into.")] = Path("familiarity.json"),
) -> None:
    """Write, by kind of picture, the share of pictures that the reference tells as unlike its own."""
    artifact = ReferenceArtifact.load(reference)
    judges = artifact.reference()
    asked, images = of_split(read_questions(data, OPTION_ORDER), split), data / "images"
    own = [Image.open(images / name).convert("L") for name in sorted({each.picture for each in asked})]
    figures: dict[str, Any] = {
        "limit": limit,
        "finest": round(judges.finest, 4),
        "compared_with": judges.counts,
        "split": split,
        "own": false_alarms(judges, artifact, asked, images, limit),
    }
    figures["changed"] = {
        name: judge(judges, artifact, [change(each) for each in own], limit) for name, change in CHANGED.items()
    }
    figures["spoken against"] = contradictions(judges, artifact, asked, images)
    figures["unlike questions"] = unlike_questions(judges, artifact, own, limit)
    figures["drawn"] = {kind: judge(judges, artifact, draw(kind, n, 7, split), limit) for kind in DRAWN}
    if others is not None:
        figures["others"] = {
            kind: judge(judges, artifact, pictures, limit) for kind, pictures in photographs(others).items()
        }
    for group in ("own", "spoken against", "changed", "unlike questions", "drawn", "others"):
        for kind, found in figures.get(group, {}).items():
            shown = f"{found['beyond']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
            typer.echo(f"{group:16} {kind:28} {shown} n {found['n']} {found.get('by_part_alone', '')}")
    write_atomically(out, json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
