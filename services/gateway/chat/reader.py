"""A chat completion's body becomes a submission, as that of /vqa does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import Headers

from prompt4trust.errors import PictureError
from prompt4trust.estimators import ESTIMATORS
from prompt4trust.models import Sampling
from prompt4trust.pictures import split_picture_text
from services.common.http.strict_json import load_json
from services.common.openai.errors import OpenAIError, from_validation
from services.gateway.chat.model_names import method_of
from services.gateway.chat.question import ChatQuestion, question_of, refuse
from services.gateway.chat.reply_form import ReplyForm, reply_form
from services.gateway.chat.request import CalibratedChatRequest
from services.gateway.intake.json_body import check_fields, require_json
from services.gateway.intake.picture_cut import DecodeText, with_picture
from services.gateway.intake.submission import Submission, check_encoding, check_image_size
from services.gateway.question_schemas import Ask


@dataclass(frozen=True, slots=True)
class ReadChat:
    """A chat that has been read and can be answered.

    Attributes:
        request: The request.
        method: The method that its model stands for.
        form: The form that its reply is to have.
        picture_place: Where in the request its picture is.
    """

    request: CalibratedChatRequest
    method: str
    form: ReplyForm
    picture_place: str


class ChatReader:
    """Reads one chat completion's body; a `SubmissionReader`.

    Args:
        sampling: The decoding of the downstream model, which calibration rests on: other wishes are refused.

    Attributes:
        chat: The chat, once it has been read.
    """

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self.chat: ReadChat | None = None

    async def __call__(self, headers: Headers, body: bytes, max_image_bytes: int, methods: Sequence[str]) -> Submission:
        """Read the body.

        Args:
            headers: The request's headers.
            body: Its body.
            max_image_bytes: Largest picture.
            methods: Methods that clients may ask for, the default one first.

        Raises:
            Problem: 413 or 415 for the body as a whole or the picture's size.
            OpenAIError: 400 or 404 for what is in it.
        """
        require_json(headers)
        check_encoding(headers)
        self.chat, submission = await with_picture(body, partial(_read, methods, self._sampling), _has_schema)
        check_image_size(submission, max_image_bytes)
        return submission


def _has_schema(body: bytes) -> bool:
    # Of a schema or a function's parameters, or of instructions that tell one.
    return b'"parameters"' in body or b'"json_schema"' in body or b'"json_object"' in body


def _read(methods: Sequence[str], sampling: Sampling, body: bytes, decode: DecodeText) -> tuple[ReadChat, Submission]:
    _check_json(body)
    try:
        request = CalibratedChatRequest.model_validate_json(body)
    except ValidationError as error:
        raise from_validation(error) from None
    method = method_of(request.model, methods)
    _check_decoding(request, method, sampling)
    question = question_of(request)
    ask = _checked({**question.fields, "method": method}, question, methods)
    form = reply_form(request, ask)
    try:
        coded, media_type = split_picture_text(question.picture, needs_data_url=True)
        image = decode(coded)
    except PictureError as error:
        refuse(question.picture_place, f"The picture {error.detail}.", "invalid_image_url")
    return ReadChat(request, method, form, question.picture_place), Submission(ask, image, media_type)


def _check_json(body: bytes) -> None:
    """Refuse what pydantic's reader takes and /vqa does not: of two equal keys it keeps the last."""
    try:
        load_json(body)
    except UnicodeDecodeError:
        why = "it is not UTF-8"
    except ValueError as error:
        why = str(error)
    except RecursionError:
        why = "it is nested too deep"
    else:
        return
    raise OpenAIError(400, f"The body of your request is not valid JSON: {why}.")


def _check_decoding(request: CalibratedChatRequest, method: str, sampling: Sampling) -> None:
    """Refuse wishes that would change what the model writes: no calibrator was fitted on that."""
    is_greedy = sampling.temperature == 0
    if request.temperature not in (None, sampling.temperature):
        _refuse_decoding("temperature", sampling.temperature)
    if request.top_p not in (None, sampling.top_p) and not is_greedy:
        _refuse_decoding("top_p", sampling.top_p)
    if request.seed is not None and (not is_greedy or ESTIMATORS[method].samples):
        refuse("seed", "This model draws at random and cannot be given a seed: leave it out.", "unsupported_value")
    if request.n not in (None, 1):
        refuse("n", "A question has one answer, however often it is asked: leave 'n' out.", "unsupported_value")
    if (asked := request.token_limit) is not None and (sampling.max_tokens is None or asked < sampling.max_tokens):
        name = "max_tokens" if request.max_completion_tokens is None else "max_completion_tokens"
        least = "leave it out" if sampling.max_tokens is None else f"allow {sampling.max_tokens}, or leave it out"
        refuse(name, f"Answers are not cut short, as calibration rests on whole ones: {least}.", "unsupported_value")


def _refuse_decoding(param: str, own: float) -> None:
    message = f"Calibration holds for the gateway's own {param}, {own:g}: leave it out."
    refuse(param, message, "unsupported_value")


def _checked(fields: Mapping[str, Any], question: ChatQuestion, methods: Sequence[str]) -> Ask:
    try:
        return check_fields(Ask, fields, {"methods": methods})
    except RequestValidationError as error:
        fault = error.errors()[0]
        param = question.places.get(str(fault["loc"][0]), "messages") if fault["loc"] else "messages"
        message = str(fault["msg"]).removeprefix("Value error, ")
    raise OpenAIError(400, f"Invalid value for '{param}': {message}.", param=param, code="invalid_value")
