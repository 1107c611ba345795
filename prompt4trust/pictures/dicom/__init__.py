"""DICOM objects as pictures; this package imports pydicom only when one is read."""

from prompt4trust.pictures.dicom.choice import DicomChoice
from prompt4trust.pictures.dicom.recognition import begins_as_dicom
from prompt4trust.pictures.dicom.source import DicomSource, WindowOrigin

__all__ = ["DicomChoice", "DicomSource", "WindowOrigin", "begins_as_dicom"]
