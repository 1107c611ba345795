"""Known vulnerabilities of what images install: `python -m deploy.audit` asks PyPI's list by pip-audit.

Ends with status 0 where every package was looked up and none is known for any, 1 where one is, and 3 where the list
could not be asked about all of them. pip-audit itself calls a package clean that it could not look up: here that is
never so.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.lock import LAYERS, LOCKS, VARIANTS, Pins, read

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 3
_PATIENCE_S = 300
_SOCKET_S = 10


def locked_everywhere() -> list[Pins]:
    """Read all locks, one by one: the variants have some packages in different versions."""
    layers = [LOCKS / variant / f"{layer}.txt" for variant in VARIANTS for layer in LAYERS]
    return [read(path) for path in (*layers, LOCKS / "tools.txt", LOCKS / "build.txt")]


def requirements_of(locks: Sequence[Pins]) -> list[str]:
    """List each package once a version; of torch's CPU builds, whose version no list has, the public version."""
    return sorted({f"{pin.name}=={pin.version.partition('+')[0]}" for lock in locks for pin in lock.values()})


def ask(requirements: Sequence[str], *flags: str, patience_s: float = _PATIENCE_S) -> dict[str, Any] | str:
    """Look packages up.

    Args:
        requirements: name==version, each.
        flags: Further ones for pip-audit.
        patience_s: Longest time for all.

    Returns:
        pip-audit's findings, or why there are none.
    """
    # One version of a package a call: pip-audit takes the file for one environment.
    found: dict[str, Any] = {"dependencies": []}
    for batch in _batches(requirements):
        with tempfile.TemporaryDirectory() as folder:
            listed = Path(folder, "requirements.txt")
            listed.write_text("\n".join(batch) + "\n", encoding="utf-8")
            command = [sys.executable, "-m", "pip_audit", "--requirement", str(listed), "--disable-pip", "--no-deps"]
            command += ["--format", "json", "--progress-spinner", "off", "--timeout", str(_SOCKET_S), *flags]
            try:
                done = subprocess.run(  # noqa: S603 - the arguments are ours
                    command, capture_output=True, text=True, check=False, timeout=patience_s
                )
            except subprocess.TimeoutExpired:
                return f"it took more than {patience_s:g} s"
        try:
            found["dependencies"] += json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError):
            lines = done.stderr.strip().splitlines() or [f"pip-audit ended with status {done.returncode}"]
            return re.sub(r"https?://\S+", "the list's address", lines[-1])[:300]
    return found


def _batches(requirements: Sequence[str]) -> list[list[str]]:
    batches: list[dict[str, str]] = [{}]
    for each in requirements:
        name = each.partition("==")[0]
        place = next((batch for batch in batches if name not in batch), None)
        if place is None:
            batches.append(place := {})
        place[name] = each
    return [list(batch.values()) for batch in batches]


def verdict(found: dict[str, Any] | str) -> tuple[int, str]:
    """Judge findings.

    Returns:
        The status to end with, and what to say.
    """
    if isinstance(found, str):
        return UNKNOWN, f"not audited: {found}"
    packages = found["dependencies"]
    skipped = [each["name"] for each in packages if "skip_reason" in each]
    known = [
        f"{each['name']} {each['version']}: {fault['id']} ({', '.join(fault.get('aliases', ())) or 'no other name'}), "
        f"mended in {', '.join(fault['fix_versions']) or 'no version yet'}"
        for each in packages
        for fault in each.get("vulns", ())
    ]
    looked_up = len(packages) - len(skipped)
    if known:
        return VULNERABLE, "\n".join([*known, f"{looked_up} packages looked up, {len(skipped)} could not be"])
    if skipped or not packages:
        return UNKNOWN, f"not audited: of {len(packages)} packages the list could be asked about {looked_up}"
    return CLEAN, f"{looked_up} packages looked up: no known vulnerabilities"


def main() -> int:
    """Audit the locks; return the status."""
    status, said = verdict(ask(requirements_of(locked_everywhere())))
    (sys.stderr if status else sys.stdout).write(f"{said}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
