"""Reviews of a gateway's answers, read from its API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from prompt4trust.calibration import CalibrationKey
from prompt4trust.reviewing import SingleReview
from trustvqa.cli.api_key import key_headers, refusal
from trustvqa.cli.errors import CommandError

_PAGE = 2000
_PAGE_OF_REVIEWS = 500
_TIMEOUT_S = 60.0


class Reviewed(BaseModel):
    """A reviewed answer, as far as a fit needs it; see GET /v1/feedback.

    A fit looks at answers given and deferred alike, so that `all_signals` has both kinds of a deferral's.
    """

    id: str
    at: AwareDatetime
    reviewed_at: AwareDatetime
    who: str
    pair: CalibrationKey
    stated: float | None
    confidence: float | None
    signals: dict[str, float]
    guess_signals: dict[str, float] = Field(default_factory=dict)  # a gateway of before has all in `signals`
    decision: str
    letters: str
    right: bool
    groups: dict[str, str]
    picture: str | None = None  # a gateway of before tells none

    @property
    def all_signals(self) -> dict[str, float]:
        """The signals, whatever they name."""
        return {**self.signals, **self.guess_signals}


class _Single(BaseModel):
    """A single review; see GET /v1/reviews. A gateway of before tells neither the pair nor the answer's time."""

    answer_id: str
    at: AwareDatetime
    who: str
    right: bool
    strike: dict[str, Any] | None
    pair: CalibrationKey | None = None
    answered_at: AwareDatetime | None = None

    def review(self) -> SingleReview:
        return SingleReview(self.answer_id, self.at, self.who, self.right, struck=self.strike is not None)


class Count(BaseModel):
    """The number of answers of a calibration key and a decision, and of those that were reviewed."""

    pair: CalibrationKey
    decision: str
    answers: int
    reviewed: int


@dataclass(frozen=True, slots=True)
class FeedbackSource:
    """A gateway with feedback.

    Attributes:
        url: The gateway's address.
    """

    url: str

    def open(self) -> httpx.Client:
        """Make a client; it shows the command's key to this gateway alone."""
        try:
            return httpx.Client(base_url=self.url.rstrip("/"), headers=key_headers(), timeout=_TIMEOUT_S)
        except httpx.InvalidURL as error:
            raise CommandError(f"--gateway {self.url}: {error}") from error


@dataclass(frozen=True, slots=True)
class Wanted:
    """A selection of answers: of these methods, models and wording, answered between these times; None for all."""

    methods: list[str] | None = None
    downstream: str | None = None
    policy: str | None = None
    template: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def query(self) -> dict[str, str]:
        """Put the same in the API's terms, but for the methods."""
        named = {"downstream": self.downstream, "policy": self.policy, "answer_template": self.template}
        times = {"since": self.since, "until": self.until}
        given = {**named, **{name: time.isoformat() for name, time in times.items() if time is not None}}
        return {name: value for name, value in given.items() if value is not None}

    def spans(self, at: datetime) -> bool:
        """Whether an answer of this time is meant; times without a zone are UTC, as the gateway takes them."""
        since, until = (
            each if each is None or each.tzinfo is not None else each.replace(tzinfo=UTC)
            for each in (self.since, self.until)
        )
        return (since is None or at >= since) and (until is None or at < until)

    def takes(self, key: CalibrationKey) -> bool:
        """Whether a key's method is among those meant."""
        return self.methods is None or key.estimator in self.methods


def read_reviewed(client: httpx.Client, wanted: Wanted) -> list[Reviewed]:
    """Read the reviewed answers to multiple choice, each by the latest word on it.

    Raises:
        CommandError: If the gateway does not give them.
    """
    # Of an answer that comes twice, because somebody spoke of it meanwhile, the later counts.
    found = {each.id: each for page in _pages(client, wanted) for each in page}
    return [each for each in found.values() if each.letters and wanted.takes(each.pair)]


def read_counts(client: httpx.Client, wanted: Wanted) -> list[Count]:
    """Read how many answers there are, reviewed or not.

    Raises:
        CommandError: If the gateway does not say.
    """
    body = _get(client, "/v1/feedback/counts", wanted.query())
    try:
        counts = [Count.model_validate(each) for each in body["counts"]]
    except (KeyError, TypeError, ValidationError) as error:
        raise _stranger(client) from error
    return [each for each in counts if wanted.takes(each.pair)]


def read_reviews(client: httpx.Client, wanted: Wanted, reviewed: Sequence[Reviewed]) -> list[SingleReview]:
    """Read the single reviews of the answers that are meant, those that were struck among them.

    Args:
        client: Of the gateway.
        wanted: Which answers.
        reviewed: Those of them of which a review stands. One whose reviews are all struck is none of these: it is meant
            where it has the calibration key of one of them, and the time.

    Raises:
        CommandError: If the gateway does not give them.
    """
    ids, keys = {each.id for each in reviewed}, {each.pair for each in reviewed}
    found: list[SingleReview] = []
    query = {"limit": str(_PAGE_OF_REVIEWS)}
    while True:
        body = _get(client, "/v1/reviews", query)
        try:
            page = [_Single.model_validate(each) for each in body["reviews"]]
            following = body["next_before"]
        except (KeyError, TypeError, ValidationError) as error:
            raise _stranger(client) from error
        for each in page:
            is_spanned = each.answered_at is not None and wanted.spans(each.answered_at)
            if each.answer_id in ids or (is_spanned and each.pair in keys):
                found.append(each.review())
        if following is None:
            return found
        query["before"] = str(following)


def read_live(client: httpx.Client) -> Mapping[str, str]:
    """Read which calibrators a gateway applies now: a calibration key as text -> a name."""
    live = _get(client, "/version", {}).get("live_calibrators")
    return live if isinstance(live, dict) else {}


def _pages(client: httpx.Client, wanted: Wanted) -> Iterator[list[Reviewed]]:
    cursor: dict[str, str] = {}
    while True:
        body = _get(client, "/v1/feedback", {**wanted.query(), "limit": str(_PAGE), **cursor})
        try:
            yield [Reviewed.model_validate(each) for each in body["answers"]]
            following = body["next_cursor"]
        except (KeyError, TypeError, ValidationError) as error:
            raise _stranger(client) from error
        if following is None:
            return
        cursor = {"cursor": str(following)}


def _get(client: httpx.Client, path: str, query: Mapping[str, str]) -> dict[str, Any]:
    try:
        response = client.get(path, params=query)
        body = response.json()
    except httpx.HTTPError as error:
        raise CommandError(f"{client.base_url} cannot be reached ({error}): is the gateway running?") from error
    except ValueError as error:
        raise _stranger(client) from error
    if not isinstance(body, dict):
        raise _stranger(client)
    if said := refusal(response.status_code, body):
        raise CommandError(f"{client.base_url}: {said}")
    if response.status_code != 200:
        raise CommandError(f"{client.base_url}: {body.get('detail') or body.get('title') or response.status_code}")
    return body


def _stranger(client: httpx.Client) -> CommandError:
    return CommandError(f"{client.base_url} does not speak as a TrustVQA gateway does")
