"""How unlike the questions behind a promise a request is, by the reference inputs that the registry holds."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO

import anyio
import anyio.to_thread
import structlog
from PIL import Image

from prompt4trust.shift import Described, Judgement, Reference, ReferenceArtifact, get_descriptor
from services.common.registry.directory import Registry
from services.gateway.schemas import Ask, Atypicality
from services.gateway.shelves.shelf import Shelf

_log = structlog.get_logger(__name__)
_NOUNS: Mapping[str, str] = {"picture": "picture", "words": "wording"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a promise rests on: a calibrator or a guard, and the data that it was made from."""

    name: str
    dataset: str
    data_hash: str
    questions: str | None = None


@dataclass(frozen=True, slots=True)
class _Shelved:
    artifact: ReferenceArtifact
    reference: Reference


class Familiarity:
    """Compares requests with the questions that calibrators and guards were made from.

    A reference belongs to a calibrator or guard that was made from its very questions or, where the latter does not say
    from which, from data of its name; of several the newest. Where calibrator and guard have different ones, the more
    unlike one counts.

    Args:
        registry: Where reference inputs are published.
        check_every_s: Seconds between two looks at the files.
        limit: Atypicality from which on promises are withheld, above 0; 1 for never.
        workers: Bounds the pictures that are looked at at once.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        registry: Registry,
        check_every_s: float,
        limit: float,
        workers: anyio.CapacityLimiter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._limit = limit
        self._workers = workers
        self._polled = Shelf(registry.references.stamp, self._read, check_every_s, clock)

    @property
    def names(self) -> list[str]:
        """Names of the references, as they were last read."""
        return [each.artifact.name for each in self._polled.items]

    async def refresh(self) -> None:
        """Read the registry if it is time and its files have changed."""
        await self._polled.refresh()

    async def describe(self, ask: Ask, image_url: str) -> Mapping[str, Described]:
        """Describe a question as the references have theirs described; milliseconds, in a worker thread.

        Args:
            ask: The question.
            image_url: Its picture as a data: URL, checked and made anew as PNG.

        Returns:
            Descriptor's id -> description; empty where there is no reference, and for an open question, of which
            nothing is promised.
        """
        await self.refresh()
        wanted = sorted({each.artifact.descriptor for each in self._polled.items})
        if not wanted or not ask.options:
            return {}

        def work() -> dict[str, Described]:
            with Image.open(BytesIO(base64.b64decode(image_url.partition(",")[2])), formats=("PNG",)) as picture:
                return {name: get_descriptor(name).describe(picture, ask.question, ask.options) for name in wanted}

        return await anyio.to_thread.run_sync(work, limiter=self._workers, abandon_on_cancel=True)

    async def judge(
        self, described: Mapping[str, Described], evidence: Iterable[Evidence]
    ) -> tuple[Atypicality | None, str | None]:
        """Say how unlike the questions behind some evidence a question is.

        Args:
            described: What `describe` made of it.
            evidence: What an answer's promises rest on.

        Returns:
            The atypicality, or None and why there is none.
        """
        resting = list(evidence)
        if not resting:
            return None, "nothing is known that this answer's confidence was checked on"
        found = {each.artifact.name: each for made in resting if (each := self._find(made, described)) is not None}
        if not found:
            named = " and ".join(sorted({made.name for made in resting}))
            return None, f"the registry has no reference of the questions that {named} was made from"

        def work() -> list[tuple[Judgement, _Shelved]]:
            return [(each.reference.judge(described[each.artifact.descriptor]), each) for each in found.values()]

        judged = await anyio.to_thread.run_sync(work, limiter=self._workers, abandon_on_cancel=True)
        judgement, shelved = max(judged, key=lambda each: (each[0].atypicality, each[1].artifact.name))
        return self._reply(judgement, shelved.artifact), None

    def _find(self, made: Evidence, described: Mapping[str, Described]) -> _Shelved | None:
        ranked = [
            ((sure, each.artifact.created, each.artifact.name), each)
            for each in self._polled.items
            # One that was published since the question was described counts from the next question on.
            if (sure := each.artifact.covers(made.dataset, made.data_hash, made.questions))
            and each.artifact.descriptor in described
        ]
        return max(ranked, key=lambda each: each[0])[1] if ranked else None

    def _reply(self, judgement: Judgement, artifact: ReferenceArtifact) -> Atypicality:
        beyond = judgement.beyond(self._limit)
        kept = f"the {judgement.n} questions of {artifact.dataset} that are kept for comparison"
        if beyond:
            # The p-value is (1 + as many as are at least as unlike) / (n + 1).
            alike = round((1 - judgement.parts[judgement.most]) * (judgement.n + 1)) - 1
            share = f"as are only {alike} of {kept}" if alike else f"more so than every one of {kept}"
            what = _NOUNS.get(judgement.most, judgement.most)
            reason = f"the {what} is unlike those that the confidence was checked on, {share}"
        else:
            reason = f"nothing unusual: as a whole less out of the way than {_percent(self._limit)} of {kept}"
        return Atypicality(
            score=round(judgement.atypicality, 4),
            limit=self._limit,
            beyond=beyond,
            reference=artifact.name,
            n=judgement.n,
            parts={name: round(score, 4) for name, score in judgement.parts.items()},
            reason=reason,
        )

    def _read(self) -> list[_Shelved]:
        shelved = [_Shelved(artifact, artifact.reference()) for artifact in self._registry.references.load_all()]
        for each in shelved:
            if self._limit < 1 and each.reference.finest < self._limit:
                _log.warning(
                    "a reference is too small for the limit", name=each.artifact.name, finest=each.reference.finest
                )
        _log.info("references read", names=[each.artifact.name for each in shelved])
        return shelved


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
