"""De-identification of DICOM objects that are handed on: by PS3.15, Annex E, and stricter in what it keeps."""

from prompt4trust.deidentification.confidentiality import Deidentifier
from prompt4trust.errors import DeidentificationError

__all__ = ["DeidentificationError", "Deidentifier"]
