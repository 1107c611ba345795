"""Numbers beside a word of confidence in the manner of no known form, for the last reading alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from prompt4trust.verdict.confidences import Stated
from prompt4trust.verdict.doubts.numbers import is_anothers, is_no_single_number, is_of_the_contrary, is_unreal
from prompt4trust.verdict.words.expressions import expression

_WORD = (
    r"(?:confidence(?:_percent(?:age)?)?|certainty|conviction"
    r"|置信度|信心|把握|可信度|确信度|信頼度|確信度|自信度|확신도|신뢰도|자신감|확신|confianza|certeza"
    r"|seguridad|confiance|certitude"
    r"|konfidenz|sicherheit|zuversicht|gewissheit|confidenza|fiducia|certezza|sicurezza|confiança|segurança"
    r"|zekerheid|vertrouwen|betrouwbaarheid|уверенност(?:ь|и|ью)|достоверност(?:ь|и|ью)|впевненіст(?:ь|ю)"
    r"|güven(?: düzeyi(?:m)?)?|güvenim|pewnoś(?:ć|ci|cią)|ufność|jistot(?:a|y|ou)|độ (?:tin cậy|tự tin|chắc chắn)"
    r"|keyakinan(?: saya)?|kepercayaan|säkerhet|sikkerhe[dt]|konfidens|varmuu(?:s|della|teni)|luottamus(?:taso)?"
    r"|încrederea?|certitudinea?|siguranța|βεβαιότητ[αά](?: μου)?|bizonyosság(?:om)?|εμπιστοσύνη|بثقة|الثقة"
    r"|ثقتي|विश्वास|आत्मविश्वास)"
)
# What may stand ahead of it in its clause: any other word may deny it or make it one in something else.
_AHEAD = (
    r"(?:and|with|my|η|a|at|of|the|y|con|mi|una?|nivel|grado|et|avec|ma|mon|une?|niveau|degré|de|und|mit"
    r"|meine[rs]?|mein"
    r"|einer|eine|e|la|mia|il|mio|di|livello|grau|minha|com|uma|en|mijn|met|een|моя|мій|с|moja|mój|poziom"
    r"|moje|z|moje|míra|s|mức|với"
    r"|của tôi|tingkat|dengan|och|min|med|og|ja|minun|și|cu|ve|मेरा|मेरी|我的|私の|제|و)"
)
# Words of a link alone: any other may name what the confidence is in ("confidence in the image quality of 90").
_LINKS = (
    r"(?:is|of|at|here|level|score|in (?:this|my|the) (?:answer|choice|pick|one)|stands|sits|approximately"
    r"|around|about|roughly"
    r"|es|de|del|un|est|à|ist|liegt|bei|von|beträgt|è|al|del|to|é|em|is|van|bedraagt|составляет|моя"
    r"|становить|wynosi|to|je|činí"
    r"|là|khoảng|saya|adalah|sebesar|är|er|på|on|este|είναι|هي|نسبة|بنسبة|है|ca\.?|circa|etwa|około|asi|noin)"
)
_CUED = expression(
    rf"(?:^|(?<=[.!;,(|] )|(?<= [A-Z] )(?=بثقة))[•*– -]{{0,3}}(?:{_AHEAD} ){{0,4}}{_WORD}(?:[은는は이가]|为"
    rf"|為|是|约|約)?"
    rf"(?:[ :=~≈–—]){{0,3}}(?:{_LINKS}[ :]{{1,2}}){{0,5}}(\d{{1,3}}(?:\.\d{{1,3}})?)( ?%| ?/ ?100?\b)?",
    re.IGNORECASE | re.MULTILINE,
)
# The number ends its sentence: whatever follows in it may bound it, or make another of it.
_ENDS = expression(r"(?:です|である|입니다|이다| है)?[)]?[.!]?(?:\s|$)(?<![^.!\n)] )")


def loose_confidences(text: str) -> Iterator[Stated]:
    """List the numbers beside a word of confidence, whatever links them, in order.

    Args:
        text: Plain text.

    Yields:
        Each, with None for its value where a range, a bound, a wish or a doubt is possible.

    Example:
        >>> [each.value for each in loose_confidences("Moja pewność wynosi 90%.")]
        [0.9]
    """
    for found in _CUED.finditer(text):
        end = found.end()
        doubtful = (
            is_anothers(text, found.start())
            or is_unreal(text, found)
            or is_of_the_contrary(text, end)
            or is_no_single_number(text, end)
            or not _ENDS.match(text, end)
        )
        yield Stated(found.start(), end, None if doubtful else _value(found), unit=True)


def _value(found: re.Match[str]) -> float | None:
    """Share that a number with its unit is; None where it has none, since of "certainty 3" the scale is open."""
    unit = (found[2] or "").strip()
    if not unit and "percent" not in found[0].lower():
        return None
    share = float(found[1]) / (10 if unit.endswith("10") else 100)
    return share if share <= 1 else None
