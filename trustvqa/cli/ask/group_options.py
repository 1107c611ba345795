"""Groups of questions as the commands that ask them take them: `--group NAME=VALUE`."""

from __future__ import annotations

from collections.abc import Sequence

from prompt4trust.group_names import group_key
from trustvqa.cli.errors import CommandError


def named_groups(named: Sequence[str]) -> dict[str, str]:
    """Read groups that are written as NAME=VALUE.

    Raises:
        CommandError: If one is written otherwise, or a name comes twice, in whatever spelling.

    Example:
        >>> named_groups(["modality=CT", "sex = F"])
        {'modality': 'CT', 'sex': 'F'}
    """
    found: dict[str, str] = {}
    for each in named:
        name, equals, value = (part.strip() for part in each.partition("="))
        if not (name and equals and value):
            raise CommandError(f"--group {each}: write NAME=VALUE, such as modality=CT")
        if group_key(name) in map(group_key, found):
            raise CommandError(f"--group {each}: {name} is named twice")
        found[name] = value
    return found
