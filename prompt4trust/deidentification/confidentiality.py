"""De-identification of a DICOM object by the Basic Application Confidentiality Profile (PS3.15, Annex E)."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from pydicom import Dataset, dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from prompt4trust.deidentification.codes import CODE_TEXTS, is_standard_code
from prompt4trust.deidentification.pixel_meaning import MEANING, tidied
from prompt4trust.deidentification.pixels import write_pixels
from prompt4trust.deidentification.profile_actions import EDITION, ProfileAction, profile_actions
from prompt4trust.deidentification.values import dummy, may_stay, pseudonym, replaced_uid
from prompt4trust.errors import DeidentificationError
from prompt4trust.pictures.dicom.burned_in import may_hold_text
from prompt4trust.pictures.dicom.refusals import is_drawn

# What pydicom says to its log quotes values.
logging.getLogger("pydicom").propagate = False

MAX_BYTES: Final = 2_000_000_000
_LEAST_KEY: Final = 16
_DEEPEST: Final = 32
_META: Final = 0x0002
_OVERLAYS: Final = range(0x6000, 0x6100)
_CURVES: Final = range(0x5000, 0x5100)
_PIXELS: Final = 0x7FE0
_GRAPHICS: Final = frozenset(
    {"CompoundGraphicSequence", "GraphicAnnotationSequence", "GraphicObjectSequence", "TextObjectSequence"}
)
_METHODS: Final = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113103", "Clean Graphics Option"),
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in an object an element stands.

    Attributes:
        depth: In how many sequences.
        dummies: Whether one of them is replaced by dummies: then whatever stands in it is, at any depth.
        is_code: Whether its item is a coded entry of a published vocabulary.
    """

    depth: int = 0
    dummies: bool = False
    is_code: bool = False


