"""The Bundle that the OpenAPI document shows, in release R5."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

EXAMPLE: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("example.json").read_text(encoding="utf-8"))
"""An answer's Bundle, as `fhir_bundle` wrote it."""
