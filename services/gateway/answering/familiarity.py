"""The third stage: how unlike the questions behind an answer's promises a question is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import anyio
import anyio.to_thread

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.pictures import PicturePreparation
from prompt4trust.question_signals.typicality import is_typicality
from prompt4trust.selection import GuardArtifact
from prompt4trust.shift import Described, Judgement, Reference, ReferenceArtifact, typicality_of
from services.gateway.intake.query import Query
from services.gateway.schemas import Atypicality
from services.gateway.shelves.evidence import Evidence
from services.gateway.shelves.references import ShelvedReference, reference_of

Looks = Sequence[tuple[Reference, Judgement]]
"""References with what came of comparing one question with each."""
Judged = list[tuple[Judgement, ShelvedReference]]
"""The same, with the files that they are of."""

_SHORT: Final = 1_500
"""Microseconds, by `Reference.cost`, that the event loop may be held for; a thread's hand-over takes nearly as long."""
_NOUNS: Mapping[str, str] = {
    "picture": "picture",
    "picture-kind": "kind of picture",
    "colour": "picture's colour",
    "words": "wording",
}


@dataclass(frozen=True, slots=True)
class Familiarity:
    """A question's place among those that its promises rest on.

    Attributes:
        atypicality: How unlike those it is; None where that is not known.
        unknown: Why it is not known, where it is not.
        is_lost: Whether it would be known if the registry's files could be read, had been there in time, or held inputs
            enough for the limit.
        against: Why the picture speaks against the answer, where it does.
        signals: How near it is to each of the reference inputs that it was compared with, by the signals' names (see
            `prompt4trust.question_signals.typicality`): a calibrator may be fitted on these, and records keep them.
    """

    atypicality: Atypicality | None
    unknown: str | None = None
    is_lost: bool = False
    against: str | None = None
    signals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FamiliarityJudge:
    """Compares questions with those that calibrators and guards were made from.

    Which reference belongs to a calibrator or guard is said by `reference_of`. Where the two have different ones, the
    more unlike one counts.

    Attributes:
        limit: Atypicality from which on promises are withheld, above 0; 1 for never.
        preparation: What the questions' pictures have gone through; references of another are passed over.
        workers: Bounds the questions that are compared at once.
    """

    limit: float
    preparation: PicturePreparation
    workers: anyio.CapacityLimiter

    async def look(self, query: Query, references: Sequence[ShelvedReference]) -> Looks:
        """Compare a question with references, while its models are being asked, of which `judge` then picks.

        Which of them count follows from the answer. So those are compared with, one after another, that take no more
        than a millisecond or two together, and the others later, if at all: a judgement depends on the reference and
        the question alone. Newer ones come first, as of several for the same evidence the newest counts.

        Raises:
            PictureError: If the picture could be prepared and not described.
        """
        described = await query.described
        near = [each for each in references if each.artifact.fits(self.preparation)]
        near = [each for each in near if each.artifact.descriptor in described]
        near.sort(key=lambda each: each.artifact.created, reverse=True)
        found, left = [], _SHORT
        for each in near:
            asked = described[each.artifact.descriptor]
            left -= each.reference.cost(asked)
            if left < 0:
                break
            found.append((each.reference, each.reference.judge(asked)))
        return found

    async def judge(
        self,
        query: Query,
        evidence: Evidence,
        looking: asyncio.Future[Looks] | None = None,
        answer: str | None = None,
    ) -> Familiarity:
        """Compare a question with those behind the evidence for its answer; with many of them in a worker thread.

        Args:
            query: The question.
            evidence: What its answer's promises rest on.
            looking: What `look` finds of the question; not waited for.
            answer: Text of the chosen option, which the picture may speak against; None without a verdict.

        Raises:
            PictureError: If the picture could be prepared and not described.
        """
        if not evidence.artifacts:
            return Familiarity(None, "nothing is known that this answer's confidence was checked on")
        described = await query.described
        familiarity, judged = await self._compare(query, evidence, described, looking, answer)
        done = {each.signal for _, each in judged}
        more = [each for each in self._named(evidence, described) if each.signal not in done]
        judged += await self._judged(more, described, looking)
        return replace(familiarity, signals={each.signal: typicality_of(judgement) for judgement, each in judged})

    async def _compare(
        self,
        query: Query,
        evidence: Evidence,
        described: Mapping[str, Described],
        looking: asyncio.Future[Looks] | None,
        answer: str | None,
    ) -> tuple[Familiarity, Judged]:
        """Compare a question with those that its evidence was made from."""
        fitting = tuple(each for each in evidence.references if each.artifact.fits(self.preparation))
        matching = [_find(each, fitting, described) for each in evidence.artifacts]
        found = {each.artifact.name: each for each in matching if each is not None}
        if None in matching and evidence.unreadable:
            files = " and ".join(evidence.unreadable)
            return Familiarity(None, f"the registry's reference inputs in {files} cannot be read", is_lost=True), []
        undescribed = [made for made, match in zip(evidence.artifacts, matching, strict=True) if match is None]
        if late := [match.artifact.name for match in (_find(each, fitting) for each in undescribed) if match]:
            # They tell how to describe a question, which this one has behind it.
            late_words = f"the reference inputs {' and '.join(late)} came while it was asked"
            return Familiarity(None, late_words, is_lost=True), []
        if not found:
            named = " and ".join(sorted({each.name for each in evidence.artifacts}))
            unfit = [match for each in evidence.artifacts if (match := _find(each, evidence.references))]
            words = f"the registry has no reference of the questions that {named} was made from{_lacking(unfit)}"
            return Familiarity(None, words), []

        judged = await self._judged(tuple(found.values()), described, looking)
        judgement, reference = max(judged, key=lambda each: (each[0].atypicality, each[1].artifact.name))
        if not judgement.beyond(self.limit) and (blind := self._blind(found.values())):
            return Familiarity(None, blind, is_lost=True), judged
        against = None if answer is None else _spoken_against(found.values(), described, answer, query)
        return Familiarity(_in_words(judgement, reference.artifact, self.limit), against=against), judged

    async def _judged(
        self,
        references: Sequence[ShelvedReference],
        described: Mapping[str, Described],
        looking: asyncio.Future[Looks] | None,
    ) -> Judged:
        """Compare a question with references, as far as `look` has not; with many inputs in a worker thread."""
        looks = _found_by(looking)
        looked_up = [(_of(each, looks), each) for each in references]
        judged = [(judgement, each) for judgement, each in looked_up if judgement is not None]
        left = [(each, described[each.artifact.descriptor]) for judgement, each in looked_up if judgement is None]

        def work() -> Judged:
            return [(each.reference.judge(asked), each) for each, asked in left]

        if sum(each.reference.cost(asked) for each, asked in left) <= _SHORT:
            return judged + work()
        return judged + await anyio.to_thread.run_sync(work, limiter=self.workers, abandon_on_cancel=True)

    def _named(self, evidence: Evidence, described: Mapping[str, Described]) -> list[ShelvedReference]:
        """Find the references that the calibrator was fitted on the distances to, one for each signal."""
        if evidence.calibrator is None:
            return []
        wanted = {name for name in evidence.calibrator.calibrator.inputs() if is_typicality(name)}
        found = {
            each.signal: each
            for each in evidence.references
            if each.signal in wanted
            and each.artifact.fits(self.preparation)
            and each.artifact.descriptor in described
            and each.reference.compares(described[each.artifact.descriptor])
        }
        return list(found.values())

    def _blind(self, references: Iterable[ShelvedReference]) -> str | None:
        """Name the references that are too small to tell what is beyond the limit; None if there are none."""
        small = [each for each in references if self.limit < 1 and not each.reference.reaches(self.limit)]
        if not small:
            return None
        names = " and ".join(each.artifact.name for each in small)
        finest = min(each.reference.finest for each in small)
        return f"the reference inputs {names} are too few to tell what is beyond {self.limit:g}: at most {finest:.4g}"


