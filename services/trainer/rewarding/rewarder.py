"""Rewards of a batch of attempts: replies are read, and the downstream model is asked where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from prompt4trust.estimators.single_reply import read_reply
from prompt4trust.models import Completion, Downstream
from prompt4trust.prompts import PromptTemplate, load_answer_template
from prompt4trust.questions import Question
from prompt4trust.rewards import RewardSpec, RewardSum, describe_reward
from prompt4trust.verdict import Invalid, Verdict
from services.common.clients.errors import PictureEgressRefusedError
from services.common.http.problems import Problem
from services.trainer.grpo.config.training_config import AnswerConfig
from services.trainer.grpo.scoring import Scorer
from services.trainer.rewarding.attempts import Attempt, RewardedAttempt, RewardReply, RewardRequest
from services.trainer.settings import TrainerSettings
from services.trainer.supervision.data_paths import OutsideDataError, find_below

_COME_AGAIN_S = 1.0


class Rewarder:
    """Rewards batches, a bounded number at once, each within a deadline.

    Args:
        settings: The service's settings.
        downstream: The model that is asked for attempts without a reply.
        answer: How it is asked.
    """

    def __init__(self, settings: TrainerSettings, downstream: Downstream, answer: AnswerConfig) -> None:
        self._settings = settings
        self._downstream = downstream
        self._answer = answer
        self._at_work = 0

    async def reward(self, request: RewardRequest) -> RewardReply:
        """Reward a batch.

        Args:
            request: The attempts, and by what they are rewarded.

        Returns:
            One reward each, in order; None where the model could not be asked.

        Raises:
            Problem: 422 for a picture that is not there, 429 where as many batches are at work as may, 503 where
                pictures may not be sent to the model or its template cannot be read, 504 past the deadline.
        """
        if self._at_work >= self._settings.reward_batches:
            detail = "As many batches are being rewarded as may at once."
            raise Problem(429, "too-many-batches", detail, retry_after=_COME_AGAIN_S)
        self._at_work += 1
        try:
            async with asyncio.timeout(self._settings.reward_deadline_s):
                return await self._reward(request)
        except TimeoutError:
            detail = f"The batch was not rewarded within {self._settings.reward_deadline_s:g} s: send a smaller one."
            raise Problem(504, "deadline-exceeded", detail) from None
        finally:
            self._at_work -= 1

    async def _reward(self, request: RewardRequest) -> RewardReply:
        pictures = await asyncio.to_thread(self._find_pictures, request.attempts)
        template = await asyncio.to_thread(self._template)
        read = await asyncio.to_thread(_read_replies, request.attempts, template)
        asked = [place for place, attempt in enumerate(request.attempts) if attempt.reply is None]
        if asked:
            read |= await self._ask(request.attempts, asked, pictures, template)
        rewarded = [
            _rewarded(request.reward, attempt, read.get(place)) for place, attempt in enumerate(request.attempts)
        ]
        return RewardReply(
            reward=describe_reward(request.reward), rewards=[each.reward for each in rewarded], attempts=rewarded
        )

    async def _ask(
        self, attempts: Sequence[Attempt], places: Sequence[int], pictures: dict[str, Path], template: PromptTemplate
    ) -> dict[int, Verdict | Invalid]:
        sampling = self._answer.sampling(self._settings.sampling_seed)
        scorer = Scorer(
            self._downstream,
            template,
            sampling,
            _unscored,
            self._answer.max_in_flight,
            self._settings.takes_burned_in,
        )
        # The picture is the id, by which the scorer reads each once: a group's attempts share theirs.
        asked = [
            (
                Question(str(each.image), each.question, each.options, each.letter, pictures[str(each.image)]),
                each.guidance,
            )
            for each in (attempts[place] for place in places)
        ]
        try:
            outcomes = await scorer.score(asked)
        except ExceptionGroup as errors:
            if errors.subgroup(PictureEgressRefusedError) is None:
                raise
            detail = "Pictures may not leave for the downstream model's host: its operator has not switched it on."
            raise Problem(503, "picture-egress-refused", detail) from errors
        return {place: each.verdict for place, each in zip(places, outcomes, strict=True) if each.verdict is not None}

    def _find_pictures(self, attempts: Sequence[Attempt]) -> dict[str, Path]:
        found, faults = {}, []
        for place, attempt in enumerate(attempts):
            if attempt.image is None or attempt.image in found:
                continue
            try:
                found[attempt.image] = find_below(self._settings.data.resolve(), Path(attempt.image))
            except OutsideDataError as error:
                faults.append({"field": f"attempts.{place}.image", "message": str(error)})
        if faults:
            detail = f"Check {faults[0]['field']}: {faults[0]['message']}."
            raise Problem(422, "invalid-request", detail, errors=faults)
        return found

    def _template(self) -> PromptTemplate:
        try:
            return load_answer_template(self._settings.answer_template)
        except (OSError, ValueError) as error:
            detail = "The answer template of this service cannot be read: its operator's log says more."
            raise Problem(503, "template-unreadable", detail) from error


def reward_answering(settings: TrainerSettings) -> AnswerConfig:
    """Make the way in which the model is asked: as in evaluations.

    One answer gets half of a batch's time, so that what was lost can still be told.
    """
    return AnswerConfig(
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        max_tokens=settings.max_tokens,
        max_in_flight=settings.reward_in_flight,
        deadline_s=settings.reward_deadline_s / 2,
    )


def _unscored(_: Verdict | Invalid, __: str) -> float:
    """Leave the scoring to `_rewarded`, which keeps the parts too."""
    return 0.0


def _read_replies(attempts: Sequence[Attempt], template: PromptTemplate) -> dict[int, Verdict | Invalid]:
    return {
        place: read_reply(
            Completion(each.reply, "length" if each.cut_off else "stop"), template, each.question, each.options
        )
        for place, each in enumerate(attempts)
        if each.reply is not None
    }


def _rewarded(reward: RewardSpec, attempt: Attempt, verdict: Verdict | Invalid | None) -> RewardedAttempt:
    if verdict is None:
        # The transport's words may name hosts and paths, which are the operator's.
        return RewardedAttempt(reward=None, parts={}, lost="the picture or the model could not be reached")
    total = RewardSum({reward: 1.0} if isinstance(reward, str) else reward)
    worth, parts = total(verdict, attempt.letter), total.parts(verdict, attempt.letter)
    if isinstance(verdict, Invalid):
        return RewardedAttempt(reward=worth, parts=parts, invalid=verdict.reason)
    return RewardedAttempt(
        reward=worth,
        parts=parts,
        correct=verdict.answer == attempt.letter,
        answer=verdict.answer,
        confidence=verdict.confidence,
    )
