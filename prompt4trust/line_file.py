"""A file of lines that is written to by one process and survives its death at any moment."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path


class LineFile:
    r"""A file that is open for appending lines by this process alone.

    Each line is handed to the operating system at once, so that a killed process loses nothing that it had finished. A
    last line that a crash left torn is cut off when the file is opened; one that only lacks its newline gets it.

    Args:
        path: The file; it and its directory are made where they are missing.
        is_whole: Whether the bytes of a last line without a newline are a whole one.
        synced: Whether each line is forced to the disk, so that it survives the machine's death as well.

    Raises:
        BlockingIOError: If another process has it open.
        OSError: If it cannot be opened or written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "lines")
        ...     _ = path.write_bytes(b"one\ntw")
        ...     file = LineFile(path, lambda line: line == b"two")
        ...     file.append(b"two\n")
        ...     file.close()
        ...     path.read_bytes()
        b'one\ntwo\n'
    """

    def __init__(self, path: Path, is_whole: Callable[[bytes], bool], *, synced: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._synced = synced
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _repair(self._file, is_whole)
        except BaseException:
            os.close(self._file)
            raise

    def append(self, line: bytes) -> None:
        """Add one line, its newline included."""
        written = os.write(self._file, line)
        while written < len(line):  # a nearly full disk
            written += os.write(self._file, line[written:])
        if self._synced:
            os.fsync(self._file)

    def close(self) -> None:
        """Force the file to the disk and let others write to it."""
        os.fsync(self._file)
        os.close(self._file)


def _repair(file: int, is_whole: Callable[[bytes], bool]) -> None:
    size = os.fstat(file).st_size
    data = os.pread(file, size, 0)
    if not data or data.endswith(b"\n"):
        return
    start = data.rfind(b"\n") + 1
    if is_whole(data[start:]):
        os.write(file, b"\n")
    else:
        os.ftruncate(file, start)
