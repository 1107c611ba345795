"""The evidence for one answer: calibrator, guard and references as they were at one moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.pictures import PicturePreparation
from prompt4trust.question_signals.typicality import is_typicality
from prompt4trust.selection import GuardArtifact
from services.gateway.shelves.calibrators import CalibratorShelf, FittedCalibrator, ShelvedCalibrators
from services.gateway.shelves.guards import Guard, GuardShelf
from services.gateway.shelves.references import ReferenceShelf, ShelvedReference, reference_of

AlarmFor = Callable[[CalibrationKey], str | None]
"""Gives the reason why confidences of a key no longer hold, as the end of a sentence, or None while they do."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the promises about one answer rest on; nothing that is read later changes it.

    Attributes:
        key: Models, estimator, wording, decoding and preparation of pictures that it belongs to.
        calibrator: The live calibrator of that key; None where there is none.
        guard: The guard of that key; None where there is none.
        references: All reference inputs that can be read.
        alarm: Why confidences of that key no longer hold; None while nothing speaks against them.
        misfit: Why no calibrator fits though there is one of these models, estimator and wording; None without such.
        guard_misfit: The same of guards.
        unreadable: Names of the files of further reference inputs, which cannot be read.
    """

    key: CalibrationKey
    calibrator: FittedCalibrator | None = None
    guard: Guard | None = None
    references: tuple[ShelvedReference, ...] = ()
    alarm: str | None = None
    misfit: str | None = None
    guard_misfit: str | None = None
    unreadable: tuple[str, ...] = ()

    @property
    def artifacts(self) -> list[CalibratorArtifact | GuardArtifact]:
        """The calibrator and the guard as files, as far as there are any."""
        return [each.artifact for each in (self.calibrator, self.guard) if each is not None]

    @property
    def fitting_guard(self) -> Guard | None:
        """The guard, unless it was checked on confidences that another calibrator had corrected."""
        return self.guard if self.guard is not None and self.guard.fits(self.calibrator) else None


class _Compared:
    """References that evidence may name, worked out anew when one of the shelves has been read anew."""

    def __init__(self) -> None:
        self._of: tuple[object, ...] = ()
        self._found: tuple[ShelvedReference, ...] = ()

    def among(
        self,
        calibrators: ShelvedCalibrators,
        guards: tuple[Guard, ...],
        references: tuple[ShelvedReference, ...],
        preparation: PicturePreparation,
        downstream: str,
    ) -> tuple[ShelvedReference, ...]:
        of = (calibrators, guards, references, preparation, downstream)
        if len(self._of) != len(of) or any(known is not each for known, each in zip(self._of, of, strict=True)):
            live = [
                each
                for each in calibrators.fitted
                if each.artifact.key.downstream == downstream and calibrators.live(each.artifact.key) is each
            ]
            guarded = [each.artifact for each in guards if each.artifact.key.downstream == downstream]
            artifacts: list[CalibratorArtifact | GuardArtifact] = [*(each.artifact for each in live), *guarded]
            fitting = [each for each in references if each.artifact.fits(preparation)]
            behind = [reference_of(each, fitting) for each in artifacts]
            wanted = {name for each in live for name in each.calibrator.inputs() if is_typicality(name)}
            self._found = tuple(
                each for each in fitting if each.signal in wanted or any(each is found for found in behind)
            )
            self._of = of
        return self._found


@dataclass(frozen=True, slots=True)
class Shelves:
    """The gateway's shelves, and what they hold for an answer.

    Attributes:
        calibrators: Calibrators, and which are live.
        guards: Evidence for guarantees.
        references: Reference inputs.
        alarm_for: Asked for every answer, so it must be quick.
    """

    calibrators: CalibratorShelf
    guards: GuardShelf
    references: ReferenceShelf
    alarm_for: AlarmFor
    _compared: _Compared = field(default_factory=_Compared, init=False, repr=False)

    async def refresh(self, *, at_once: bool = False) -> None:
        """Bring all shelves in step with the registry."""
        for shelf in (self.calibrators, self.guards, self.references):
            await shelf.refresh(at_once=at_once)

    def guard(self, key: CalibrationKey) -> Guard | None:
        """Find the guard of a key, of several one that fits the live calibrator."""
        return self.guards.known(key, self.calibrators.content.live(key))

    def compared(self, downstream: str, preparation: PicturePreparation) -> tuple[ShelvedReference, ...]:
        """List the references that evidence for a model's answers would name, whatever the rest of its key.

        Args:
            downstream: The model's name, as calibrators know it.
            preparation: What the questions' pictures have gone through: references of another are left out.
        """
        return self._compared.among(
            self.calibrators.content, self.guards.content, self.references.content, preparation, downstream
        )

    def evidence(self, key: CalibrationKey) -> Evidence:
        """Take the evidence for answers of a key, all of it at this moment.

        Args:
            key: What the answers came from; that of open questions names their judge, so that evidence of multiple
                choice never fits them.
        """
        alarm = self.alarm_for(key)
        calibrator = self.calibrators.content.live(key)
        guard = self.guards.known(key, calibrator)
        misfit = self.calibrators.content.misfit(key) if calibrator is None else None
        guard_misfit = self.guards.misfit(key) if guard is None else None
        known, unreadable = self.references.content, self.references.unreadable
        return Evidence(key, calibrator, guard, known, alarm, misfit, guard_misfit, unreadable)
