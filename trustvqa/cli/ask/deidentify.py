"""`trustvqa deidentify`: DICOM objects that tell of nobody, made of others."""

from __future__ import annotations

import secrets
import stat
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Annotated

import typer

from prompt4trust.files import written_atomically
from trustvqa.cli.errors import fail

_REFUSED = 1


def deidentify(
    source: Annotated[Path, typer.Argument(help="A DICOM file, or a folder of them.", metavar="IN", exists=True)],
    target: Annotated[
        Path, typer.Argument(help="The file that is written; for a folder, a folder.", metavar="OUT", dir_okay=True)
    ],
    key_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the key of the identifiers, 16 bytes or more: objects of one study then stay one from call "
            "to call. By default a key of this call, which nobody keeps.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    burned_in: Annotated[
        bool, typer.Option("--burned-in", help="Take objects that hold text in their pixels, or may: it stays there.")
    ] = False,
) -> None:
    """Write DICOM objects without what tells of a patient (PS3.15, Annex E, the basic profile).

    Files of a folder are named by their new identifiers, as names may be patients'. Nothing is overwritten. Objects
    that cannot be de-identified, and files that cannot be read, are left out and counted; the command then ends with 1.
    """
    from pydicom import dcmread

    from prompt4trust.deidentification import DeidentificationError, Deidentifier

    key = secrets.token_bytes(32) if key_file is None else key_file.read_bytes()
    try:
        deidentifier = Deidentifier(key, takes_burned_in=burned_in)
    except ValueError as error:
        fail(f"{key_file}: {error}", 2)
    files = sorted(each for each in source.rglob("*") if not each.is_dir()) if source.is_dir() else [source]
    if source.is_dir():
        if target.exists() and not target.is_dir():
            fail(f"{target} is no folder", 2)
        target.mkdir(parents=True, exist_ok=True)
    elif target.exists():
        fail(f"{target} exists already", 2)
    left: Counter[str] = Counter()
    written = 0
    for file in files:
        try:
            made = deidentifier.file(_content(file))
        except DeidentificationError as error:
            left[str(error)] += 1
            continue
        except OSError as error:  # its own words hold the file's name, which may be a patient's
            left[f"the file cannot be read ({type(error).__name__})"] += 1
            continue
        except MemoryError:
            left["the object takes more memory than there is"] += 1
            continue
        place = target
        if source.is_dir():
            uid = dcmread(BytesIO(made), specific_tags=["SOPInstanceUID"], stop_before_pixels=True).SOPInstanceUID
            place = target / f"{uid}.dcm"
            if place.exists():
                left["an object of this identifier is there already"] += 1
                continue
        try:
            with written_atomically(place) as stream:
                stream.write(made)
        except OSError as error:
            fail(f"{place} cannot be written: {error.strerror} (written before: {written})", 2)
        written += 1
    typer.echo(f"written: {written}")
    for reason, count in left.items():
        typer.echo(f"left out: {count} x {reason}", err=True)
    if left:
        raise typer.Exit(_REFUSED)


def _content(file: Path) -> bytes:
    """Read a file within bounds.

    Raises:
        OSError: If it cannot be read.
        DeidentificationError: If it is no file, or larger than any that is taken.
    """
    from prompt4trust.deidentification.confidentiality import MAX_BYTES
    from prompt4trust.errors import DeidentificationError

    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DeidentificationError("it is no file")
    if status.st_size > MAX_BYTES:
        raise DeidentificationError(f"the file has more than {MAX_BYTES} bytes")
    with file.open("rb") as stream:
        # No more, should it grow meanwhile; and one byte of an empty one, that it shows whether it can be read.
        return stream.read(max(1, status.st_size))
