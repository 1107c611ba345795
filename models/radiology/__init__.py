"""Trains the radiology pair from parts that packages hold and a folder of VQA-RAD: `python -m models.radiology`."""
