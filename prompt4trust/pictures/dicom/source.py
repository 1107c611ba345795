"""Where the pixels of a DICOM picture came from: instance, frame and window, and nothing about a patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WindowOrigin = Literal["request", "file", "lut", "values", "none"]
"""Origins of a window: the request, a window of the object, its VOI LUT, its values (from their 0.1 to their 99.9
percentile), or none, as in colour and in grey of eight bits."""


@dataclass(frozen=True, slots=True)
class DicomSource:
    """The part of a DICOM object that a picture was made of.

    Attributes:
        study_uid: Study Instance UID; empty where the object has no valid one, as are the three that follow.
        series_uid: Series Instance UID.
        sop_class_uid: SOP Class UID.
        sop_instance_uid: SOP Instance UID.
        modality: Modality, such as "CT"; empty where it is not stated.
        body_part: Body Part Examined, such as "CHEST", or None.
        frame: The frame that was read, from 1.
        frames: Frames of the object.
        window_center: Centre of the window, in the object's own units (Hounsfield units of a CT), or None where there
            was no linear or sigmoid window.
        window_width: Its width, or None.
        window_name: Name of the object's own window or VOI LUT, or None.
        window_from: What decided on black and white.
        has_overlays: Whether the object has overlay planes, which are not drawn.
    """

    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    modality: str
    body_part: str | None
    frame: int
    frames: int
    window_center: float | None
    window_width: float | None
    window_name: str | None
    window_from: WindowOrigin
    has_overlays: bool
