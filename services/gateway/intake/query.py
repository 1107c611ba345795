"""A query: one request to /vqa once it has been taken in. Every later stage reads it and none changes it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass

from prompt4trust.pictures import PreparedPicture
from prompt4trust.shift import Described
from services.gateway.question_schemas import Ask


@dataclass(frozen=True, slots=True)
class Query:
    """A checked question about a prepared picture.

    Attributes:
        ask: The checked question.
        picture: The picture as the models get it.
        described: Descriptor's id -> what question and picture look like to it. It comes
            while the models are being asked.
        id: Id of the answer to come.
        is_repeatable: Whether the id follows from an Idempotency-Key, so that the answer may have been given before.
        request_id: Id of the HTTP request, or None.
        started: When the request's body was there, on the pipeline's clock.
        client: Who asks: a key's id, or an address.
        within_s: Time that the client gives its answer, in seconds from then on.
        keeps_reply: Whether the reply is kept with the record, so that it can be given again as it was.
        asker: Id of the key or of the token's subject that asked and may read its record; None where none is asked for.
    """

    ask: Ask
    picture: PreparedPicture
    described: Awaitable[Mapping[str, Described]]
    id: str
    is_repeatable: bool
    request_id: str | None
    started: float
    client: str = ""
    within_s: float = math.inf
    keeps_reply: bool = False
    asker: str | None = None

    @property
    def digest(self) -> str:
        """Hash of question, options and picture: the same question always gets the same decision."""
        asked = hashlib.sha256(self.picture.sha256.encode())
        for text in (self.ask.question, *(part for option in self.ask.options.items() for part in option)):
            asked.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        return asked.hexdigest()


@dataclass(frozen=True, slots=True)
class LineOrigin:
    """The batch that a line is of, as far as its answer depends on it.

    Attributes:
        client: Whose batch it is: under a name of its own, so that it takes its turn beside what its client asks now.
        request_id: Id of the batch's HTTP request, or None.
        answer_id: Id that its answer is to have, the same each time that the line is sent; None for a new one.
        asker: Id of the key or of the token's subject by which the batch was sent, or None.
    """

    client: str
    request_id: str | None
    answer_id: str | None
    asker: str | None = None
