"""Receiving: DICOM objects that a modality or an archive sends by C-STORE, kept on disk until they are answered."""
