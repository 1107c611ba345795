"""Words that deny, doubt, suppose or compare: beside an answer, they say that it is not the one."""

from __future__ import annotations

from typing import Final

from prompt4trust.verdict.words.places import Place, Row

DENIALS: Final[tuple[Row, ...]] = (
    ("absence", Place.SHOWN | Place.UP_TO_CONFIDENCE),
    ("absence of", Place.BEFORE_TEXT),
    ("absent", Place.CELL | Place.SHOWN | Place.BEHIND_TEXT | Place.UP_TO_CONFIDENCE),
    (r"absen\w+", Place.KEEPS | Place.COMPARED | Place.YES_ALONE),
    ("against", Place.KEEPS | Place.SHOWN | Place.COMPARED | Place.BEFORE_TEXT),
    ("alternative", Place.KEEPS),
    ("another", Place.SHOWN | Place.SURE_THAT),
    ("argues? against", Place.BEFORE_TEXT),
    (r"assum\w*", Place.AHEAD),
    ("atypical", Place.SHOWN),
    ("barely", Place.SHOWN),
    ("cannot", Place.AHEAD | Place.KEEPS | Place.SURE_THAT | Place.YES_ALONE),
    (r"compar\w+", Place.COMPARED),
    (r"confirm\w*", Place.CELL),
    ("contrast", Place.COMPARED),
    ("could", Place.KEEPS),
    ("denied", Place.UP_TO_CONFIDENCE),
    ("denies", Place.AHEAD),
    ("deny", Place.AHEAD),
    ("differential", Place.KEEPS),
    (r"differ\w*", Place.COMPARED),
    (r"dismiss\w*", Place.UP_TO_CONFIDENCE),
    ("doubt", Place.BEFORE_TEXT),
    (r"doubt\w*", Place.AHEAD | Place.CELL | Place.UP_TO_CONFIDENCE),
    ("either", Place.SURE_THAT),
    ("else", Place.SURE_THAT),
    ("error", Place.SURE_THAT),
    ("except", Place.COMPARED),
    ("excluded?", Place.KEEPS),
    ("excluded", Place.BEHIND_TEXT | Place.SURE_THAT),
    ("excludes", Place.KEEPS),
    ("excluding", Place.SURE_THAT),
    (r"exclud\w*", Place.CELL),
    (r"exclud\w+", Place.COMPARED | Place.BEFORE_TEXT),
    ("exclusion", Place.COMPARED),
    (r"exclu\w+", Place.UP_TO_CONFIDENCE | Place.YES_ALONE),
    (r"fail\w*", Place.SHOWN),
    ("false", Place.AHEAD | Place.CELL | Place.UP_TO_CONFIDENCE | Place.SURE_THAT),
    ("free", Place.YES_ALONE),
    ("free of", Place.BEFORE_TEXT),
    ("hardly", Place.AHEAD | Place.SHOWN),
    (r"heal\w*", Place.SHOWN),
    (r"heal\w+", Place.YES_ALONE),
    (r"hypothetical\w*", Place.AHEAD),
    (
        "i (?:can ?not|can['’]t|am unable to|could not|couldn['’]t|did not|didn['’]t|do not|don['’]t) "
        "(?:actually |really |even )?(?:see|view|open|access|load|have|receive|get) (?:any |the |an? "
        "|this |your )?(?:attached )?(?:images?|pictures?|photos?|films?|scans?|attachments?|files?)"
        # "... of the lateral view" is a finding.
        r"(?=\s*(?:[^\w\s'’-]|-\s|\Z)|\s*\n| (?:you|that you|which|attached|here|directly|itself|at all|in (?:this"
        r"|our|the) (?:chat|conversation|message|prompt)|and|but|so|because|or|to|as|due|since|provided|uploaded)\b)",
        Place.BEHIND,
    ),
    (
        "i (?:do not|don['’]t) (?:really )?know(?! (?:of|about|whether|if|why|how|what))",
        Place.AT_ONCE,
    ),
    ("if", Place.KEEPS | Place.CELL | Place.SHOWN | Place.CONFIDENCE),
    (
        "i (?:have|had|got|received) no (?:access to (?:the|an?|any) )?(?:images?|pictures?|photos?"
        r"|films?|scans?|attachments?)(?!['’-]| of\b| from\b)",
        Place.BEHIND,
    ),
    ("imagine", Place.AHEAD),
    ("implausible", Place.BEHIND_TEXT),
    ("improbable", Place.BEHIND_TEXT),
    (
        "incorrect",
        Place.AHEAD
        | Place.BETWEEN
        | Place.KEEPS
        | Place.CELL
        | Place.TABLE
        | Place.BEHIND_TEXT
        | Place.UP_TO_CONFIDENCE
        | Place.SURE_THAT,
    ),
    ("instead of", Place.KEEPS | Place.COMPARED | Place.BEFORE_TEXT),
    ("intact", Place.YES_ALONE),
    ("lack", Place.YES_ALONE),
    ("lacks?", Place.KEEPS),
    ("less", Place.KEEPS | Place.COMPARED),
    ("less likely", Place.BEHIND_TEXT),
    ("loss", Place.YES_ALONE),
    ("may", Place.KEEPS),
    ("might", Place.KEEPS),
    (r"mimic\w*", Place.COMPARED | Place.YES_ALONE),
    ("mistaken", Place.SURE_THAT),
    (r"mistak\w+", Place.YES_ALONE),
    ("n/a", Place.CELL),
    ("naive", Place.AHEAD),
    ("negative", Place.UP_TO_CONFIDENCE | Place.YES_ALONE),
    ("negative for", Place.BEFORE_TEXT),
    ("neither", Place.KEEPS | Place.COMPARED | Place.BEFORE_TEXT | Place.SURE_THAT | Place.YES_ALONE),
    ("never", Place.AHEAD | Place.KEEPS | Place.CELL | Place.YES_ALONE),
    ("next", Place.KEEPS),
    ("no", Place.COMPARED | Place.BEFORE_TEXT | Place.YES_ALONE),
    ("nobody", Place.AHEAD),
    (
        "no (?:image|picture|photo|scan) (?:(?:was|is|has been) (?:attached|provided|given|uploaded"
        r"|received|visible|included)(?! of\b)|here|attached|to look at|in (?:this|the|our|your) (?:chat|message|prompt"
        "|conversation))",
        Place.BEHIND,
    ),
    ("none", Place.CELL | Place.UP_TO_CONFIDENCE | Place.SURE_THAT),
    ("no one", Place.AHEAD),
    ("no option", Place.SURE_THAT),
    ("nor", Place.KEEPS | Place.COMPARED | Place.BEFORE_TEXT | Place.YES_ALONE),
    ("normal", Place.YES_ALONE),
    ("not(?!,)", Place.AHEAD),
    (
        "not",
        Place.KEEPS
        | Place.CELL
        | Place.TABLE
        | Place.SHOWN
        | Place.BEFORE_TEXT
        | Place.BEHIND_TEXT
        | Place.SURE_THAT
        | Place.YES_ALONE,
    ),
    ("no (?:way|evidence|reason|indication|sign|proof|basis)", Place.AHEAD),
    ("only", Place.SHOWN),
    ("or", Place.YES_ALONE),
    ("other", Place.SHOWN),
    ("other than", Place.SURE_THAT),
    ("over", Place.KEEPS | Place.BEFORE_TEXT),
    ("possibility", Place.KEEPS),
    ("possible", Place.KEEPS),
    ("premature", Place.AHEAD),
    (r"pretend\w*", Place.AHEAD),
    ("rarely", Place.SHOWN),
    ("rash", Place.AHEAD),
    ("rather than", Place.KEEPS | Place.BEFORE_TEXT),
    ("refuse", Place.AHEAD),
    (r"refut\w*", Place.AHEAD),
    ("rejected", Place.TABLE),
    (r"reject\w*", Place.AHEAD | Place.CELL | Place.UP_TO_CONFIDENCE),
    ("remains?", Place.KEEPS),
    (r"resembl\w+", Place.COMPARED),
    (r"resol\w+", Place.SHOWN | Place.YES_ALONE),
    ("ruled", Place.YES_ALONE),
    ("ruled out", Place.KEEPS | Place.CELL | Place.BEHIND_TEXT | Place.UP_TO_CONFIDENCE | Place.SURE_THAT),
    ("rules out", Place.KEEPS),
    ("ruling out", Place.KEEPS | Place.SURE_THAT),
    (r"rul\w+ out", Place.AHEAD | Place.BEFORE_TEXT),
    ("runner-up", Place.KEEPS),
    ("scarcely", Place.SHOWN),
    ("second(?! (?:answer|look))", Place.KEEPS),
    ("seldom", Place.SHOWN),
    ("should", Place.CELL),
    ("similar", Place.COMPARED),
    ("since", Place.SHOWN),
    ("status", Place.UP_TO_CONFIDENCE),
    (r"suppos\w*", Place.AHEAD),
    ("tempting", Place.AHEAD),
    ("than", Place.KEEPS | Place.COMPARED | Place.BEFORE_TEXT),
    ("too", Place.SHOWN),
    ("treated", Place.SHOWN),
    ("uncertain", Place.AHEAD),
    ("unclear", Place.AHEAD | Place.CELL),
    ("unknown", Place.CELL),
    ("unless", Place.AHEAD | Place.KEEPS | Place.CELL | Place.SHOWN),
    ("unlike", Place.COMPARED | Place.BEFORE_TEXT),
    (
        "unlikely",
        Place.AHEAD | Place.KEEPS | Place.CELL | Place.BEFORE_TEXT | Place.BEHIND_TEXT | Place.UP_TO_CONFIDENCE,
    ),
    ("unremarkable", Place.YES_ALONE),
    ("unsure", Place.AHEAD),
    ("untrained", Place.SHOWN),
    ("untrue", Place.UP_TO_CONFIDENCE),
    ("versus", Place.COMPARED),
    ("vs", Place.COMPARED),
    ("whether", Place.AHEAD),
    ("withdrawn", Place.UP_TO_CONFIDENCE),
    ("without", Place.KEEPS | Place.COMPARED | Place.BEFORE_TEXT | Place.YES_ALONE),
    ("would (?:show|need|require|cause|appear|present|look|have|produce|be expected)", Place.KEEPS),
    (
        "wrong",
        Place.AHEAD
        | Place.BETWEEN
        | Place.KEEPS
        | Place.CELL
        | Place.TABLE
        | Place.BEHIND_TEXT
        | Place.UP_TO_CONFIDENCE
        | Place.SURE_THAT
        | Place.YES_ALONE,
    ),
)
"""Word, as a pattern, and the places where it counts."""
