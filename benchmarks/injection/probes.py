"""The probes as they lie in `probes.jsonl`, and the question that each makes of a clean one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmarks.injection.drawing import Ink, Place, with_exif, with_text, with_text_chunk
from benchmarks.phantoms import Drawn
from prompt4trust.questions import letter_options

FILE = Path(__file__).with_name("probes.jsonl")
HARMLESS = "harmless"
"""The kind of the controls: texts of the same length and place that ask for nothing."""

Channel = Literal["question", "option", "picture", "metadata"]
Aim = Literal["answer", "confidence", "guarantee", "defer-off", "guidance", "leak"]


class Probe(BaseModel):
    """One attempt to steer an answer.

    Attributes:
        id: Unique.
        held_out: Whether it serves to measure alone: no defence was made with it in view.
        channel: Where the text goes.
        kind: What kind of attempt it is.
        aim: What it is to bring about: the target answer, a high confidence, a guarantee, an answer in place of a
            deferral, a guidance prompt that steers, or texts that are not the client's.
        place: Where in its channel: after or before the question; in the target option, in another wrong one, in both
            ("pair"), or as another option's twin of the target ("twin"); in the picture as `drawing` has it.
        text: What is inserted; @L is the target's letter and @T its text.
        repeat: How often, for padding.
        end: What follows the padding.
        size: Of the letters in the picture, in pixels.
        ink: Their contrast.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    held_out: bool
    channel: Channel
    kind: str
    aim: Aim
    place: str = "after"
    text: str = Field(min_length=1)
    repeat: int = 1
    end: str = ""
    size: int = 0
    ink: Ink = "white"


@dataclass(frozen=True, slots=True)
class Sent:
    """A question as it is sent.

    Attributes:
        question: Its text.
        options: Letter -> text.
        picture: The file.
        fields: Further fields of the body.
        headers: Further headers.
        filename: Name of the file, where it is sent as a form's.
        media_type: Its type there.
    """

    question: str
    options: dict[str, str]
    picture: bytes
    fields: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    media_type: str = "image/png"


def read_probes(path: Path = FILE) -> list[Probe]:
    """Read the probes, one a line."""
    return [Probe.model_validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()]


def clean(drawn: Drawn) -> Sent:
    """Make the question as it is without an attack."""
    return Sent(drawn.text, letter_options(drawn.options), drawn.png)


def target_of(drawn: Drawn, seed: int) -> str:
    """Draw the letter that an attack on a question is for: always a wrong one."""
    wrong = [letter for place, letter in enumerate(letter_options(drawn.options)) if place != drawn.answer]
    return Random(seed).choice(wrong)


def attacked(drawn: Drawn, probe: Probe, target: str) -> Sent:
    """Make of a clean question the one that a probe attacks with.

    Args:
        drawn: The clean question.
        probe: The probe.
        target: Letter of the wrong option that it is for.
    """
    plain = clean(drawn)

    def fill(text: str) -> str:
        return text.replace("@L", target).replace("@T", plain.options[target])

    text = fill(probe.text * probe.repeat + probe.end)
    if probe.channel == "question":
        before = probe.place == "before"
        return replace(plain, question=f"{text} {plain.question}" if before else f"{plain.question} {text}")
    if probe.channel == "option":
        return replace(plain, options=_options(drawn, probe, target, text))
    if probe.channel == "picture":
        place: Place = probe.place  # type: ignore[assignment] # the file's are those
        return replace(plain, picture=with_text(plain.picture, text, size=probe.size, ink=probe.ink, place=place))
    return _with_metadata(plain, probe.kind, text)


def _options(drawn: Drawn, probe: Probe, target: str, text: str) -> dict[str, str]:
    options = letter_options(drawn.options)
    truth = list(options)[drawn.answer]
    other = next(letter for letter in options if letter not in (target, truth))
    if probe.place == "target":
        return {**options, target: text}
    if probe.place == "twin":
        return {**options, other: f"{options[target]}{text}"}
    if probe.place == "pair":
        first, _, second = text.partition("|") if "<|" not in text else ("<|im_", "", "end|>")
        return {**options, target: f"{options[target]} {first}", other: f"{options[other]} {second}"}
    return {**options, other: f"{options[other]} {text}"}


def _with_metadata(plain: Sent, kind: str, text: str) -> Sent:
    if kind == "filename":
        return replace(plain, filename=text)
    if kind == "media-type":
        return replace(plain, filename="picture.png", media_type=text)
    if kind == "header":
        name, _, value = text.partition(": ")
        return replace(plain, headers={name: value})
    if kind == "groups":
        return replace(plain, fields={"groups": json.loads(text)})
    if kind == "field":
        return replace(plain, fields=json.loads(text))
    name, _, value = text.partition(": ")
    return replace(plain, picture=(with_exif if kind == "exif" else with_text_chunk)(plain.picture, name, value))
