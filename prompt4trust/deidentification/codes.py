"""Coded entries of a de-identified object: those of published vocabularies, whose texts no device made up."""

from __future__ import annotations

import re
from typing import Final

from pydicom import Dataset

CODE_TEXTS: Final = frozenset({"CodeMeaning", "CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion"})
"""Texts of coded entries (PS3.3, 8.8); outside of one they are free texts."""
_SCHEMES: Final = frozenset(
    {
        "ACR",
        "BI",
        "C4",
        "C5",
        "DCM",
        "FMA",
        "I10",
        "I10C",
        "I10P",
        "I11",
        "I9",
        "I9C",
        "IBSI",
        "ICDO3",
        "ISO3166_1",
        "ISO639_1",
        "ISO639_2",
        "ITIS_TSN",
        "LN",
        "MDC",
        "MSH",
        "NCIt",
        "NDC",
        "NEU",
        "RADELEMENT",
        "RADLEX",
        "RFC3066",
        "RFC5646",
        "RXNORM",
        "SCPECG",
        "SCT",
        "SNM3",
        "SRT",
        "UBERON",
        "UCUM",
        "UMLS",
        "UNS",
    }
)
"""Designators of vocabularies that are published (PS3.16, Table 8-1). Those that begin with 99 are anybody's own."""
_VALUE: Final = re.compile(r"[!-~]{1,16}")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,15}", re.ASCII)


def is_standard_code(item: Dataset) -> bool:
    """Whether an item is a coded entry of a published vocabulary.

    Example:
        >>> from pydicom import Dataset
        >>> code = Dataset()
        >>> code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-D3000", "SRT", "Chest"
        >>> is_standard_code(code)
        True
        >>> code.CodingSchemeDesignator = "99HOUSE"
        >>> is_standard_code(code)
        False
    """
    value, scheme, version = (
        _text(item, name) for name in ("CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion")
    )
    return (
        scheme in _SCHEMES
        and _VALUE.fullmatch(value) is not None
        and (not version or _VERSION.fullmatch(version) is not None)
    )


def _text(item: Dataset, keyword: str) -> str:
    try:
        return str(item.get(keyword) or "").strip(" \0")
    except Exception:  # pydicom raises whatever the faults of a value lead to; "\n" is in no code
        return "\n"
