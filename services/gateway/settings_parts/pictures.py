"""Settings of what becomes of pictures at the gateway."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from services.common.pictures.dicom_groups import AGE_BAND_FORM, DicomGroups, read_age_bands
from services.common.pictures.settings import PictureServiceSettings

Modality = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,16}$")]
GroupName = Annotated[str, Field(min_length=1, max_length=100)]


class GatewayPictureSettings(PictureServiceSettings):
    """Settings of pictures; see the gateway's settings for where values come from."""

    min_image_side: int = Field(default=8, ge=1, description="Fewest pixels on either side.")
    max_image_side: int = Field(default=1024, ge=64, description="Longer side of the picture that the model gets.")
    dicom_modalities: dict[Modality, GroupName] = Field(
        default_factory=dict,
        max_length=64,
        description="Take a DICOM object's own modality for the question's group `modality`, in place of what the "
        'client names, by the word that the evidence has for it: `{"MR": "MRI", "DX": "X-Ray"}`. Those that are not '
        "listed go by their own code; where none is listed the objects' modality is not looked at.",
    )
    dicom_sexes: dict[Literal["M", "F", "O"], GroupName] = Field(
        default_factory=dict,
        description="Read a DICOM object's Patient's Sex for the question's group `sex`, in place of what the client "
        'names, by the word that the evidence has for it: `{"M": "male", "F": "female"}`. Those that are not listed go '
        "by their own code; where none is listed the element is not read.",
    )
    dicom_age_bands: list[Annotated[str, Field(pattern=AGE_BAND_FORM)]] = Field(
        default_factory=list,
        max_length=64,
        description="Read a DICOM object's Patient's Age for the question's group `age_band`, in place of what the "
        'client names, by these bands of whole years: `["18-39", "40-59", "60-74", "75+"]`. Where none is listed the '
        "element is not read; the date of birth never is.",
    )
    kept_picture_bytes: int = Field(
        default=32_000_000,
        ge=0,
        description="Memory for prepared pictures, so that the next question about one of them, by whoever sent it, "
        "need not wait for it to be decoded; 0 for none, so that nothing of a picture outlasts its question in the "
        "gateway; the downstream service's own is prefix_entries.",
    )
    kept_picture_s: float = Field(
        default=300.0, gt=0, le=86_400, description="How long a prepared picture is kept, in seconds."
    )

    @field_validator("dicom_age_bands")
    @classmethod
    def _bands_are_apart(cls, names: list[str]) -> list[str]:
        read_age_bands(names)
        return names

    @property
    def dicom_groups(self) -> DicomGroups:
        """The groups that are taken of DICOM objects."""
        sexes = {str(code): word for code, word in self.dicom_sexes.items()}
        return DicomGroups(self.dicom_modalities, sexes, read_age_bands(self.dicom_age_bands))
