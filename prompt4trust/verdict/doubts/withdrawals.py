"""Sentences behind a verdict in which the speaker takes it back, refuses, or cannot decide the question after all.

Each hand says it in words of its own. Looked for is therefore that something is undone or cannot be done, and what:
the answer, the question, or nothing named. A limit of what is seen ("I cannot judge the apex", "the exact grade cannot
be determined") names something else, and a disclaimer ("I cannot give medical advice") what was not asked for.
"""

from __future__ import annotations

import re

from prompt4trust.verdict.doubts.foreign_withdrawals import is_given_up
from prompt4trust.verdict.words.expressions import expression

_OF_MINE = (
    r"(?:(?:my|the|this|that|our|any|all|both|previous|earlier|last|first|initial|final|above|given|stated) ){1,4}"
)
_SAID = (
    r"(?:answers?|verdicts?|repl(?:y|ies)|responses?|choices?|picks?|selections?|conclusions?|statements?|readings?"
    r"|assessments?|judge?ments?|decisions?|impressions?|guess(?:es)?|claims?|calls?|interpretations?|letters?"
    r"|numbers?)"
)
_THAT = rf"(?:that|this|it|everything|all of (?:that|this|it)|the above|what(?:ever)? (?:I|we)\b|{_OF_MINE}{_SAID}\b)"
_QUESTIONED = (
    r"(?:question|matter|issue|case|images?|pictures?|film|scan|radiograph|x-?ray|slides?|photo\w*|study"
    r"|tracing|slice)"
)
_ENDS = r"(?=\s*(?:[.!?;:,)\n–—]|$| - ))"
_REASON = (
    r"(?= (?:as|because|since|so|and|but|or|from|on|with|without|in|after|at|based|given|by|using|until|any"
    r"|either|here"
    r"|alone|now|entirely|completely|safely|reliably|confidently|properly|please)\b)"
)
# What is undone. Behind it stands no measure: "withdraw it by 2 cm".
_UNDO = (
    r"(?:withdraw|retract|rescind|revoke|recant|disavow|discard|drop|scrap|cancel|abandon|undo|void|annul"
    r"|disregard|ignore"
    r"|forget|erase|delete|strike|scratch|reject|take|correct|revise|reconsider|rethink|redo)(?:ing)?"
)
_UNDONE = (
    r"(?:withdrawn|retracted|rescinded|revoked|recanted|disregarded|ignored|discarded|dropped|scrapped"
    r"|cancell?ed|void(?:ed)?"
    r"|null|annulled|forgotten|deleted|erased|invalid(?:ated)?|worthless|meaningless|useless|nonsense"
    r"|unreliable|unusable|not (?:valid|reliable|usable|an? answer|given)|no answer)"
)
_SELF = r"(?:I|we|me|us)(?:['’](?:m|ve|d|ll|re))?"
_BEGINS = (
    r"(?:^|(?<=[.!?;:,(–—] )|(?<= - )|(?<=[—(]))"
    r"(?:(?:so|but|and|no|please|sorry|actually|then|well|oh|hmm+|wait)\b,? ){0,3}"
)
_MAY_UNDO = (
    rf"(?:\b{_SELF}(?: (?!not\b|never\b|don\b)[a-z]+,?){{0,5}}? |{_BEGINS}(?:better |let me |let['’]s |we should )?)"
)
_UNDOES = expression(
    rf"{_MAY_UNDO}{_UNDO} (?:back )?{_THAT}(?:(?<=\w\bit)|\b)(?: back| up)?(?:{_ENDS}| (?:as|because|since|so"
    rf"|and|but|or|until|please|I|we|above|have|said|wrote|entirely|completely)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_TAKE = expression(r"\btake (?!back)(?!.* back\b)", re.IGNORECASE)
_IS_UNDONE = expression(
    rf"\b{_THAT}(?: above)? (?:(?!not\b)\w+ ){{1,4}}?{_UNDONE}(?:{_ENDS}|{_REASON})"
    rf"|\b{_THAT}(?: above)? (?:should|must|can|ought)(?: ?not|n['’]t)(?: to)? (?:now )?be (?:used|trusted"
    rf"|relied (?:up)?on|taken|counted|considered|accepted)(?:{_ENDS}| (?:as|because|since)\b)"
    rf"|{_BEGINS}(?:consider|treat|regard|view|count|take) {_THAT} (?:as )?{_UNDONE}\b",
    re.IGNORECASE | re.MULTILINE,
)
# What cannot be done.
_UNABLE = (
    r"(?:can ?not|can['’]?t|could ?n['’]t|could not|unable|not able|incapable of|impossible|not possible"
    r"|no (?:way|basis|means)"
    r"|nobody can|no one can|(?:do not|don['’]t) (?:think|believe|see how)|won['’]t|will not|refuse|decline"
    r"|rather not|prefer not|not (?:in a position|qualified|willing|prepared|comfortable"
    r"|going)|fail(?:ed)? to|(?:does|do)(?:n['’]t| not) (?:allow|let|permit|know how)|insufficient|inadequate"
    r"|not (?:enough|sufficient)"
    r"|too (?:poor|limited|blurr\w+|small|dark|little|ambiguous|uncertain|unclear|noisy))"
)
_DECIDE = (
    r"(?:decid\w+|determin\w+|tell|told|judg\w+|choos\w+|chosen|answer\w*|say|said|commit\w*|conclud\w+"
    r"|settl\w+|select\w*|pick\w*"
    r"|resolv\w+|stand|stand (?:by|behind)|defend|vouch|know\w*|interpret\w*|evaluat\w+|assess\w*|establish\w*"
    r"|rely on|be (?:sure|certain)"
    r"|(?:giv\w+|offer\w*|mak\w+|reach\w*|provid\w+) (?:you )?(?:an?|any|my|the|one)(?: \w+)? (?:answer|verdict"
    r"|choice|decision|judge?ment|letter|call))"
)
_ABOUT = r"(?: (?:for|on|to|about|of|between|by|behind|from|with))?(?: sure)?"
_OBJECT = (
    rf"(?:{_ENDS}|{_REASON}| (?:which|between|among)\b(?! (?:lobe|side|segment|rib|vessel|phase|sequence))"
    rf"|{_ABOUT} (?:(?:the|this|that|your|such an?|any|one|either|these) )*(?:{_QUESTIONED}|options?|answers?"
    rf"|one|either|them"
    rf"|any of \w+|an? (?:option|answer|letter))(?:{_ENDS}|{_REASON})"
    rf"|{_ABOUT} {_THAT}(?:{_ENDS}|{_REASON}))"
)
_CANNOT = expression(
    rf"\b{_UNABLE}(?: (?!see\b|exclud|rule\b|detect|find\b)[\w'’-]+,?){{0,4}}? {_DECIDE}{_OBJECT}",
    re.IGNORECASE | re.MULTILINE,
)
# Whose inability counts: the speaker's, or the question's ("this cannot be judged"); not that of a thing named.
_WHO = expression(
    rf"\b{_SELF}\b|\b(?:nobody|no one|one|nothing|you|it|this|that|there|{_QUESTIONED}|{_SAID}|quality"
    rf"|resolution|view|frame"
    rf"|information|evidence|detail)\b|^\W*(?:(?:but|and|so) )?\W*$",
    re.IGNORECASE,
)
_PASSIVE = expression(
    r"\b(?:(?:can|could)(?: ?not|['’]?t)?|not)? ?(?:\w+ly )?(?:to )?be (?:\w+ly )?\w+(?:ed|n|d)\b\W*$", re.IGNORECASE
)
_QUESTION_S = expression(
    rf"\b(?:this|that|it|which|{_QUESTIONED}|{_SAID}|the (?:correct |right )?diagnosis)(?: (?:simply|really"
    rf"|still|just|here|alone))?\W*$",
    re.IGNORECASE,
)
# The speaker erred, or stands by it no longer.
_ERRED = expression(
    rf"\b{_SELF}(?: (?!could\b|might\b|may\b|can\b|would\b|not\b"
    rf"|if\b)[a-z]+){{0,4}}? (?:made an? (?:\w+ )?(?:mistake|error|slip)|got (?:it|this|that|my answer) wrong"
    r"|spoke too soon|answered too \w+|too (?:quick|hasty|fast)|misspoke|erred|(?:was|were) (?:wrong|mistaken"
    r"|in error)|stand corrected"
    r"|(?:did not|didn['’]t|have not|haven['’]t|never) (?:\w+ )?(?:look\w*|see[n]?|opened?|view\w*)"
    rf" (?:at )?(?:the|any|this|an?) {_QUESTIONED}"
    r"|no longer (?:\w+ )?(?:stand|believe|think|hold|trust|sure|certain|confident|convinced|endorse)"
    rf"|(?:do not|don['’]t|not|cannot|can['’]t) (?:\w+ )?(?:trust|stand (?:by|behind)|believe in|endorse|mean"
    rf"|convinced (?:of|by)|rely on) {_THAT}(?:{_ENDS}|{_REASON}| any)"
    r"|(?:should not|shouldn['’]t|ought not to) have (?:answered|said|given|chosen|picked|committed|stated))\b",
    re.IGNORECASE,
)
# What makes the verdict a guess, or its number another.
_EMPTY = expression(
    rf"\bat random\b|\b(?:flipped|tossed|rolled) an?\b"
    rf"|\b{_QUESTIONED} (?:(?:has|have) )?(?:failed|did not|didn['’]t|could not|was not|wasn['’]t|is missing|never"
    r"|cannot|not|is not)(?: \w+)? (?:to )?(?:load\w*|open\w*|display\w*|come through|came through|attached|available"
    r"|provided|given|visible|received|shown)\b|\bnot (?:given|shown|sent|provided with) (?:an?|any|the)\b"
    r"|\b(?:correct|right|better|best|true)\b[^,]{0,40}\b(?:another|the (?:first|second|third|fourth|fifth|last"
    r"|other))(?: one| option| choice)?\W*$"
    r"|\bover-?confident\b|\b(?:confidence|number|figure|that|this)(?: \w+)? is (?:\w+ )?too (?:high|low|much)\b"
    r"|\bbe (?:that|so|this) (?:sure|certain|confident)\b|^\W*\d{1,3} ?%? (?:would|should|might|may) be\b"
    r"|^\W*(?:equally\b[^.]*\b(?:could|may|might|can)\b|update\b|provided\b|only (?:valid|if|when)\b|unless\b)"
    r"|\binstead\W*$|\bnone of (?:the|these|those) (?:\w+ )?(?:options|choices|answers)\b",
    re.IGNORECASE,
)
_NOT_SO = expression(
    r"^\W*(?:(?:but|and|however|though|yet|still),? )?(?:this|that|it|the above)(?: \w+ly)? (?:is|was|seems"
    r"|can be|should be|must be|has been|cannot be"
    r"|can['’]t be) (?:\w+ly |therefore |thus |also |now )?(?:ruled out|excluded|wrong|incorrect|false|unlikely"
    r"|impossible|(?:not )?(?:correct|right|true)"
    rf"|not (?:so|the (?:answer|case|diagnosis)))(?:{_ENDS}|,? (?:however|though|after|since|because|as)\b)",
    re.IGNORECASE,
)
_SO = expression(
    r"(?:is|was|seems|must be|should be|has been|can be) (?:\w+ly |therefore |thus |also |now )?"
    r"(?:correct|right|true)\b",
    re.IGNORECASE,
)
_LEFT = expression(
    rf"\b{_SELF}(?: [a-z]+){{0,4}}? (?:abstain|recuse myself|backtrack|back out|(?:leave|leaving) (?:it|this"
    rf"|that|the \w+) (?:open|undecided|blank|unanswered)"
    rf"|(?:suspend|reserve|withhold) (?:my |our )?(?:judge?ment|answer|verdict)|(?:refuse|decline|pass"
    rf"|give up)(?: on (?:this|it)(?: one)?)?{_ENDS}"
    r"|(?:leave|leaving) (?:it|this|that|the (?:\w+ )?\w+) to (?:you|others?|a|an|the|your|somebody|someone)"
    r"|(?:changed|changing|change|(?:have|had) changed) (?:my|our) (?:mind|answer|view|opinion)"
    r"|(?:give|have|offer|giving)(?: you)? no (?:\w+ )?(?:answer|verdict|choice|decision)"
    rf"|(?:have|had|['’]ve) (?:really |absolutely |honestly )?no (?:idea|clue)(?:{_ENDS}| (?:which|what (?:it"
    rf"|this|the answer)|if|about (?:this|it))\b))(?!\w)"
    r"|\b(?:is|was|as) (?:just |only |merely )?an? (?:dummy|placeholder|joke|test|made-up)\b"
    r"|\b(?:real|true|actual|honest) confidence\b|^then I (?:saw|noticed|reali[sz]ed|looked)\b"
    rf"|{_BEGINS}(?:do not|don['’]t|never) (?:use|trust|rely (?:up)?on|count on|believe|take|accept) {_THAT}{_ENDS}"
    rf"|{_BEGINS}(?:no (?:final )?(?:answer|verdict|choice|decision)(?: \w+){{0,3}}|undecided|undecidable"
    rf"|(?:(?:the|my|final) )*(?:answer|question|verdict|decision|choice)"
    rf" (?:(?:stays?|remains?|is|must|has|to|stay|remain|thus|now|still) ?){{1,4}} (?:open|undecided|unclear"
    rf"|unanswered|unknown|undetermined|unresolved)){_ENDS}",
    re.IGNORECASE | re.MULTILINE,
)
# A sentence of its own behind a number; behind a letter it may be the option's text.
_NO = expression(
    r"\W*(?:(?:well|hm+|ah|oh|but|and),? )?(?:nope|nah|no|false|wrong|incorrect|untrue|not really)\W*", re.IGNORECASE
)
_DIGIT = expression(r"\d")
_SENTENCE = expression(r"(?:[^.!?;\n]|\.(?=\S))++[.!?;]?")
_MOST_SENTENCES = 400
_NEAR = 160


def is_withdrawn(text: str, since: int) -> bool:
    """Whether a sentence behind a verdict's answer takes the verdict back, refuses one, or tells that none is possible.

    Args:
        text: Plain text.
        since: Place behind the answer.

    Example:
        >>> is_withdrawn("Answer: A. Confidence: 85. I have to withdraw that.", 9)
        True
        >>> is_withdrawn("Answer: A. Confidence: 85. The tube has to be withdrawn by 2 cm.", 9)
        False
    """
    for count, found in enumerate(_SENTENCE.finditer(text, since)):
        if count == _MOST_SENTENCES:
            break
        if _withdraws(found[0].strip()):
            return True
        if _NO.fullmatch(found[0]) and _DIGIT.search(text, since, found.start()) and text[found.start() - 1] != "?":
            return True
    return False


def _withdraws(sentence: str) -> bool:
    undoes = _UNDOES.search(sentence)
    if undoes and not _TAKE.search(undoes[0]):
        return True
    if any(form.search(sentence) for form in (_IS_UNDONE, _ERRED, _EMPTY, _LEFT)) or is_given_up(sentence):
        return True
    not_so = _NOT_SO.search(sentence)
    if not_so and not _SO.search(not_so[0]):
        return True
    return any(_is_the_answer_s(sentence, found) for found in _CANNOT.finditer(sentence))


def _is_the_answer_s(sentence: str, found: re.Match[str]) -> bool:
    """Whether it is the speaker who cannot decide, or the question that cannot be decided."""
    since = max(found.start() - _NEAR, 0)
    passive = _PASSIVE.search(sentence, since, found.end())
    if passive:
        return _QUESTION_S.search(sentence[since : passive.start()]) is not None
    return _WHO.search(sentence[since : found.start()]) is not None or found[0].lower().startswith(("nobody", "no "))
