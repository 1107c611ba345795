"""Structured results: what an answer came to, as HL7 FHIR and as a DICOM Structured Report have it."""
