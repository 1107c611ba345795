"""One frame of a DICOM object: which it is, and the attributes that hold for it, wherever the object has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from prompt4trust.pictures.dicom.choice import MAX_FRAME, DicomChoice
from prompt4trust.pictures.dicom.refusals import damaged, unknown_frame

# The functional group that holds an attribute of an enhanced object (PS3.3, C.7.6.16.2).
_GROUPS: Final = {
    "WindowCenter": "FrameVOILUTSequence",
    "WindowWidth": "FrameVOILUTSequence",
    "WindowCenterWidthExplanation": "FrameVOILUTSequence",
    "VOILUTFunction": "FrameVOILUTSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
}


@dataclass(frozen=True, slots=True)
class DicomFrame:
    """A frame of an object.

    Attributes:
        dataset: The object's elements.
        number: Its number, from 1.
        count: Frames of the object.
    """

    dataset: Any
    number: int
    count: int

    def get(self, keyword: str) -> Any:
        """Take an attribute of this frame: its own, else that of all frames, else the object's; None without any."""
        group = _GROUPS.get(keyword)
        for functional in self._functional_groups() if group else ():
            items = functional.get(group)
            if items and keyword in items[0]:
                return items[0].get(keyword)
        return self.dataset.get(keyword)

    def _functional_groups(self) -> list[Any]:
        each = self.dataset.get("PerFrameFunctionalGroupsSequence")
        shared = self.dataset.get("SharedFunctionalGroupsSequence")
        own = [each[self.number - 1]] if each and len(each) >= self.number else []
        return [*own, *([shared[0]] if shared else [])]


def choose_frame(dataset: Any, choice: DicomChoice) -> DicomFrame:
    """Choose a frame: the one that is asked for, else the middle one, of an even number the one before the middle.

    Raises:
        PictureError: Fault "unknown-frame" if there is no such frame; "damaged-image" if their number makes no sense.
    """
    count = int(dataset.get("NumberOfFrames") or 1)
    if not 1 <= count <= MAX_FRAME:
        raise damaged("states a number of frames that cannot be")
    number = choice.frame or (count + 1) // 2
    if number > count:
        raise unknown_frame(count)
    return DicomFrame(dataset, number, count)
