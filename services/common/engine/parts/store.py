"""The directory in which parts lie once they have been made ready, which happens once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import structlog

from prompt4trust.files import sync_directory
from services.common.engine.errors import EngineError
from services.common.engine.parts.named_part import NamedPart

_log = structlog.get_logger(__name__)

_LONGEST_S = 600.0

Report = Callable[[str], object]
"""Takes a line that says how far the work is."""


def log_progress(line: str) -> None:
    """Write a line of progress into the service's log."""
    _log.info("part of a model", progress=line)


class PartStore:
    """Parts below one directory, each in Hugging Face layout: a cache, which may be deleted at any time.

    Args:
        root: The directory; it is made when first needed.
        report: Takes lines of progress.

    Example:
        A registry's cache, in which the first process that asks makes a part ready while the others wait::

            store = PartStore(Path("var/registry/cache/parts"))
            directory = store.directory(SMOLLM2)  # config.json, model.safetensors, tokenizer.json
    """

    def __init__(self, root: Path, report: Report = log_progress) -> None:
        self.root = root
        self._report = report

    def holds(self, part: NamedPart) -> bool:
        """Whether a part has been made ready."""
        return (self.root / part.folder / "config.json").is_file()

    def directory(self, part: NamedPart) -> Path:
        """Find a part's directory, after making the part ready where that has not been done.

        Args:
            part: The part. Its file is read with the same code whoever names it, and only if its digest fits.

        Raises:
            EngineError: If its package is not installed in that version, or the file is not what it should be.
            OSError: If the directory cannot be written.
        """
        target = self.root / part.folder
        if self.holds(part):
            return target
        self.root.mkdir(parents=True, exist_ok=True)
        with _turn(self.root / f".{part.folder}.lock", lambda: self._report(f"{part.name}: another process makes it")):
            if not self.holds(part):
                self._make(part, target)
        return target

    def _make(self, part: NamedPart, target: Path) -> None:
        began = time.monotonic()
        file = installed_file(part)
        self._report(f"{part.name}: checking {file.name} ({file.stat().st_size / 1e6:.0f} MB)")
        with file.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != part.sha256:
                raise EngineError(f"{file.name} of {part.package} is not the file that the model was made with")
        for left in self.root.glob(f".{part.folder}.*.making"):
            shutil.rmtree(left, ignore_errors=True)  # of a process that was killed: its lock is ours now
        making = Path(tempfile.mkdtemp(prefix=f".{part.folder}.", suffix=".making", dir=self.root))
        try:
            self._report(f"{part.name}: converting, once; this takes up to three minutes")
            self._convert(part, file, making)
            making.chmod(0o755)
            making.rename(target)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        sync_directory(self.root)
        self._report(f"{part.name}: ready after {time.monotonic() - began:.0f} s")

    def _convert(self, part: NamedPart, file: Path, making: Path) -> None:
        """Convert in a process of its own: it takes over a gigabyte, which this one would keep."""
        command = [sys.executable, "-m", "services.common.engine.parts.converters", part.form, str(file), str(making)]
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(  # noqa: S603 - our own module
                command, env={**os.environ, "TQDM_DISABLE": "1"}, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
            try:
                process.wait(_LONGEST_S)
            except subprocess.TimeoutExpired:
                raise EngineError(f"{part.name} was not converted within {_LONGEST_S} s") from None
            finally:
                process.kill()
                process.wait()
            if process.returncode:
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines()
                raise EngineError(f"{part.name} cannot be converted: {lines[-1] if lines else 'no reason was given'}")


def installed_file(part: NamedPart) -> Path:
    """Find a part's file in the package that is installed, without importing the package.

    Raises:
        EngineError: If the package is not installed, in another version, or without the file.
    """
    remedy = (
        "`make radiology-parts` installs the parts of the radiology pair, and with `make encoder-parts` those of "
        "the contrastive model of real parts"
    )
    try:
        package = metadata.distribution(part.package)
    except metadata.PackageNotFoundError:
        raise EngineError(
            f"{part.name} comes with the package {part.package}, which is not installed: {remedy}"
        ) from None
    if package.version != part.version:
        raise EngineError(f"{part.name} takes {part.package} {part.version}, not {package.version}: {remedy}")
    # Only what the package says is its own: a reference cannot point anywhere else.
    found = next((file for file in package.files or () if str(file) == part.file), None)
    path = None if found is None else Path(str(found.locate()))
    if path is None or not path.is_file():
        raise EngineError(f"{part.package} {part.version} holds no {part.file}")
    return path


@contextmanager
def _turn(lock: Path, waiting: Callable[[], object]) -> Iterator[None]:
    """Let one process in at a time; the lock goes with the process that holds it."""
    with lock.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
