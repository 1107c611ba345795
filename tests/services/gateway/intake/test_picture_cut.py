"""Bodies whose picture is cut out before they are parsed: read as whole ones are, whatever stands in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers

from prompt4trust.models import Sampling
from services.gateway.cds_hooks.hook_reader import HookReader
from services.gateway.chat.reader import ChatReader
from services.gateway.intake import picture_cut
from services.gateway.intake.picture_cut import DecodeText, with_picture
from services.gateway.intake.submission import Submission, SubmissionReader, read_submission

FILE = bytes(range(256)) * 40  # its base64 holds every character of the alphabet
CODED = base64.b64encode(FILE).decode()
ASKED = {"question": "Which side?", "options": ["Left", "Right"]}
ADDRESS = "https://archive.example/dicom-web/studies/1.2/series/1.3/instances/1.4"
INSTANCE = {"study_uid": "1.2", "series_uid": "1.3", "sop_instance_uid": "1.4", "archive": "https://archive.example"}
LONG = f"Which of these;base64,{CODED[:5_000]}"
HEADERS = Headers({"content-type": "application/json"})
METHODS = ["cgp"]


async def seen_and_read(body: bytes) -> tuple[list[int], Submission]:
    """Read a body of /vqa; the sizes of what was parsed, and what came of it."""
    sizes: list[int] = []

    def read(rest: bytes, decode: DecodeText) -> Any:
        sizes.append(len(rest))
        return decode(json.loads(rest)["image"].rpartition(",")[2])

    await with_picture(body, read)
    return sizes, await read_submission(HEADERS, body, 1 << 30, METHODS)


@pytest.mark.parametrize(
    "image",
    [CODED, f"data:image/png;base64,{CODED}", f" DATA:image/png;name=a;base64,{CODED}"],
    ids=["base64", "data URL", "data URL with more"],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" , ", "  :  ")])
async def test_a_picture_in_plain_base64_is_left_out_of_what_is_parsed(image: str, separators: tuple[str, str]) -> None:
    body = json.dumps({"image": image, **ASKED}, separators=separators).encode()
    sizes, submission = await seen_and_read(body)
    assert sizes == [len(body) - len(CODED) + 32]
    assert (submission.image, submission.ask.question) == (FILE, "Which side?")


def broken_into_lines(text: str) -> str:
    return "\\r\\n".join(text[at : at + 76] for at in range(0, len(text), 76))


WHOLE = {
    "in lines": f'{{"image": "{broken_into_lines(CODED)}", "question": "?", "options": []}}',
    "escaped": f'{{"image": "{CODED}", "question": "?", "options": []}}'.replace("/", "\\/"),
    "URL-safe": f'{{"image": "{CODED.replace("+", "-").replace("/", "_")}", "question": "?", "options": []}}',
    "far behind": json.dumps({"groups": {"a": "x" * 200}, "question": "y" * 20_000, "options": [], "image": CODED}),
    "short": f'{{"image": "{CODED[:400]}", "question": "?", "options": []}}',
    "other picture first": json.dumps({"groups": {"image": CODED}, "image": CODED[:400], **ASKED}),
    "in the question": json.dumps({"question": f"x;base64,{CODED}", "options": [], "image": CODED}),
    "behind an escaped quote": f'{{"image": "\\";base64,{CODED}", "question": "?", "options": []}}',
    "given twice": f'{{"image": "{CODED}", "image": "{CODED}", "question": "?", "options": []}}',
    "outside of texts": f'{{"image": ""image":"{CODED}", "question": "?", "options": []}}',
    "cut short": f'{{"image": "{CODED}", "question": "?", "opt',
    "not closed": f'{{"image": "{CODED}',
    "no base64": f'{{"image": "{CODED}=A", "question": "?", "options": []}}',
    "no question": json.dumps({"image": CODED}),
    "address and a question": json.dumps({**ASKED, "question": LONG, "image": ADDRESS}),
    "address and a long question": json.dumps({**ASKED, "question": f"{LONG}{CODED * 2}", "image": ADDRESS}),
    "address and options": json.dumps({**ASKED, "options": [LONG, "Right"], "image": ADDRESS}),
    "address and an option's label": json.dumps({**ASKED, "options": {LONG: "a", "B": "b"}, "image": ADDRESS}),
    "address and a group": json.dumps({**ASKED, "groups": {"data": CODED}, "image": ADDRESS}),
    "address and a group's name": json.dumps({**ASKED, "groups": {LONG: "a"}, "image": ADDRESS}),
    "address and a window": json.dumps({**ASKED, "window": LONG, "image": ADDRESS}),
    "object and a question": json.dumps({**ASKED, "question": LONG, "image": INSTANCE}),
    "object and a group": json.dumps({**ASKED, "groups": {"image": CODED}, "image": INSTANCE}),
    "object with more": json.dumps({"image": {**INSTANCE, "data": CODED}, **ASKED}),
    "not UTF-8": f'{{"image": "{CODED}", "question": "\xe9", "options": []}}',
}


@pytest.mark.parametrize("body", [text.encode("latin-1") for text in WHOLE.values()], ids=WHOLE)
async def test_what_is_odd_is_read_or_refused_as_a_whole(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await outcome(body)
    monkeypatch.setattr(picture_cut._CutBody, "of", lambda _: None)
    assert found == await outcome(body)


async def outcome(body: bytes, reader: SubmissionReader = read_submission) -> Any:
    try:
        return await reader(HEADERS, body, 1 << 30, METHODS)
    except RequestValidationError as error:
        return error.errors()
    except Exception as error:
        return type(error), str(error)


async def test_a_large_body_is_read_in_a_thread_and_cut_there() -> None:
    file = FILE * 200
    body = json.dumps({"image": base64.b64encode(file).decode(), **ASKED}).encode()
    assert len(body) > 1 << 20
    sizes, submission = await seen_and_read(body)
    assert sizes[0] < 200
    assert submission.image == file


async def test_no_reply_tells_what_stands_in_the_pictures_place() -> None:
    """Who knew it could have one picture decoded and another text taken for it."""
    body = json.dumps({"image": CODED, "question": "?", "options": 5, "more": [f"x;base64,{CODED}"]}).encode()
    assert picture_cut._PLACE not in str(await outcome(body))
    body = json.dumps({"image": picture_cut._PLACE, "question": f";base64,{CODED}", "options": []}).encode()
    with pytest.raises(RequestValidationError, match="question"):
        await read_submission(HEADERS, body, 1 << 30, METHODS)


@pytest.mark.parametrize("place", [0, 1])
async def test_chats_are_cut_too(place: int) -> None:
    parts: Sequence[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{CODED}"}},
        {"type": "text", "text": "Which side?\nA: Left\nB: Right"},
    ]
    content = [parts[place], parts[1 - place]]
    body = json.dumps({"model": "calibrated-vqa", "messages": [{"role": "user", "content": content}]}).encode()
    submission = await ChatReader(Sampling())(HEADERS, body, 1 << 30, METHODS)
    assert (submission.image, dict(submission.ask.options)) == (FILE, {"A": "Left", "B": "Right"})
    rest, file = await with_picture(body, lambda rest, decode: (rest, decode(picture_cut._PLACE)))
    assert len(rest) < 300
    assert file == FILE
    # A reader that decodes another text, or none, is given the body as it came.
    assert await with_picture(body, lambda rest, decode: (rest, decode(CODED))) == (body, FILE)
    assert await with_picture(body, lambda rest, _: rest) == body


TEXT: dict[str, Any] = {"type": "text", "text": f"{LONG}\nA: Left\nB: Right"}
CHATS: dict[str, list[dict[str, Any]]] = {
    "an address": [TEXT, {"type": "image_url", "image_url": {"url": ADDRESS}}],
    "two pictures": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{CODED}"}}] * 2,
    "a picture behind a text": [TEXT, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{CODED}"}}],
    "none": [TEXT],
}
HOOKS: dict[str, dict[str, Any]] = {
    "an address": {"context": {**ASKED, "question": LONG, "image": ADDRESS}},
    "a picture behind a question": {"context": {**ASKED, "question": LONG, "image": CODED}},
    "data of another resource": {"prefetch": {"other": {"data": CODED}}, "context": {**ASKED, "image": ADDRESS}},
    "none": {"context": {**ASKED, "question": LONG}},
}
CHAT_BODIES = [
    {"model": "calibrated-vqa", "messages": [{"role": "user", "content": parts}]} for parts in CHATS.values()
]
HOOK_BODIES = [{"hook": "patient-view", "hookInstance": "1", **rest} for rest in HOOKS.values()]


@pytest.mark.parametrize(
    ("reader", "body"),
    [
        *[
            pytest.param(ChatReader(Sampling()), body, id=f"chat, {name}")
            for name, body in zip(CHATS, CHAT_BODIES, strict=True)
        ],
        *[pytest.param(HookReader(), body, id=f"hook, {name}") for name, body in zip(HOOKS, HOOK_BODIES, strict=True)],
    ],
)
async def test_texts_of_chats_and_hooks_that_are_not_their_picture_stay(
    reader: SubmissionReader, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    coded = json.dumps(body).encode()
    found = await outcome(coded, reader)
    monkeypatch.setattr(picture_cut._CutBody, "of", lambda _: None)
    assert found == await outcome(coded, reader)
