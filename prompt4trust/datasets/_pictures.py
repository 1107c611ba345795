"""Pictures of questions: where a file's pictures lie, and those that a table carries within itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from prompt4trust.datasets._base import BadRow, plain_text
from prompt4trust.errors import DatasetError, PictureError
from prompt4trust.files import written_atomically
from prompt4trust.pictures.base64_text import decode_base64_picture

_ENDINGS = (".jpg", ".png", ".jpeg")
_LONGEST_NAME = 255
_LONGEST_PATH = 1000
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=_\s-]")


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
    longest = max((len(part.encode("utf-8", "surrogatepass")) for part in place.parts), default=0)
    if longest > _LONGEST_NAME or len(name) > _LONGEST_PATH:
        return BadRow(line, "the picture's name is longer than a file's can be", f"it begins {name[:40]!r}")
    if place.is_absolute() or ".." in place.parts or not place.name:
        # A question file comes from elsewhere and its pictures go to a server: it may not name any file it likes.
        return BadRow(
            line, "the picture's name leads out of the image folder", f"{name}: name it as it lies below {folder}"
        )
    if place.parts[0] == folder.name and len(place.parts) > 1 and not (folder / place.parts[0]).exists():
        folder = folder.parent  # "images/1.png" beside the folder images
    if place.suffix and not further:
        return folder / place  # whether it is there is looked at when the question is drawn
    endings = ("",) if place.suffix else ("", *_ENDINGS)
    tried = [folder / each / f"{place}{ending}" for each in ("", *further) for ending in endings]
    return next((path for path in tried if path.is_file()), tried[0])


def placed(line: int, value: object, folder: Path, carried: Path, further: Sequence[str] = ()) -> Path | BadRow:
    """Find the picture of a row, or write it where the table carries it.

    Args:
        line: The row's line.
        value: Its name; or itself, as bytes, base64, a data: URL, or as the hub's tables hold it:
            `{"bytes": ..., "path": ...}`, of which either may be none; or a list of one of these.
        folder: Folder of the pictures that have names.
        carried: Where to write those that the table carries.
        further: As for `locate`.

    Returns:
        Its path, or why there is none.

    Raises:
        DatasetError: If it cannot be written.
    """
    if isinstance(value, list) and len(value) > 1:
        return BadRow(line, "the row has several pictures", f"{len(value)}: a question is asked about one")
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict) and not value.get("bytes") and isinstance(value.get("path"), str):
        value = value["path"]
    if isinstance(value, str) and _is_picture_text(value):
        try:
            value, _ = decode_base64_picture(value)
        except PictureError as error:
            return BadRow(line, "the picture in the table cannot be read", f"its text {error}")
    if isinstance(value, bytes | dict):
        return unpacked(line, value, carried)
    name = plain_text(value)
    return locate(line, name, folder, further) if name else BadRow(line, "no picture is named")


def _is_picture_text(text: str) -> bool:
    """Whether a text is a picture in base64 rather than a name, which is shorter on every file system."""
    return text[:5].lower() == "data:" or (len(text) > _LONGEST_NAME and not _NOT_BASE64.search(text))


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
