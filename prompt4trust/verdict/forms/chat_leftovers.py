"""A reply without what a chat template left in it: special tokens, the names of roles, and turns that are invented.

A server that stops at the wrong token hands on the template's own signs, and a model that was not stopped goes on as
the user with a next question. The reply ends there; what stands behind is looked through all the same, since a second
verdict or an apology in it leaves none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice

from prompt4trust.verdict.words.expressions import expression

_ASSISTANT = r"(?:assistant|model|bot|gpt\d?|chatbot|ai)"
_OTHERS = r"(?:user|human|system|tool|observation|environment|ipython|instruction)"
_OPENS = r"(?:<\|(?:im_start|start_header_id|start|header_start|role)\|>|<start_of_turn>|<\|begin▁of▁turn\|>)\s?"
_BEHIND = r"\s?(?:<\|(?:end_header_id|im_sep|im_middle|message|header_end)\|>)?"
_MARK = expression(
    rf"(?P<tool>{_OPENS}(?:{_OTHERS}|(?P<own>{_ASSISTANT}))\b{_BEHIND}"
    rf"|<[|｜](?:{_OTHERS}|(?P<own2>{_ASSISTANT}))[|｜]>|\[(?P<own3>/)?INST\])"
    # Roles in plain words stand at the beginning of a line, or in capitals.
    rf"|^[#*\s]{{0,6}}(?:(?:user|human|system|instructions?|(?P<question>(?:next )?question)"
    rf"|(?P<own4>{_ASSISTANT}))\s?\**:\**"
    r"|(?:user|(?P<own5>assistant|model))(?=\s*\n))|(?<=\s)(?-i:USER|HUMAN|(?P<own6>ASSISTANT)):",
    re.IGNORECASE | re.MULTILINE,
)
_OWN = ("own", "own2", "own3", "own4", "own5", "own6")
_BOX = expression(r"<\|begin_of_box\|>([^{}]{1,200}?)<\|end_of_box\|>")
_TOKEN = expression(
    r"<[|｜][^<>|｜\n]{1,40}[|｜]>|<<?/?SYS>>?|\[/?(?:INST|EOS|END)\]"
    r"|</?(?:eos|bos|pad|unk|image|img|video|end_of_turn|start_of_turn|end_of_utterance|fake_token_around_image"
    r"|row_\d_col_\d|global-img|endoftext|eot|end|unused\d{1,4}|begin_of_text|end_of_text)>",
    re.IGNORECASE,
)
_RESPONSE = expression(r"\s*#{1,4} ?(?:response|answer|output|assistant)\s?:?\s*\n", re.IGNORECASE)
_TAIL = expression(r"(?:#{2,}|<end>|\[end\]|-{3,} ?end\b)(?:[\s#]*end\b[^\n]{0,40})?\Z", re.IGNORECASE)
_LONGEST_TAIL = 80
_HINT = expression(
    r"<[|｜/]|<[a-z]{1,20}[_\d>]|\[/?INST|:|##|^[ \t]*(?:user|model|assistant)[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_SHORTEST_QUESTION = 8
_MOST_MARKS = 100
# What a turn behind the reply may not hold: it may speak of the verdict, which then does not stand.
_OF_THE_VERDICT = expression(
    r"\b(?:answers?|confiden\w*|certain\w*|sure|verdict|sorry|apolog\w*|mistak\w*|wrong|incorrect|correct\w*"
    r"|actually|instead"
    r"|chang\w*|disagree\w*|reconsider\w*|retract\w*|withdraw\w*|revis\w*|re-?check\w*|double-?check\w*|again"
    r"|choose|option"
    r"|really|agree\w*|look\w* (?:closer|again|at)|(?:closer|second) (?:look|inspection)|you(?:['’]re| are) right"
    r"|choice|ignore|disregard|cannot|can['’]t|unable|not|possible)\b|答|置信|抱歉|错",
    re.IGNORECASE,
)
# How a user goes on who leaves the answer as it is.
_GOES_ON = expression(
    r"\W*+(?:thank\w*|thx|great|perfect|ok(?:ay)?\W|what|which|how|why|where|when|who|and|is|are|does|do|did|can|could"
    r"|would|should|please|describe|list|explain|give|name|now|next|tell|show|provide|\Z)",
    re.IGNORECASE,
)
_LETTER = expression(r"(?<![\w'’-])(?:[B-HJ-Z](?![\w'’-])|[AI](?![\w'’-]| [a-z]))")


def own_reply(text: str, question: str, options: Mapping[str, str]) -> str | None:
    r"""Take the model's own reply out of what a chat template left.

    Args:
        text: The reply without its thoughts.
        question: The question's text; "" where it is not known.
        options: Letter -> text.

    Returns:
        The reply, tokens as line breaks; None where a later turn speaks of the verdict, or
        there is nothing but a user's.

    Example:
        >>> own_reply("ASSISTANT: B, 80<|im_end|>\nUSER: Thanks.", "", {"A": "Cyst", "B": "Mass"})
        'B, 80'
    """
    if not _HINT.search(text):
        return text
    text = _BOX.sub(r"\\boxed{\1}", text)
    own, later = _parted(text, question)
    if later and (not own.strip() or _speaks_of_it(own, later, question, options)):
        return None
    own = _TOKEN.sub("\n", _RESPONSE.sub("", own, count=1) if _RESPONSE.match(own) else own).strip()
    tail = _TAIL.search(own, max(len(own) - _LONGEST_TAIL, 0))
    return own[: tail.start()].rstrip() if tail else own


def is_followed(text: str) -> bool:
    r"""Whether a user's turn follows a reply, so that the reply itself came to its end.

    Example:
        >>> is_followed("B, 80\nUSER: And the treatment?"), is_followed("B, 80")
        (True, False)
    """
    return bool(_parted(text, "")[1])


def _parted(text: str, question: str) -> tuple[str, str]:
    """Part the model's own turn from what follows it; a prompt that is repeated ahead is left out."""
    start = 0
    for mark in islice(_MARK.finditer(text), _MOST_MARKS):
        is_own = any(mark[name] for name in _OWN)
        ahead = _TOKEN.sub("", text[start : mark.start()]).strip()
        echoed = not ahead or _repeats(ahead, question)
        if is_own and echoed:
            start = mark.end()
        elif mark["question"] and (echoed or not question or _repeats(text[mark.end() :], question)):
            continue  # the model writes the question down
        elif not is_own and (ahead or not _repeats(text[mark.end() :], question)):
            return text[start : mark.start()], text[mark.start() :]
    return text[start:], ""


def _repeats(text: str, question: str) -> bool:
    """Whether a text begins like the prompt, of which the question is a part."""
    said, asked = (" ".join(each.split()).casefold() for each in (text, question))
    return len(asked) >= _SHORTEST_QUESTION and asked in said


def _speaks_of_it(own: str, later: str, question: str, options: Mapping[str, str]) -> bool:
    """Whether turns behind a reply may change its verdict; those about another question do not."""
    mark = _MARK.match(later)
    if mark and mark["question"] and question and not _repeats(later, question):
        return False
    if mark and not mark["question"] and not _GOES_ON.match(later, mark.end()):
        return True
    said = later.casefold()
    named = {found[0] for found in _LETTER.finditer(later)} & set(options)
    texts = (each.casefold() for each in options.values() if len(each) > 3 and each.casefold() not in own.casefold())
    return bool(named) or _OF_THE_VERDICT.search(later) is not None or any(each in said for each in texts)
