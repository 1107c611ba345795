"""A request's body becomes a question and the bytes of a picture, from JSON or from a form."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import anyio
import anyio.lowlevel
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException

from prompt4trust.errors import PictureError, UnclearOptionsError
from prompt4trust.options.in_text import split_options
from prompt4trust.pictures import decode_base64, split_picture_text
from services.common.http.problems import Problem
from services.common.http.strict_json import load_json
from services.gateway.archives.references import is_address
from services.gateway.intake.form_parser import FormParser, fault_of
from services.gateway.intake.json_body import check_fields, load_object, refuse, shown
from services.gateway.intake.picture_cut import DecodeText, with_picture
from services.gateway.picture_schemas import ArchivedInstance
from services.gateway.question_schemas import Ask
from services.gateway.settings_parts.methods import DEFAULT_METHODS

_FIELDS = ("question", "options", "method", "max_risk", "coverage", "groups", "frame", "window")
_MAX_PARTS = 40  # 26 options, the other fields, and a little room for a helpful message
_CHUNK = 1 << 18
UNCLEAR_OPTIONS: Final = "unclear-options"
"""Kind of the problem that lines of a question may be its options or not: clients offer to ask it as an open one."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A request as a client sent it.

    Attributes:
        ask: The checked question.
        image: The picture's bytes, unchecked.
        media_type: The type that the client declared for it, or None.
        filename: The name that the client gave it, or None.
        address: Where the picture is to be fetched from instead, or None.
    """

    ask: Ask
    image: bytes
    media_type: str | None = None
    filename: str | None = None
    address: str | None = None


class SubmissionReader(Protocol):
    """Reads a request's body: `read_submission`, or what reads another form of it."""

    async def __call__(self, headers: Headers, body: bytes, max_image_bytes: int, methods: Sequence[str]) -> Submission:
        """Read it; see `read_submission`."""
        ...


async def read_submission(
    headers: Headers, body: bytes, max_image_bytes: int, methods: Sequence[str] = DEFAULT_METHODS
) -> Submission:
    """Read the body of a request to /vqa.

    Args:
        headers: The request's headers.
        body: Its body, JSON or multipart/form-data.
        max_image_bytes: Largest picture.
        methods: Methods that clients may ask for.

    Returns:
        The question and the picture.

    Raises:
        Problem: 400 if the body is malformed, 413 if the picture is too large, 415 for another content type.
        RequestValidationError: If the fields are wrong (422).
    """
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in ("application/json", "multipart/form-data"):
        raise Problem(
            415,
            "unsupported-media-type",
            "Send application/json or multipart/form-data, and say so in the header Content-Type.",
        )
    check_encoding(headers)
    if kind == "application/json":
        submission = await with_picture(body, partial(_from_json, methods))
    else:
        submission = await _from_form(headers, body, methods)
    check_image_size(submission, max_image_bytes)
    return submission


def check_encoding(headers: Headers) -> None:
    """Check that a body comes as it is.

    Raises:
        Problem: 415 if it is compressed.
    """
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Problem(415, "unsupported-content-encoding", "Send the body without Content-Encoding.")


def check_image_size(submission: Submission, max_image_bytes: int) -> None:
    """Check that a picture's file is not too large.

    Raises:
        Problem: 413 if it is.
    """
    if len(submission.image) > max_image_bytes:
        found = f"{len(submission.image) / 1e6:.1f}"
        raise Problem(413, "image-file-too-large", f"The image may have {max_image_bytes / 1e6:g} MB, not {found}.")


def _from_json(methods: Sequence[str], body: bytes, decode: DecodeText) -> Submission:
    fields = load_object(body, "must be an object with the fields image, question and options")
    return submission_of(fields, methods, decode)


def submission_of(fields: dict[str, Any], methods: Sequence[str], decode: DecodeText = decode_base64) -> Submission:
    """Make a submission of the fields of a JSON object, the picture in base64 among them.

    Args:
        fields: The object; it is changed.
        methods: Methods that clients may ask for.
        decode: Decodes the picture's base64.

    Raises:
        RequestValidationError: If a field is wrong (422).
    """
    image = fields.pop("image", None)
    if image is None:
        refuse("image", "is missing: send the picture in base64 or as a data: URL")
    if not isinstance(image, str) and not (isinstance(image, dict) and image.keys() & ArchivedInstance.model_fields):
        refuse("image", "must be a string, the picture in base64 or as a data: URL, or an instance of an archive")
    given = {name: value for name, value in fields.items() if value is not None}
    if isinstance(image, dict):
        return Submission(_check(given, methods), b"", address=_address_of(image))
    data, media_type, address = _picture_of(image, decode)
    return Submission(_check(given, methods), data, media_type, address=address)