class Deidentifier:
    """Makes objects that tell of nobody: what the profile names goes, and so does what it does not know.

    Beyond the profile it removes private attributes, free texts, names and bytes that its table does not name, and
    writes pixels anew. Identifiers are replaced by a keyed hash: objects of one study stay one, and whoever lacks the
    key cannot find out which. Text in the pixels cannot be removed; such objects are refused.

    Args:
        key: The key of the identifiers, at least 16 bytes; whoever has it can link the objects to their sources.
        takes_burned_in: Whether objects are taken that hold text in their pixels, or may by what they are.
        max_bytes: Most bytes of an object's pixels.

    Raises:
        ValueError: If the key is too short.

    Example:
        >>> Deidentifier(b"too short")
        Traceback (most recent call last):
        ...
        ValueError: the key must have 16 bytes or more
    """

    def __init__(self, key: bytes, *, takes_burned_in: bool = False, max_bytes: int = MAX_BYTES) -> None:
        if len(key) < _LEAST_KEY:
            raise ValueError(f"the key must have {_LEAST_KEY} bytes or more")
        self._key = key
        self._takes_burned_in = takes_burned_in
        self._max_bytes = max_bytes

    def file(self, data: bytes) -> bytes:
        """De-identify an object.

        Args:
            data: The object's file, of any transfer syntax that is read.

        Returns:
            Another file: explicit and little-endian, with an empty preamble.

        Raises:
            DeidentificationError: If it cannot be read, has no pixels, may hold text in them, or does not clearly
                say what they mean.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's quote values
            try:
                source = dcmread(BytesIO(data), force=True)
                # Without representations of their own, some elements' is known from the pixels' alone.
                correct_ambiguous_vr(source, source.original_encoding[1] is not False)
                made = self._object(source)
                buffer = BytesIO()
                made.save_as(buffer, enforce_file_format=True)
            except (DeidentificationError, MemoryError):
                raise
            except Exception as error:
                # pydicom raises whatever the faults of a file lead to, and quotes it.
                raise DeidentificationError(f"the object cannot be read ({type(error).__name__})") from None
            return buffer.getvalue()

    def _object(self, source: Dataset) -> Dataset:
        if not self._takes_burned_in and may_hold_text(source):
            raise DeidentificationError(
                "the object's pixels hold text, or it is of a kind that often does and does not say that they hold none"
            )
        made = self._dataset(source, _Place())
        if "SOPClassUID" not in made or "SOPInstanceUID" not in made:
            raise DeidentificationError("the object lacks its class or its identifier")
        if is_drawn(made.SOPClassUID):
            raise DeidentificationError("the object is a segmentation or a dose, which no picture is made of")
        if "PhotometricInterpretation" in made:
            # Decoders read it only as the standard writes it.
            source.PhotometricInterpretation = made.PhotometricInterpretation
        write_pixels(source, made, self._max_bytes)
        made.PatientIdentityRemoved = "YES"
        made.DeidentificationMethod = [f"PS3.15 {EDITION} Annex E", "Private and unknown attributes removed"]
        made.DeidentificationMethodCodeSequence = Sequence([_code(*each) for each in _METHODS])
        made.LongitudinalTemporalInformationModified = "REMOVED"
        made.file_meta = FileMetaDataset()
        made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        return made

    def _dataset(self, source: Dataset, place: _Place) -> Dataset:
        if place.depth > _DEEPEST:
            raise DeidentificationError("the object has sequences within sequences, deeper than any has")
        made = Dataset()
        for tag in list(source.keys()):
            if tag.is_private or tag.element == 0 or tag.group in (_META, _PIXELS):
                continue
            if tag.group in _OVERLAYS or tag.group in _CURVES:
                continue
            try:
                element = source[tag]
            except Exception:
                # A value that is none of its kind is nobody's picture, unless it says what the pixels mean.
                if not place.dummies and keyword_for_tag(tag) in MEANING:
                    raise _meaning_lost() from None
                continue
            if (kept := self._element(element, place)) is not None:
                made.add(kept)
        return made

    def _element(self, element: DataElement, place: _Place) -> DataElement | None:
        action = profile_actions().get(int(element.tag))
        if element.keyword == "SpecificCharacterSet":
            return DataElement(element.tag, "CS", "ISO_IR 192")
        if element.keyword == "PatientID":
            # One dummy for all would make one patient of many, wherever the objects are put together.
            return DataElement(element.tag, "LO", pseudonym(str(element.value or ""), self._key))
        if action is ProfileAction.REMOVE or not element.keyword or element.keyword in _GRAPHICS:
            return None
        if element.VR == "SQ":
            items = [] if action is ProfileAction.EMPTY else element.value
            dummies = place.dummies or action is ProfileAction.DUMMY
            return DataElement(element.tag, "SQ", Sequence([self._item(each, place.depth, dummies) for each in items]))
        if element.VR == "UI":
            return None if action is ProfileAction.EMPTY else self._uids(element)
        if place.dummies or action is ProfileAction.DUMMY:
            return DataElement(element.tag, element.VR, dummy(element.VR))
        if action is ProfileAction.EMPTY:
            return DataElement(element.tag, element.VR, None)
        return self._kept(element, place)

    def _kept(self, element: DataElement, place: _Place) -> DataElement | None:
        if element.keyword in CODE_TEXTS:
            if not place.depth:
                return None
            return element if place.is_code else DataElement(element.tag, element.VR, dummy(element.VR))
        if element.keyword not in MEANING:
            return element if may_stay(element) else None
        tidy = tidied(element)
        if not may_stay(tidy):
            raise _meaning_lost()
        return tidy

    def _item(self, source: Dataset, depth: int, dummies: bool) -> Dataset:
        return self._dataset(source, _Place(depth + 1, dummies, is_standard_code(source)))

    def _uids(self, element: DataElement) -> DataElement:
        value: Any = element.value
        given = [value] if isinstance(value, str) else list(value or [])
        replaced = [UID(replaced_uid(str(each), self._key)) for each in given]
        return DataElement(element.tag, "UI", replaced[0] if len(replaced) == 1 else replaced)


def _meaning_lost() -> DeidentificationError:
    return DeidentificationError(
        "an element that decides what the pixels mean cannot be read, or is not as the standard writes it"
    )


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code
