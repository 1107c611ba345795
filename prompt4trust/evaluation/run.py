"""The prediction run: every question to every estimator, bounded concurrency, resumable at any moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from prompt4trust.errors import RunAbandonedError, TransportError, UnreadablePictureError
from prompt4trust.estimators import ESTIMATORS
from prompt4trust.estimators.base import Estimator
from prompt4trust.evaluation.manifest import RunManifest, claim
from prompt4trust.evaluation.prediction_log import PredictionLog
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.meaning import Judge, get_judge
from prompt4trust.picture_files import data_url
from prompt4trust.questions import Question
from prompt4trust.shift.typicality import QuestionTypicality


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run.

    Attributes:
        total: Predictions that the run consists of.
        done: Predictions in the table, those of earlier attempts included.
        failed: Failures since this attempt began: kept out of every figure, asked again on resuming.
        resumed: Predictions that were in the table when this attempt began.
    """

    total: int
    done: int
    failed: int
    resumed: int


async def evaluate(
    questions: Sequence[Question],
    estimators: Sequence[Estimator],
    out: Path,
    manifest: RunManifest,
    *,
    concurrency: int = 32,
    give_up_after: int = 100,
    recheck: bool = False,
    takes_burned_in: bool = False,
    typicality: QuestionTypicality | None = None,
    observe: Callable[[Progress], None] = lambda _: None,
) -> list[Prediction]:
    """Predict what is not yet predicted.

    Args:
        questions: The questions; ids are unique.
        estimators: The estimators; names are unique.
        out: The run's folder; a folder that holds a part of the same run is taken up where it stopped.
        manifest: The run's configuration.
        concurrency: Questions in flight at once, at least 1; a question's estimators are asked one after the other.
        give_up_after: Stop after this many failures in a row: the server is away, and it is no use going on.
        recheck: On resuming, ask one finished question of each estimator again and compare, since a model may have been
            trained further under the same name; only of use where the same prompt gives the same text. Estimators that
            draw samples are left out.
        takes_burned_in: Whether the model may be shown DICOM pictures that hold text, or may, such as a patient's name:
            only one that runs where such names may be read. Else these questions are failures.
        typicality: Says how near each question is to reference inputs, for the signal that the manifest names; None
            where it names none.
        observe: Called with every finished prediction, on the event loop; must return at once.

    Returns:
        Every prediction and failure in the table, in the order of the questions, then of the estimators.

    Raises:
        ManifestError: If the folder holds a run of another configuration.
        TableError: If the table is damaged, or another process writes to it.
        RunAbandonedError: If too many failures came in a row, the policy changed its version during the run, or a
            model no longer replies as it did.
        ValueError: If ids or names are not unique, the manifest names a judge that there is not, or another typicality.
    """
    names = [estimator.name for estimator in estimators]
    if len(set(names)) < len(names) or len({question.id for question in questions}) < len(questions):
        raise ValueError("question ids and estimator names must be unique")
    if manifest.typicality != (None if typicality is None else typicality.signal):
        raise ValueError("the manifest must name the typicality that is recorded")
    judge = None if manifest.judge is None else get_judge(manifest.judge)
    with PredictionLog(out) as log:
        claim(out, manifest, empty=not any(True for _ in log.rows))
        run = _Run(
            log,
            questions,
            estimators,
            manifest.policy,
            give_up_after,
            takes_burned_in,
            observe,
            judge,
            typicality=typicality,
        )
        try:
            if recheck:
                await run.recheck()
            async with anyio.create_task_group() as group:
                for _ in range(max(1, concurrency)):
                    group.start_soon(run.work)
        except ExceptionGroup as errors:
            # The first failure cancels the other workers; a group of one says no more than the error itself.
            raise _first(errors) from None
        order = {question.id: place for place, question in enumerate(questions)}
        known = [row for row in log.rows if row.id in order and row.estimator in names]
        return sorted(known, key=lambda row: (order[row.id], names.index(row.estimator)))


