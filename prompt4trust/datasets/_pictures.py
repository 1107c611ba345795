"""Pictures of questions: where a file's pictures lie, and those that a table carries within itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from prompt4trust.datasets._base import BadRow
from prompt4trust.errors import DatasetError
from prompt4trust.files import written_atomically

_ENDINGS = (".jpg", ".png", ".jpeg")


def picture_folder(path: Path, *names: str) -> Path:
    """Find the folder of a file's pictures: one of these names beside the file, else the file's own folder."""
    return next((folder for name in names if (folder := path.parent / name).is_dir()), path.parent)


def folder_around(path: Path, name: str) -> Path:
    """Find the folder that holds a folder of this name in which the file lies, else the file's own folder."""
    return next((folder.parent for folder in path.absolute().parents if folder.name == name), path.parent)


def locate(line: int, name: str, folder: Path, further: Sequence[str] = ()) -> Path | BadRow:
    """Name the picture of a row.

    Args:
        line: The row's line.
        name: The picture as the row names it; without an ending it is looked for with the usual ones.
        folder: Folder of the pictures.
        further: Folders within that one to look in too.

    Returns:
        Its path, whether or not the file is there, or why it has none.
    """
    place = PurePosixPath(name.replace("\\", "/"))
    if "://" in name:
        return BadRow(line, "the picture is an address", f"{name}: fetch it and name the file")
    if place.is_absolute() or ".." in place.parts or not place.name:
        # A question file comes from elsewhere and its pictures go to a server: it may not name any file it likes.
        return BadRow(line, "the picture's name leads out of the image folder", name)
    if place.suffix and not further:
        return folder / place  # whether it is there is looked at when the question is drawn
    endings = ("",) if place.suffix else ("", *_ENDINGS)
    tried = [folder / each / f"{place}{ending}" for each in ("", *further) for ending in endings]
    return next((path for path in tried if path.is_file()), tried[0])


def unpacked(line: int, value: object, folder: Path) -> Path | BadRow:
    """Write a picture that a table carries to the folder of its pictures, under a name made of its content.

    Args:
        line: The row's line.
        value: Encoded bytes, or what the hub's tables hold: `{"bytes": ..., "path": ...}`.
        folder: Where to; made where it is not there.

    Returns:
        The file.

    Raises:
        DatasetError: If it cannot be written.
    """
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes) or not data:
        return BadRow(line, "the picture has no bytes", "export the table with its pictures")
    given = value.get("path") if isinstance(value, dict) else None
    ending = Path(given).suffix.lower() if isinstance(given, str) else ""
    name = hashlib.sha256(data).hexdigest()[:24]
    path = folder / f"{name}{ending if ending.isascii() and len(ending) <= 6 else ''}"
    if not path.is_file():
        try:
            with written_atomically(path, 0o644) as stream:
                stream.write(data)
        except OSError as error:
            raise DatasetError(
                f"{folder}: the table's pictures cannot be written here ({error.strerror or error}): name a folder "
                "for them with --images"
            ) from error
    return path
