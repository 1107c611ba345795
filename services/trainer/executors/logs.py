"""A job's output, copied piece by piece into its run's folder: every line once, whoever copied the lines before."""

from __future__ import annotations

import math
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

# Lines may be handed out a little out of order (stdout and stderr are read by two hands), hence the overlap.
_OVERLAP_S = 1


class LogCopy:
    """Appends to a file what is new in a log whose lines begin with RFC 3339 timestamps.

    The file is the only memory: a later process reads its end and goes on from there. A line with a number sign says
    which job the lines below it are from, since a later attempt at a run adds to the same file.

    Args:
        path: The file; its folder must be there when something is added.
        job: The job's name, in one line.
    """

    def __init__(self, path: Path, job: str) -> None:
        self._path = path
        self._header = f"# {job}\n".encode()
        self._lock = threading.Lock()
        self._recent: list[tuple[float, bytes]] | None = None
        self._last: float | None = None
        self._has_header = False

    def since(self) -> int | None:
        """Find the moment from which on the log is to be read: seconds since 1970, or None for all of it.

        Raises:
            OSError: If the file cannot be read or mended.
        """
        with self._lock:
            self._load()
            return self._horizon()

    def add(self, text: bytes, *, final: bool = False) -> int:
        """Append the lines that are not there yet.

        Args:
            text: The log from `since` or earlier on, oldest line first, each with a timestamp.
            final: Whether nothing follows. Otherwise a last line without a line feed is left for the next time.

        Returns:
            How many lines were appended.

        Raises:
            OSError: If the file cannot be written; add the same again later.
        """
        *lines, rest = text.split(b"\n")
        if final and rest:
            lines.append(rest)
        with self._lock:
            recent = self._load()
            horizon = self._horizon()
            known = Counter(line for _, line in recent)
            fresh: list[tuple[float, bytes]] = []
            for line in map(_whole, lines):
                when = _time(line)
                if when is None:
                    when = self._last or 0.0
                if horizon is not None and when < horizon:
                    continue
                if known[line] > 0:
                    known[line] -= 1
                    continue
                fresh.append((when, line))
            if not fresh:
                return 0
            try:
                with self._path.open("ab") as file:
                    header = b"" if self._has_header else self._header
                    file.write(header + b"".join(line + b"\n" for _, line in fresh))
            except OSError:
                self._recent = None  # part of it may be written: the file is looked at anew
                raise
            self._has_header = True
            self._remember(recent + fresh)
            return len(fresh)

    def _load(self) -> list[tuple[float, bytes]]:
        if self._recent is not None:
            return self._recent
        self._last = None
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            text = b""
        start = _find_line(text, self._header)
        self._has_header = start >= 0
        lines: list[bytes] = []
        if text and not text.endswith(b"\n"):
            text = self._mend(text, ours=self._has_header)
        if self._has_header:
            lines = text[start + len(self._header) :].split(b"\n")[:-1]
        self._remember([(_time(line) or 0.0, line) for line in lines])
        return self._recent or []

    def _mend(self, text: bytes, *, ours: bool) -> bytes:
        """Take away a line of which only a part was written, to copy it again; end one that another job left."""
        kept = text[: text.rfind(b"\n") + 1] if ours else text + b"\n"
        with self._path.open("r+b") as file:
            if ours:
                file.truncate(len(kept))
            else:
                file.seek(0, 2)
                file.write(b"\n")
        return kept

    def _remember(self, lines: list[tuple[float, bytes]]) -> None:
        self._last = max((when for when, _ in lines), default=None)
        horizon = self._horizon()
        self._recent = [(when, line) for when, line in lines if horizon is None or when >= horizon]

    def _horizon(self) -> int | None:
        return None if self._last is None else max(1, math.floor(self._last) - _OVERLAP_S)


def _whole(line: bytes) -> bytes:
    """Join a long line, which engines keep in pieces that each begin with the line's timestamp."""
    stamp, blank, rest = line.partition(b" ")
    return stamp + blank + rest.replace(stamp + blank, b"") if blank and stamp else line


def _time(line: bytes) -> float | None:
    try:
        moment = datetime.fromisoformat(line.partition(b" ")[0].decode())
    except (UnicodeDecodeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _find_line(text: bytes, line: bytes) -> int:
    if text.startswith(line):
        return 0
    found = text.rfind(b"\n" + line)
    return found + 1 if found >= 0 else -1