class _Run:
    """The state that the workers of one run share, all on one event loop."""

    def __init__(
        self,
        log: PredictionLog,
        questions: Sequence[Question],
        estimators: Sequence[Estimator],
        policy: str | None,
        give_up_after: int,
        takes_burned_in: bool,
        observe: Callable[[Progress], None],
        judge: Judge | None,
        *,
        typicality: QuestionTypicality | None,
    ) -> None:
        self._log = log
        self._questions = questions
        self._estimators = estimators
        self._policy = policy
        self._give_up_after = give_up_after
        self._takes_burned_in = takes_burned_in
        self._observe = observe
        self._judge = judge
        self._typicality = typicality
        self._todo: Iterator[tuple[Question, list[Estimator]]] = (
            (question, missing)
            for question in questions
            if (missing := [each for each in estimators if not log.has(question.id, each.name)])
        )
        self._total = len(questions) * len(estimators)
        self._resumed = sum(log.has(question.id, each.name) for question in questions for each in estimators)
        self._done = self._resumed
        self._failed = 0
        self._failed_in_a_row = 0
        self._tell()

    async def recheck(self) -> None:
        """Ask one finished question of each estimator again and compare the texts."""
        for estimator in self._estimators:
            entry = ESTIMATORS.get(estimator.name)
            if entry is not None and entry.samples:
                # Seeded samples may differ by the company that they are computed in (vLLM's batches).
                continue
            finished = (question for question in self._questions if self._log.has(question.id, estimator.name))
            question = next(finished, None)
            if question is None:
                continue
            before = self._log.get(question.id, estimator.name)
            try:
                image = await self._picture_of(question)
                now = Prediction.of(question, await estimator.answer(question.text, question.options, image))
            except TransportError as error:
                raise RunAbandonedError(f"stopped: {error}") from error
            if (now.text, now.guidance) != (before.text, before.guidance):
                raise RunAbandonedError(
                    f"stopped: {estimator.name} no longer replies to question {question.id} as it did when this run "
                    "was begun, so a model has changed or replies at random: choose another folder, or do not recheck"
                )

    async def _picture_of(self, question: Question) -> str | None:
        if question.image is None:
            return None
        return await anyio.to_thread.run_sync(partial(data_url, takes_burned_in=self._takes_burned_in), question.image)

    async def work(self) -> None:
        for question, estimators in self._todo:
            try:
                image = await self._picture_of(question)
                about = await self._signals_of(question)
            except TransportError as error:
                for estimator in estimators:
                    self._keep(Prediction.failed(question, estimator.name, error))
                continue
            for estimator in estimators:
                await self._predict(question, estimator, image, about)

    async def _signals_of(self, question: Question) -> Mapping[str, float]:
        if self._typicality is None:
            return {}
        try:
            return await anyio.to_thread.run_sync(self._typicality.signals, question)
        except UnreadablePictureError as error:
            raise TransportError("image", str(error)) from error

    async def _predict(
        self, question: Question, estimator: Estimator, image: str | None, about: Mapping[str, float]
    ) -> None:
        try:
            answer = await estimator.answer(question.text, question.options, image)
        except TransportError as error:
            self._fail(question, estimator, error)
            return
        version = answer.guidance.version if answer.guidance else None
        if None not in (version, self._policy) and version != self._policy:
            raise RunAbandonedError(f"stopped: the policy changed from {self._policy} to {version} during the run")
        if answer.lost is not None:
            # It is another method's answer: a figure of this one would mix the two.
            self._fail(question, estimator, answer.lost)
            return
        self._failed_in_a_row = 0
        self._keep(Prediction.of(question, answer, self._judge, about))

    def _fail(self, question: Question, estimator: Estimator, error: TransportError) -> None:
        self._keep(Prediction.failed(question, estimator.name, error))
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= self._give_up_after:
            raise RunAbandonedError(
                f"stopped: the last {self._failed_in_a_row} requests all failed, the last one with: {error}"
            ) from error

    def _keep(self, prediction: Prediction) -> None:
        self._log.append(prediction)
        if prediction.failure is None:
            self._done += 1
        else:
            self._failed += 1
        self._tell()

    def _tell(self) -> None:
        self._observe(Progress(self._total, self._done, self._failed, self._resumed))


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
