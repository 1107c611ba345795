"""Picture archives that DICOM objects may be fetched from."""
