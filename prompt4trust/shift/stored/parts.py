"""The parts of a reference's file, and which one holds what was fitted."""

from __future__ import annotations

from prompt4trust.shift.measures.directions import Direction
from prompt4trust.shift.measures.groups import PictureGroups
from prompt4trust.shift.measures.neighbours import NumberNeighbours, WordNeighbours
from prompt4trust.shift.measures.word_counts import WordCounts
from prompt4trust.shift.reference import PartReference
from prompt4trust.shift.stored.row_parts import NumbersPart, WordsPart
from prompt4trust.shift.stored.summed_parts import DirectionPart, GroupsPart, VocabularyPart

__all__ = [
    "DirectionPart",
    "NumbersPart",
    "StoredPart",
    "VocabularyPart",
    "WordsPart",
    "stored",
]

StoredPart = NumbersPart | WordsPart | DirectionPart | GroupsPart | VocabularyPart


def stored(part: PartReference) -> StoredPart:
    """Make a file's part from what was fitted."""
    match part.measured_by:
        case Direction() as direction:
            return DirectionPart.of(part, direction)
        case PictureGroups() as groups:
            return GroupsPart.of(part, groups)
        case WordCounts() as words:
            return VocabularyPart.of(part, words)
        case WordNeighbours() as questions:
            return WordsPart.of(part, questions)
        case NumberNeighbours() as rows:
            return NumbersPart.of(part, rows)
