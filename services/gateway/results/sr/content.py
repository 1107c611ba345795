"""The content of a report: TID 1500, one group of evaluations of an image (TID 1501), the algorithm (TID 4019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prompt4trust.pictures.dicom import DicomSource
from services.gateway.results.result import AnswerResult
from services.gateway.results.sr import codes as own_codes
from services.gateway.results.sr.codes import code_of_text, own

if TYPE_CHECKING:
    from highdicom.sr import (
        AlgorithmIdentification,
        Measurement,
        MeasurementReport,
        ObservationContext,
        QualitativeEvaluation,
        TextContentItem,
    )

CONFIDENCE_MEANS: Final = (
    "Calibrated probability, from 0 to 1, that the answer is right: of all answers with this confidence, so many are."
)


def content_of(result: AnswerResult, source: DicomSource, *, device_uid: str) -> MeasurementReport:
    """Make the content.

    Args:
        result: The result.
        source: The image that was asked about.
        device_uid: UID of the gateway as the observer.
    """
    from highdicom.sr import (
        MeasurementReport,
        MeasurementsAndQualitativeEvaluations,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
    )
    from pydicom.sr.codedict import codes

    frames = [source.frame] if source.frames > 1 else None
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=f"2.25.{int(result.id.replace('-', ''), 16)}", identifier=result.id),
        algorithm_id=_algorithm(result),
        measurements=_measurements(result),
        qualitative_evaluations=_evaluations(result),
        source_images=[
            SourceImageForMeasurementGroup(
                source.sop_class_uid, source.sop_instance_uid, referenced_frame_numbers=frames
            )
        ],
    )
    group[0].ContentSequence.extend(_texts(result))
    return MeasurementReport(
        observation_context=_observer(result, device_uid),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=[group],
    )


def _observer(result: AnswerResult, device_uid: str) -> ObservationContext:
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=device_uid, name="TrustVQA gateway", manufacturer_name="TrustVQA", model_name=f"gateway {result.software}"
    )
    return ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, device))


def _algorithm(result: AnswerResult) -> AlgorithmIdentification:
    from highdicom.sr import AlgorithmIdentification
    from pydicom.sr.codedict import codes

    parts = {
        "method": result.method,
        "downstream model": result.models.downstream,
        "second downstream model": result.models.second_downstream,
        "guidance policy": result.models.policy,
        "calibrator": result.calibrator,
        "accepted share of wrong answers": result.max_risk,
        "done without": ", ".join(result.degraded) or None,
    }
    return AlgorithmIdentification(
        name="TrustVQA",
        version=result.software,
        family=codes.DCM.ArtificialIntelligence,
        manufacturer="TrustVQA",
        parameters=[f"{name}: {value}" for name, value in parts.items() if value is not None],
    )


def _measurements(result: AnswerResult) -> list[Measurement]:
    from highdicom.sr import Measurement
    from pydicom.sr.codedict import codes

    one, method = codes.UCUM.NoUnits, own(own_codes.CALIBRATED)
    found = []
    if result.confidence is not None:
        found.append(Measurement(codes.DCM.CertaintyOfFinding, result.confidence, one, method=method))
        if result.interval is not None:
            low, high = result.interval
            found.append(Measurement(own(own_codes.LOWER), low, one, method=method))
            found.append(Measurement(own(own_codes.UPPER), high, one, method=method))
    if result.option_set is not None:
        found.append(Measurement(own(own_codes.COVERAGE), result.option_set.coverage, one))
    return found


def _evaluations(result: AnswerResult) -> list[QualitativeEvaluation]:
    from highdicom.sr import QualitativeEvaluation

    decision = own_codes.LEFT if result.answer is None else own_codes.GIVEN
    found = [QualitativeEvaluation(own(own_codes.DECISION), own(decision))]
    if result.answer is not None and (code := code_of_text(result.answer.text)) is not None:
        found.append(QualitativeEvaluation(own(own_codes.ANSWER), code))
    return found


def _texts(result: AnswerResult) -> list[TextContentItem]:
    """List texts: whole, where a code's meaning would be cut off."""
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    said = {own_codes.QUESTION: result.question, own_codes.REASON: result.note}
    if result.options:
        said[own_codes.OPTIONS] = result.options_in_words()
    if result.answer is not None:
        said[own_codes.ANSWER] = result.answer.text
    if result.confidence is not None:
        said[own_codes.MEANING] = CONFIDENCE_MEANS
    if result.option_set is not None:
        said[own_codes.OPTION_SET] = result.options_in_words(result.option_set.letters)
    return [TextContentItem(own(name), text, RelationshipTypeValues.CONTAINS) for name, text in said.items()]
