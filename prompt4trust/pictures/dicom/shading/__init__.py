"""Grey of a DICOM object as shades: its own units, its windows, and what becomes black and white."""