def _found_by(looking: asyncio.Future[Looks] | None) -> Looks:
    if looking is None or not looking.done() or looking.cancelled() or looking.exception() is not None:
        return ()
    return looking.result()


def _of(reference: ShelvedReference, looks: Looks) -> Judgement | None:
    # By identity: what the registry holds by now may be another reference of the same name.
    return next((judgement for known, judgement in looks if known is reference.reference), None)


def _spoken_against(
    references: Iterable[ShelvedReference], described: Mapping[str, Described], answer: str, query: Query
) -> str | None:
    options = query.ask.options.values()
    for each in references:
        known = each.artifact.claims
        if known is None:
            continue
        if each.reference.against(described[each.artifact.descriptor], answer, options) is not None:
            often = "never" if known.reaching == 0 else f"{known.reaching} time{'s' if known.reaching > 1 else ''}"
            # Neither answer is named: where nothing is promised, none is told.
            return (
                "the picture looks like those for which another answer than the model's is right; against what is "
                f"right, pictures of {each.artifact.dataset} spoke {often} in {known.n}"
            )
    return None


def _find(
    made: CalibratorArtifact | GuardArtifact,
    references: tuple[ShelvedReference, ...],
    described: Mapping[str, Described] | None = None,
) -> ShelvedReference | None:
    return reference_of(
        made, (each for each in references if described is None or each.artifact.descriptor in described)
    )


def _lacking(unfit: Sequence[ShelvedReference]) -> str:
    """Name what references of the very questions lack, to end a sentence; empty where there are none."""
    if not unfit:
        return ""
    if all(each.artifact.is_retired for each in unfit):
        return ", described as questions are now: make it again with `trustvqa reference`"
    return ", its pictures prepared as they are now"


def _in_words(judgement: Judgement, artifact: ReferenceArtifact, limit: float) -> Atypicality:
    beyond = judgement.beyond(limit)
    by_question, by_picture = max(judgement.counts.values()), min(judgement.counts.values())
    if beyond:
        is_picture = artifact.counts_pictures and judgement.most != "words"
        inputs = f"{judgement.n} different pictures" if is_picture else f"{judgement.n} questions"
        kept = f"the {inputs} of {artifact.dataset} that are kept for comparison"
        # The p-value is (1 + as many as are at least as unlike) / (n + 1).
        alike = round((1 - judgement.parts[judgement.most]) * (judgement.n + 1)) - 1
        share = f"as are at most {alike} of {kept}" if alike else f"more so than every one of {kept}"
        trait = _NOUNS.get(judgement.most, judgement.most)
        reason = f"the {trait} is unlike those that the confidence was checked on, {share}"
    else:
        about = f", about {by_picture} different pictures," if by_picture < by_question else ""
        kept = f"the {by_question} questions of {artifact.dataset}{about} that are kept for comparison"
        reason = f"nothing unusual: as a whole less out of the way than {100 * limit:.4g} % of {kept}"
    return Atypicality(
        score=round(judgement.atypicality, 4),
        limit=limit,
        beyond=beyond,
        reference=artifact.name,
        n=judgement.n,
        parts={name: round(score, 4) for name, score in judgement.parts.items()},
        reason=reason,
    )
