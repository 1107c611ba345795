"""The third stage: how unlike the questions behind an answer's promises a question is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import anyio
import anyio.to_thread

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.pictures import PicturePreparation
from prompt4trust.selection import GuardArtifact
from prompt4trust.shift import Described, Judgement, ReferenceArtifact
from services.gateway.intake.query import Query
from services.gateway.schemas import Atypicality
from services.gateway.shelves.evidence import Evidence
from services.gateway.shelves.references import ShelvedReference

_FEW: Final = 1_000
"""Reference inputs with which a question is compared in less than a millisecond, as a thread's hand-over takes."""
_NOUNS: Mapping[str, str] = {"picture": "picture", "words": "wording"}


@dataclass(frozen=True, slots=True)
class Familiarity:
    """A question's place among those that its promises rest on.

    Attributes:
        atypicality: How unlike those it is; None where that is not known.
        unknown: Why it is not known, where it is not.
        is_lost: Whether it would be known if the registry's files could be read, or had been there in time.
    """

    atypicality: Atypicality | None
    unknown: str | None = None
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class FamiliarityJudge:
    """Compares questions with those that calibrators and guards were made from.

    A reference belongs to a calibrator or guard that was made from its very questions or, where the latter does not say
    from which, from data of its name; of several the newest. Where calibrator and guard have different ones, the more
    unlike one counts.

    Attributes:
        limit: Atypicality from which on promises are withheld, above 0; 1 for never.
        preparation: What the questions' pictures have gone through; references of another are passed over.
        workers: Bounds the questions that are compared at once.
    """

    limit: float
    preparation: PicturePreparation
    workers: anyio.CapacityLimiter

    async def judge(self, query: Query, evidence: Evidence) -> Familiarity:
        """Compare a question with those behind the evidence for its answer; with many of them in a worker thread.

        Raises:
            PictureError: If the picture could be prepared and not described.
        """
        if not evidence.artifacts:
            return Familiarity(None, "nothing is known that this answer's confidence was checked on")
        described = await query.described
        fitting = tuple(each for each in evidence.references if each.artifact.fits(self.preparation))
        matching = [_find(each, fitting, described) for each in evidence.artifacts]
        found = {each.artifact.name: each for each in matching if each is not None}
        if None in matching and evidence.unreadable:
            files = " and ".join(evidence.unreadable)
            return Familiarity(None, f"the registry's reference inputs in {files} cannot be read", is_lost=True)
        undescribed = [made for made, match in zip(evidence.artifacts, matching, strict=True) if match is None]
        if late := [match.artifact.name for match in (_find(each, fitting) for each in undescribed) if match]:
            # They tell how to describe a question, which this one has behind it.
            return Familiarity(None, f"the reference inputs {' and '.join(late)} came while it was asked", is_lost=True)
        if not found:
            named = " and ".join(sorted({each.name for each in evidence.artifacts}))
            unfit = [_find(each, evidence.references) for each in evidence.artifacts]
            prepared = ", its pictures prepared as they are now" if any(unfit) else ""
            return Familiarity(
                None, f"the registry has no reference of the questions that {named} was made from{prepared}"
            )

        def work() -> list[tuple[Judgement, ShelvedReference]]:
            return [(each.reference.judge(described[each.artifact.descriptor]), each) for each in found.values()]

        if max(each.reference.compared for each in found.values()) <= _FEW:
            judged = work()
        else:
            judged = await anyio.to_thread.run_sync(work, limiter=self.workers, abandon_on_cancel=True)
        judgement, reference = max(judged, key=lambda each: (each[0].atypicality, each[1].artifact.name))
        return Familiarity(_in_words(judgement, reference.artifact, self.limit))


def _find(
    made: CalibratorArtifact | GuardArtifact,
    references: tuple[ShelvedReference, ...],
    described: Mapping[str, Described] | None = None,
) -> ShelvedReference | None:
    ranked = [
        ((sure, each.artifact.created, each.artifact.name), each)
        for each in references
        if (sure := each.artifact.covers(made.dataset, made.data_hash, made.questions))
        and (described is None or each.artifact.descriptor in described)
    ]
    return max(ranked, key=lambda each: each[0])[1] if ranked else None


def _in_words(judgement: Judgement, artifact: ReferenceArtifact, limit: float) -> Atypicality:
    beyond = judgement.beyond(limit)
    kept = f"the {judgement.n} questions of {artifact.dataset} that are kept for comparison"
    if beyond:
        # The p-value is (1 + as many as are at least as unlike) / (n + 1).
        alike = round((1 - judgement.parts[judgement.most]) * (judgement.n + 1)) - 1
        share = f"as are only {alike} of {kept}" if alike else f"more so than every one of {kept}"
        trait = _NOUNS.get(judgement.most, judgement.most)
        reason = f"the {trait} is unlike those that the confidence was checked on, {share}"
    else:
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
