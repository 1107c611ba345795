"""Results as DICOM Structured Reports."""
