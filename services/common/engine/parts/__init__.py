"""Pretrained parts of models that come inside Python packages: found by name, checked, and made ready once."""