def _address_of(instance: dict[str, Any]) -> str:
    try:
        return check_fields(ArchivedInstance, instance).address
    except RequestValidationError as error:
        raise RequestValidationError([{**fault, "loc": ("image", *fault["loc"])} for fault in error.errors()]) from None


async def _from_form(headers: Headers, body: bytes, methods: Sequence[str]) -> Submission:
    async def chunks() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(body), _CHUNK):
            yield body[start : start + _CHUNK]
            await anyio.lowlevel.checkpoint()

    # Spooled to no less than the whole body: a patient's picture is never written to a temporary file.
    parser = FormParser(headers, chunks(), max_files=1, max_fields=_MAX_PARTS, max_part_size=len(body) + 1)
    parser.spool_max_size = len(body) + 1
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError, LookupError) as error:
        most = f"Send one image and at most {_MAX_PARTS} other parts."
        raise Problem(400, "malformed-form", f"The form cannot be read: {fault_of(error)}. {most}") from None
    try:
        return await _from_fields(form, methods)
    finally:
        await form.close()


async def _from_fields(form: FormData, methods: Sequence[str]) -> Submission:
    for name in form:
        if name != "image" and name not in _FIELDS:
            refuse(shown(name), "is not a field of this request")
        if name != "options" and len(form.getlist(name)) > 1:
            refuse(name, "is given twice")
    fields: dict[str, Any] = {name: form[name] for name in _FIELDS if name != "options" and form.get(name)}
    fields["question"] = form.get("question", "")
    if given := [str(value) for value in form.getlist("options") if value]:
        fields["options"] = _form_options(given)
    if "groups" in fields:
        fields["groups"] = _form_object("groups", str(fields["groups"]))
    if str(fields.get("window", "")).lstrip().startswith("{"):
        fields["window"] = _form_object("window", str(fields["window"]))
    image = form.get("image")
    if isinstance(image, UploadFile):
        return Submission(_check(fields, methods, strict=False), await image.read(), image.content_type, image.filename)
    if not image:
        refuse("image", "is missing: send the picture as a file")
    data, media_type, address = _picture_of(image, decode_base64)
    return Submission(_check(fields, methods, strict=False), data, media_type, address=address)


def _picture_of(text: str, decode: DecodeText) -> tuple[bytes, str | None, str | None]:
    """Read a picture's bytes and media type, or the address that stands in their place."""
    if is_address(text):
        return b"", None, text
    try:
        coded, media_type = split_picture_text(text)
        return decode(coded), media_type, None
    except PictureError as error:
        refuse("image", error.detail)


def _form_options(values: list[str]) -> Any:
    """Options of a form: the field repeated, or once with a JSON list or object."""
    if len(values) != 1:
        return values
    text = values[0].strip()
    if text[:1] not in ("[", "{"):
        refuse("options", "is there once: repeat the field for each option, or send a JSON list or object")
    try:
        return load_json(text)
    except (ValueError, RecursionError):
        refuse("options", "begins like JSON and is not: repeat the field, or send a JSON list or object")


def _form_object(name: str, text: str) -> Any:
    try:
        return load_json(text)
    except (ValueError, RecursionError):
        refuse(name, "must be a JSON object")


def with_options_of_text(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Take options out of the question's text where a request names none beside it, as chats do.

    Args:
        fields: The fields of a question, unchecked. `options` that are there, if only as [], leave the text as it is.

    Raises:
        Problem: 422 `unclear-options` if lines of the text look like options and cannot be read as such.
    """
    text = fields.get("question")
    if "options" in fields or not isinstance(text, str):
        return dict(fields)
    try:
        split = split_options(text)
    except UnclearOptionsError as error:
        message = f"{error}, or send them as options; an open question is sent with the options []"
        fault = {"field": "question", "message": message}
        raise Problem(422, UNCLEAR_OPTIONS, f"Check question: {message}.", errors=[fault]) from None
    return {**fields, "question": split.question, "options": [*split.options]} if split.options else dict(fields)


def _check(fields: Mapping[str, Any], methods: Sequence[str], *, strict: bool = True) -> Ask:
    fields = with_options_of_text(fields)
    return check_fields(Ask, {"method": methods[0], **fields}, {"methods": methods}, strict=strict)
