"""JSON artifacts, the registry's files: checked when read, written whole or not at all, fit to be read by people."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, field_validator

from prompt4trust.checksums import CHECKSUM, checked, checksum_of
from prompt4trust.files import write_atomically

_LISTS = re.compile(r"\[[\s\d.,eE+\-\[\]]+\](?=,?\s*\n)")


class JsonArtifact(BaseModel):
    """A frozen record that is kept as a JSON file. A field `created`, where there is one, is kept in UTC.

    Attributes:
        newest_format: Newest version of the file's format, where it has a field `format`: that and all older ones are
            read.
    """

    newest_format: ClassVar[int] = 1

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, serialize_by_alias=True
    )

    @field_validator("created", check_fields=False)
    @classmethod
    def _in_utc(cls, created: datetime) -> datetime:
        return created.astimezone(UTC)

    @field_validator("format", check_fields=False)
    @classmethod
    def _known_format(cls, version: int) -> int:
        if not 1 <= version <= cls.newest_format:
            newest = cls.newest_format
            raise ValueError(f"format {version} is not known; this version of the software reads 1 to {newest}")
        return version

    def save(self, path: Path) -> None:
        """Write the file whole or not at all; a reader sees the old one or the new one.

        Args:
            path: The file, usually `<name>.json`; its folder is made if needed. An existing file is replaced.

        Raises:
            OSError: If it cannot be written; no temporary file is left behind.
        """
        # Thousands of numbers, one a line, are more than a person reads: each list is one line.
        text = _LISTS.sub(lambda found: " ".join(found[0].split()), self.model_dump_json(indent=1))
        checksum = json.dumps({CHECKSUM: checksum_of(json.loads(text))}).strip("{}")
        body = text.removesuffix("\n}")
        write_atomically(path, f"{body},\n {checksum}\n}}\n", 0o644)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check a file that `save` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not such a file, or was changed since it was written.
        """
        try:
            content = checked(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"no {cls.__name__} can be read: {error}") from error
        return cls.model_validate_json(json.dumps(content))
