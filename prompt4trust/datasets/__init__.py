"""Readers that turn question files into one record type, and the synthetic benchmark."""

from __future__ import annotations

from prompt4trust.datasets._base import Dataset, OnBad, Source, fingerprint
from prompt4trust.datasets._option_numbers import CopBase
from prompt4trust.datasets.columns import parse_columns
from prompt4trust.datasets.kinds import KINDS, Kind, load_dataset
from prompt4trust.datasets.medmcqa import read_medmcqa
from prompt4trust.datasets.pmc_vqa import read_pmc_vqa
from prompt4trust.errors import DatasetError

__all__ = [
    "KINDS",
    "CopBase",
    "Dataset",
    "DatasetError",
    "Kind",
    "OnBad",
    "Source",
    "fingerprint",
    "load_dataset",
    "parse_columns",
    "read_medmcqa",
    "read_pmc_vqa",
]
