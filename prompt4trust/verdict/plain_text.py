"""A reply's text without its thoughts, its markup and what it merely repeats, so that few forms are left to read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from prompt4trust.verdict.words.expressions import expression

MASK = "\ufffc"
"""Stands where a quotation or an echo was: no word, so that nothing reads on across it."""

_TAGS = "think|thinking|thought|thoughts|reasoning|analysis|reflection|scratchpad|seed:think"
_THOUGHT = expression(
    rf"<(?P<close>/)?(?:{_TAGS})(?:\s[^<>]{{0,80}})?>|\[(?P<close2>/)?THINK\]|◁(?P<close3>/)?think▷"
    r"|<\|(?:begin|(?P<close4>end))_of_thought\|>|<unused9(?:4|(?P<close5>5))>",
    re.IGNORECASE,
)
# The channels' names, where a server has taken away the tokens around them.
_STRIPPED_ANALYSIS = expression(r"\s*analysis(?=[A-Z])")
_STRIPPED_FINAL = "assistantfinal"
_FINAL_CHANNEL = expression(r"<\|channel\|>\s*final\s*(?:<\|[a-z]+\|>[^<]{0,40})?<\|message\|>")


def without_thoughts(text: str) -> str | None:
    """Take away what a model thought before or between what it says.

    Args:
        text: The reply as it came.

    Returns:
        The rest; None where a block of thoughts has no end, so that the reply was never reached.
    """
    if "<|channel|>" in text:
        ends = [found.end() for found in _FINAL_CHANNEL.finditer(text)]
        if not ends:
            return None
        text = text[ends[-1] :]
    elif _STRIPPED_ANALYSIS.match(text):
        _, final, text = text.rpartition(_STRIPPED_FINAL)
        if not final:
            return None
    kept: list[str] = []
    depth, since = 0, 0
    for tag in _THOUGHT.finditer(text):
        closes = any(tag[name] for name in ("close", "close2", "close3", "close4", "close5"))
        if depth == 0 and closes:
            kept = []  # its beginning was part of the prompt
        elif depth == 0:
            kept.append(text[since : tag.start()])
        depth = max(depth - 1, 0) if closes else depth + 1
        since = tag.end()
    return None if depth else " ".join([*kept, text[since:]])


_WIDE: dict[int, str] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_ALIKE: dict[str, str] = dict(zip("\u3000、【】「」『』⁄∕〜٪٫،", " ,()“”“”//~%.,", strict=True))
_ENDS = {"。": ". ", "।": ". ", "？": "? ", "！": "! "}
ONE_FOR_ONE: dict[int, str] = {**_WIDE, **{ord(sign): plain for sign, plain in _ALIKE.items()}}
"""Signs of other scripts -> the one ASCII sign (or quotation mark) that says the same."""
_SIGNS = {**ONE_FOR_ONE, **{ord(sign): plain for sign, plain in _ENDS.items()}}
_BLANKS = (expression(r"[^\S\n]++"), " ")
_ORNAMENT = (
    "(?![⛔👎🤷🤔🤡🙃😜😂🤣😅🚫🔄🔁])"
    "[\U0001f300-\U0001faff\u2600-\u260f\u2620-\u2653\u2660-\u26a0\u26a2-\u26ff\u2b50\u2728\ufe0f]\ufe0f?"
)
_MARKUP = (
    # Ornaments at the beginning or the end of a line; others say something, such as that an answer is wrong.
    (expression(rf"^([#>*\s-]{{0,6}})(?:{_ORNAMENT}[ ]?)+|(?:[ ]?{_ORNAMENT})+(?=[ *]*$)", re.MULTILINE), r"\1"),
    (expression(rf"(?<=[\w.)!*]) ?{_ORNAMENT} ?(?=[* ]*(?:confidence|certainty)\b)", re.IGNORECASE), "\n"),
    (expression(r"\A✅ ?(?=[* ]*[A-Z]\b(?![^✅❌☐✗]*[✅❌☐✗]))"), ""),
    (expression(r"^([#* ]*)✅ ?(?=[* ]*(?:(?:final|my) )?answer\b)", re.IGNORECASE | re.MULTILINE), r"\1"),
    # Struck through; a model's own marks of beginning and end stand around whole replies.
    (expression(r"(?<=[^\n])(?:<(s|del|strike)>[^<\n]{1,40}</\1>|~~[^~\n]{1,40}~~)(?=[^\n]{0,80}\w)", re.I), MASK),
    (expression(r"<\|[a-z_▁]{1,24}\|>|</?s>|<end_of_turn>|<eos>", re.IGNORECASE), "\n"),
    (
        expression(
            r"\\(?:text|textbf|textit|textrm|emph|underline|mathrm|mathbf|mathbb|mathsf)\s?\{([^{}\n]{0,200})\}"
        ),
        r"\1",
    ),
    (expression(r"\\(?:q?quad\b|[,;! ])"), " "),
    (
        expression(
            r"(confidence[\s*:=$]{0,6}(?:(?:is"
            r"|of)[\s*$]{1,3})?)\\boxed\s?\{ ?(\d{1,3}(?:\.\d{1,3})? ?)(?:\\?(%))? ?\}",
            re.I,
        ),
        r"\1\2\3",
    ),
    (expression(r"\\boxed\s?\{"), " answer: "),
    (expression(r"\\([%$])"), r"\1"),
    (expression(r"\\[()\[\]]"), " "),
    (
        expression(r"<answer confidence=[\"'](\d{1,3}(?:\.\d{1,3})?%?)[\"']>", re.IGNORECASE),
        r"confidence: \1\n answer: ",
    ),
    (
        expression(
            r"<(?:final_?)?answer (?:option|letter|choice)=[\"']([A-Za-z])[\"']\s?/?>|<parameter(?:=| name=\"?)"
            r"answer\"?>",
            re.IGNORECASE,
        ),
        r" answer: \1 ",
    ),
    (expression(r"<parameter(?:=| name=\"?)confidence\"?>|<certainty>", re.IGNORECASE), " confidence: "),
    (expression(r"<(?:final_?)?(answer|confidence)(?:_?(?:score|level))?>", re.IGNORECASE), r" \1: "),
    (
        expression(
            r"</(?:final_?)?(?:answer|confidence)(?:_?(?:score|level))?>|</(?:certainty|parameter)>|<br\s?/?>"
            r"|</?(?:p|div|li|ul|ol|h[1-6])>",
            re.IGNORECASE,
        ),
        "\n",
    ),
    (expression(r"<final>\s?\(?([A-Za-z])\)?\.?\s?</final>", re.IGNORECASE), r" answer: \1\n"),
    (expression(r"<(?i:conclusion|verdict|final)>\s{0,4}(?=\(?[A-Z]\)?[.,:;\s<])"), "\n answer: "),
    (
        expression(
            r"<(?:final|answer|final_answer|verdict|response|result|conclusion|output|prediction|decision)>\s{0,4}"
            r"<(?:letter|option|choice)>",
            re.IGNORECASE,
        ),
        "\n answer: ",
    ),
    (expression(r"</(?:letter|option|choice|final|verdict|response|result|conclusion|output)>", re.IGNORECASE), "\n"),
    (expression(r"(?<=\b[A-Z]) (?=[\u3040-\u9fff\uac00-\ud7af]{2,8} ?:)"), "\n"),
    # A place for a letter or a number, filled: "Answer: <B>". A tag that is closed is none.
    (
        expression(
            r"((?:answer|confidence)[\s*:=]{1,5}(?:(?:is|of)\s)?)<([A-Za-z]"
            r"|\d{1,3}(?:\.\d{1,3})?%?)>(?![^\n]{0,200}</)",
            re.I,
        ),
        r"\1\2",
    ),
    (expression(r"<conf>|\[confidence\]", re.IGNORECASE), " confidence: "),
    (expression(r"\[answer\]", re.IGNORECASE), " answer: "),
    (expression(r"</t[dh]>", re.IGNORECASE), " | "),
    (expression(r"</?(?:table|thead|tbody|tr)>", re.IGNORECASE), "\n"),
    (expression(r"<t[dh]>", re.IGNORECASE), ""),
    (expression(r"</?(?:b|strong|i|em|u|span|code)>|`|\$", re.IGNORECASE), " "),
    # Dots that lead from a label to its value.
    (expression(r"(?<=[^\W\d_]) ?\.{4,80} ?:? ?(?=[(\[]?[\w.])"), ": "),
    (expression(r"(?<=\d)\*++(?=\d)"), "x"),
    (expression(r"\*"), " "),
    (expression(r"\r\n?|[\u2028\u2029]"), "\n"),
    _BLANKS,
    (expression(r"(?: ?\n ?)+"), "\n"),
    (expression(r"(?<=[\w%)]) (?=[.;!?](?:\s|\Z))"), ""),
    (
        expression(
            r"^[#_\- ]*+((?:final |my )?(?:answer|confidence)(?: level| score)?)[_: ]*+\n"
            r"(?:> ?(?=\W{0,4}\w{1,3} ?%?\W{0,4}(?:\n(?! ?>)|\Z)))?",
            re.I | re.M,
        ),
        r"\1: ",
    ),
    (expression(r"^ *+#+ ?", re.MULTILINE), ""),
    (
        expression(
            r"(confidence(?: level| score)?),? \(?on a scale (?:of |from )?(\d{1,3}) ?(?:-|–|to) ?(\d{1,3})\)?", re.I
        ),
        r"\1 (\2-\3)",
    ),
)
# Single lines of single blanks and signs with which no pattern above begins.
_UNMARKED = expression(r"(?!(?i:.*(?:on a scale |\.{4})))(?:[!\"%-)+-;=-Z\]^_a-{}~]| (?! ))*+")


def without_markup(text: str, *, blanks: bool = True) -> str:
    """Bring signs of other scripts, LaTeX, HTML and Markdown to plain text with single blanks.

    Args:
        text: Anything.
        blanks: Whether several blanks become one; an open question's answer is kept as it was written.

    Returns:
        The same words, full-width signs as ASCII, boxes and answer tags as "answer:".
    """
    if _UNMARKED.fullmatch(text):
        return text.strip()  # most questions, options and replies: the patterns below have nothing to do
    text = re.sub(r"```[A-Za-z]*+", "\n", text).translate(_SIGNS)
    for pattern, plain in _MARKUP if blanks else (pair for pair in _MARKUP if pair is not _BLANKS):
        text = pattern.sub(plain, text)
    return text.strip()


# --- Echoes and quotations --------------------------------------------------------------------------------------------

_SENTENCE = expression(r"(?<=[.!?;])\s|\n")
_SHORTEST_ECHO = 8


def without_echoes(text: str, sources: Iterable[str]) -> str:
    """Take away the sentences of the question and the options that a reply repeats and that hold words of a verdict.

    Args:
        text: The reply in plain text.
        sources: The question's and the options' texts.

    Returns:
        The text with a mask in the place of each; other sentences are left, since they cannot be misread.
    """
    for source in sources:
        whole = without_markup(source)
        for piece in sorted({whole, *_SENTENCE.split(whole)}, key=len, reverse=True):
            if len(piece) >= _SHORTEST_ECHO and WORDS_OF_A_VERDICT.search(piece):
                text = _masked(text, piece)
    return text


WORDS_OF_A_VERDICT = expression(
    r"answer|confiden|certain|\bsure\b|probab|guess|choice|option|correct|\d ?%|percent|答案|置信|信心|把握|选", re.I
)


def _masked(text: str, piece: str) -> str:
    flat, sought = (_lower(each).replace("\n", " ") for each in (text, piece))
    parts: list[str] = []
    since = 0
    while (at := flat.find(sought, since)) >= 0:
        since, began = at + len(sought), since
        parts += [text[began:at], f"{MASK}." if sought[-1] in ".!?" else MASK]
    return "".join([*parts, text[since:]])


def _lower(text: str) -> str:
    return text.replace("İ", "I").lower()  # the one letter whose lower case is longer


_QUOTATION = expression(r'"[^"]*+"|“[^“”]*+”|«[^«»]*+»|„[^„“”]*+[“”]|(?<!\w)[\'‘][^\'‘’\n]{12,300}+[\'’](?!\w)')
_QUOTED_LINE = expression(r"^ ?> [^\n]*+", re.MULTILINE)
_ALL_QUOTED = expression(r"(?: ?>[^\n]*+(?:\n|$))++")
_QUOTE_SIGN = expression(r"^ ?> ?", re.MULTILINE)
_CLAIMING = expression(
    r"answer (?:is|would be|should be) ?\S|answer ?[:=] ?\(?[A-Za-z]\b|答案 ?[是为:]"
    r"|confidence\W{0,3}\d|置信度\W{0,2}\d|\d ?% ?(?:conf|sure|cert)",
    re.IGNORECASE,
)


def without_quotations(text: str) -> str:
    """Take away quoted sentences that read as (part of) a verdict: they are somebody else's.

    Args:
        text: The reply in plain text.

    Returns:
        The text with masks; a reply that is one quotation or a block of quoted lines as a whole is the model's
        own, without the signs.
    """
    whole = _QUOTATION.fullmatch(text.rstrip("."))
    if whole:
        return text.rstrip(".")[1:-1]
    if _ALL_QUOTED.fullmatch(text):
        text = _QUOTE_SIGN.sub("", text)
    text = _QUOTED_LINE.sub(MASK, text)
    return _QUOTATION.sub(_mask_of, text)


def _mask_of(quotation: re.Match[str]) -> str:
    """Mask a quotation that claims something; where a sentence ends in it, one ends here."""
    quoted = quotation[0]
    if not _CLAIMING.search(quoted):
        return quoted
    return f"{MASK}." if quoted[-2:-1] in ".!?" else MASK


# --- Parts that several readings look for ----------------------------------------------------------------------------


def has_words(text: str, words: str) -> bool:
    """Whether words stand in a text, and not within longer ones; both in one case.

    Example:
        >>> has_words("no effusion.", "effusion"), has_words("effusions", "effusion")
        (True, False)
    """
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None


def last_sentence(text: str, starts: re.Pattern[str]) -> str:
    r"""Take what stands behind the last beginning of a sentence; the whole text where there is none.

    Example:
        >>> last_sentence("It is clear. I think", re.compile(r"[.] "))
        'I think'
    """
    *_, began = [0, *(found.end() for found in starts.finditer(text))]
    return text[began:]
