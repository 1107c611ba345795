"""A hook's body becomes a submission, as that of /vqa does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from starlette.datastructures import Headers

from prompt4trust.errors import PictureError
from prompt4trust.pictures import split_picture_text
from services.common.http.problems import Problem
from services.gateway.cds_hooks.schemas import HookRequest
from services.gateway.intake.json_body import check_fields, load_object, refuse, require_json
from services.gateway.intake.picture_cut import DecodeText, with_picture
from services.gateway.intake.submission import Submission, check_encoding, check_image_size, with_options_of_text
from services.gateway.question_schemas import Ask

_MUST: Final = "must be an object with hook, hookInstance and context"
_HOLDERS: Final = "a Binary, a Media or a DocumentReference that holds the picture itself"


class HookReader:
    """Reads one hook's body; a `SubmissionReader`.

    Attributes:
        ask: The question, once it has been read.
    """

    def __init__(self) -> None:
        self.ask: Ask | None = None

    async def __call__(self, headers: Headers, body: bytes, max_image_bytes: int, methods: Sequence[str]) -> Submission:
        """Read the body.

        Args:
            headers: The request's headers.
            body: Its body.
            max_image_bytes: Largest picture.
            methods: Methods that are offered; the default one is asked for.

        Raises:
            Problem: 400, 413 or 415 for the body as a whole, 412 if it lacks the picture.
            RequestValidationError: If a field is wrong.
        """
        require_json(headers)
        check_encoding(headers)
        submission = await with_picture(body, partial(_read, methods))
        check_image_size(submission, max_image_bytes)
        self.ask = submission.ask
        return submission


def _read(methods: Sequence[str], body: bytes, decode: DecodeText) -> Submission:
    request = check_fields(HookRequest, load_object(body, _MUST))
    context = request.context
    given: dict[str, Any] = {"question": context.question, "max_risk": context.max_risk}
    if "options" in context.model_fields_set:
        given["options"] = context.options
    given = with_options_of_text(given)
    ask = check_fields(Ask, {"method": methods[0], **given}, {"methods": methods})
    image, declared = _picture_of(request)
    try:
        coded, media_type = split_picture_text(image)
        data = decode(coded)
    except PictureError as error:
        refuse("image", error.detail)
    return Submission(ask, data, media_type or declared)


def _picture_of(request: HookRequest) -> tuple[str, str | None]:
    """Find the picture: base64, and the media type where that is said."""
    if request.context.image is not None:
        return request.context.image, None
    resource = (request.prefetch or {}).get("image")
    if resource is None:
        raise Problem(
            412,
            "prefetch-missing",
            f"The picture is missing: send prefetch.image, {_HOLDERS}, or context.image in base64. Nothing is fetched "
            "from the client's FHIR server.",
        )
    found = _attachment_of(resource)
    data, media_type = found.get("data"), found.get("contentType")
    if not isinstance(data, str):
        refuse("prefetch.image", f"must be {_HOLDERS}: an address in it is not followed")
    return data, media_type if isinstance(media_type, str) and len(media_type) <= 100 else None


def _attachment_of(resource: Any) -> Mapping[str, Any]:
    """Find the part of a FHIR resource that holds data and their type."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if kind == "Binary":
        return dict(resource)
    content = resource.get("content") if kind in ("Media", "DocumentReference") else None
    if kind == "DocumentReference":
        first = content[0] if isinstance(content, list) and len(content) == 1 else None
        content = first.get("attachment") if isinstance(first, dict) else None
    return content if isinstance(content, dict) else {}
