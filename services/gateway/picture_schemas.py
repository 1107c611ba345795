"""The picture in requests and replies: the part that is asked about, and what the models saw of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from prompt4trust.pictures.dicom import WindowOrigin
from prompt4trust.pictures.dicom.choice import MAX_WINDOW_NAME, MAX_WINDOW_VALUE
from services.common.http.openapi.quantities import Amount, Positive, Share
from services.common.http.question_fields import plain_text


class AskedWindow(BaseModel):
    """A window of grey: the values from center - width / 2 to center + width / 2 become black to white.

    Attributes:
        center: Its centre, in the object's own units: Hounsfield units of a CT.
        width: Its width.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    center: float = Field(
        ge=-MAX_WINDOW_VALUE,
        le=MAX_WINDOW_VALUE,
        description="Its centre, in the object's own units: Hounsfield units of a CT.",
    )
    width: float = Field(gt=0, le=MAX_WINDOW_VALUE, description="Its width, in the same units.")


ArchiveUid = Annotated[
    str, Field(pattern=r"^[0-9](?:[0-9.]{0,62}[0-9])?$", json_schema_extra={"minLength": 1, "maxLength": 64})
]


class ArchivedInstance(BaseModel):
    """A DICOM object in an archive, by its identifiers.

    Attributes:
        archive: The archive's DICOMweb address, as the gateway's operator has named it.
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        sop_instance_uid: SOP Instance UID.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    archive: Annotated[str, Field(pattern=r"^https?://", min_length=8, max_length=500)] = Field(
        description="The archive's DICOMweb address, one of those that the gateway's operator allows."
    )
    study_uid: ArchiveUid = Field(description="Study Instance UID.")
    series_uid: ArchiveUid = Field(description="Series Instance UID.")
    sop_instance_uid: ArchiveUid = Field(description="SOP Instance UID.")

    @property
    def address(self) -> str:
        """Its WADO-RS address."""
        uids = f"/studies/{self.study_uid}/series/{self.series_uid}/instances/{self.sop_instance_uid}"
        return self.archive.rstrip("/") + uids


WindowName = Annotated[
    str,
    AfterValidator(lambda text: plain_text(text, what="a window's name", limit=MAX_WINDOW_NAME)),
    Field(json_schema_extra={"minLength": 1, "maxLength": MAX_WINDOW_NAME}),
]


class PictureSource(BaseModel):
    """A client's picture file.

    Attributes:
        format: Its format.
        width: Its width in pixels.
        height: Its height in pixels.
    """

    format: str
    width: Positive
    height: Positive


class DicomSeen(BaseModel):
    """The part of a DICOM object that the models saw. It holds nothing about a patient.

    Attributes:
        study_uid: Study Instance UID; empty where the object has no valid one, as are the three that follow.
        series_uid: Series Instance UID.
        sop_class_uid: SOP Class UID.
        sop_instance_uid: SOP Instance UID.
        modality: Its modality; empty where it is not stated.
        body_part: The body part that was examined, or null.
        frame: The frame, from 1: the one that was asked for, else the middle one.
        frames: Frames of the object.
        window_center: Centre of the window that was used, in the object's own units, or null.
        window_width: Its width, or null.
        window_name: Name of the object's own window or VOI LUT that was used, or null.
        window_from: What decided on black and white: the request, the object's own window (file) or VOI LUT (lut), its
            values, or none of them.
        has_overlays: Whether it has overlays, which the models did not see.
    """

    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    modality: str
    body_part: str | None
    frame: Positive
    frames: Positive
    window_center: float | None
    window_width: Amount | None
    window_name: str | None
    window_from: WindowOrigin
    has_overlays: bool


class PictureSeen(BaseModel):
    """The picture as the models saw it, and how it was made of the client's file.

    Attributes:
        source: The file: its format, width and height in pixels.
        width: Width that the models saw, in pixels.
        height: Height that they saw.
        window: The values of the file that became black and white, where its grey is deeper than eight bits; else null.
        scale: Pixels of a side for each one in the file, at most 1.
        dicom: The instance, frame and window of a DICOM object; null for other files.
    """

    source: PictureSource
    width: Positive
    height: Positive
    window: tuple[float, float] | None
    scale: Share
    dicom: DicomSeen | None = None
