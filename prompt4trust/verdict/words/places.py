"""Places of a reply where a word can take a verdict back."""

from __future__ import annotations

from enum import Flag, auto


class Place(Flag):
    """Place where a word counts; a word counts in as many as its row names."""

    OPENS = auto()
    """It opens a sentence: what stands ahead of it is not said of what stands behind."""
    AHEAD = auto()
    """In the sentence that leads to an answer: that answer is not meant."""
    SPEAKER = auto()
    """In that sentence, with a verb of saying behind it: the answer is another's."""
    HEADING = auto()
    """In the line above an answer, with a verb of saying behind it: the answer is another's."""
    LABEL = auto()
    """Right ahead of "answer": the answer is another one than the model's."""
    SHOWN = auto()
    """In a sentence that shows a finding ("it shows ... (option B)"): it is not what is seen now."""
    COMPARED = auto()
    """Between the beginning of a sentence and an answer in it: the answer is compared or left out."""
    BEFORE_TEXT = auto()
    """Ahead of an option's text, in its sentence: that option is denied."""
    BEHIND_TEXT = auto()
    """Right behind an option's text: that option is denied."""
    UP_TO_CONFIDENCE = auto()
    """Between an option's text and its confidence: the text is taken back."""
    YES_ALONE = auto()
    """In the sentence behind "yes": it does not agree."""
    YES_OR_NO = auto()
    """Right ahead of "yes" or "no": the text turns to that one."""
    LINE_ABOVE = auto()
    """In the line above a "yes" or "no": the answer is another's."""
    CELL = auto()
    """In a table's cell beside the answer: the answer is taken back, or open."""
    TABLE = auto()
    """In the line above a table, or said of a table: it is another's."""
    CONFIDENCE = auto()
    """In the sentence that leads to a confidence: it is another's, or supposed."""
    SURE_THAT = auto()
    """Behind a confidence and "that": it is one in the contrary."""
    BETWEEN = auto()
    """Between two verdicts: the first does not stand."""
    AT_ONCE = auto()
    """Between an answer and its confidence: the answer is taken back."""
    BEHIND = auto()
    """Anywhere behind a verdict: there is none."""
    TURNS = auto()
    """In a sentence behind a verdict that names another option: the text turns to that one."""
    KEEPS = auto()
    """In such a sentence: it tells why that other option is none."""


Row = tuple[str, Place]
"""Word as a pattern that a letter or digit begins and ends, and its places."""
