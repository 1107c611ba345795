"""Reads a report as a receiver would, by pydicom alone."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from pydicom import Dataset, dcmread


def items_of(container: Dataset) -> Iterator[Dataset]:
    """All content items, however deep."""
    for item in container.get("ContentSequence", ()):
        yield item
        yield from items_of(item)


def values_of(report: bytes) -> dict[str, list[Any]]:
    """Value of a concept's code -> values in a report: texts, numbers, and meanings of codes."""
    found: dict[str, list[Any]] = {}
    for item in items_of(dcmread(BytesIO(report))):
        match item.ValueType:
            case "TEXT":
                value: Any = item.TextValue
            case "NUM":
                value = float(item.MeasuredValueSequence[0].NumericValue)
            case "CODE":
                value = item.ConceptCodeSequence[0].CodeMeaning
            case "IMAGE":
                value = item.ReferencedSOPSequence[0]
            case _:
                continue
        found.setdefault(item.ConceptNameCodeSequence[0].CodeValue, []).append(value)
    return found
