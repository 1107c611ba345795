"""The things besides its routes that a service's document depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The things besides its routes that a service's document depends on.

    Attributes:
        description: Of the service, for whoever reads the document.
        has_keys: Whether it asks for keys.
        has_pages: Whether browsers without a key are led to where one is entered.
        other_errors: Beginning of a path -> model of the errors below it, which come as JSON of it instead. Faults of
            fields are 400 there.
        examples: Directory of examples: a JSON file a schema, called after it.
    """

    description: str
    has_keys: bool
    has_pages: bool = False
    other_errors: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    examples: Path | None = None
