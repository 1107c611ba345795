"""Words with which a reply turns from what it has said to something else: "but", "actually", "on reflection"."""

from __future__ import annotations

from typing import Final

from prompt4trust.verdict.words.places import Place, Row

TURNS: Final[tuple[Row, ...]] = (
    ("above (?:was|is|values are) (?:an? (?:placeholder|test)|made up(?! of)|placeholder)", Place.BEHIND),
    ("actually", Place.BETWEEN | Place.CELL | Place.YES_OR_NO),
    ("actually,? (?:it|the answer|my answer|yes|no)", Place.BEHIND),
    ("actually,? no", Place.AT_ONCE),
    ("after all", Place.BETWEEN),
    ("all in all", Place.BETWEEN),
    ("(?:answer|verdict|reply) (?:is |was |hereby )?(?:retracted|withdrawn|revoked|void|cancelled)", Place.BEHIND),
    (r"apolog\w+", Place.TURNS),
    ("better", Place.BETWEEN),
    ("but", Place.OPENS | Place.BETWEEN | Place.SHOWN),
    (r"chang\w+", Place.BETWEEN | Place.TURNS),
    ("closer look", Place.BETWEEN),
    (r"conclu\w+", Place.BETWEEN),
    ("correct answer", Place.BETWEEN),
    ("corrected", Place.TURNS),
    ("correcting", Place.BETWEEN),
    ("correction", Place.BETWEEN | Place.TURNS | Place.YES_OR_NO),
    # And not of motion or attenuation.
    (
        r"correction(?:(?<![\w-] correction)(?<!-correction)(?! (?:of|for|was|is|factor)\b)"
        r"|(?<!motion correction)(?<!ation correction)(?<!field correction)(?<!-correction)(?=\s?[:,–—-]))",
        Place.BEHIND,
    ),
    ("disagree", Place.OPENS),
    (r"disregard\w*", Place.BETWEEN | Place.CELL),
    ("edit(?:ed)?", Place.BETWEEN | Place.TURNS),
    ("final", Place.TURNS),
    (r"final\w*", Place.BETWEEN),
    ("hindsight", Place.TURNS),
    ("hmm", Place.BETWEEN),
    ("hmm+", Place.TURNS),
    ("hold on", Place.TURNS),
    ("however", Place.OPENS | Place.BETWEEN | Place.SHOWN),
    ("i (?:made (?:this|that|it|all of (?:this|that)) up|invented (?:this|that|it))", Place.BEHIND),
    (r"i mean (?:option )?(?-i:[A-Z])(?![\w-])", Place.BEHIND),
    ("i meant", Place.BEHIND),
    (
        "i (?:misread|misinterpreted|misjudged|misunderstood|mislabell?ed|mixed up|confused) (?:it|this"
        "|that|the|left|right|my)",
        Place.BEHIND,
    ),
    ("in fact", Place.BETWEEN),
    (r"i(?: now)? (?:lower|raise|reduce|increase|adjust) my confidence (?:down |up )?to \d++", Place.BEHIND),
    ("instead", Place.BETWEEN | Place.TURNS | Place.CELL | Place.YES_OR_NO | Place.SHOWN),
    ("(?:is|are) made up(?! of)", Place.BEHIND),
    ("i should have said", Place.BEHIND),
    ("i was wrong", Place.AT_ONCE | Place.BEHIND),
    ("just kidding", Place.AT_ONCE | Place.BEHIND),
    ("let me (?:redo|start over|try again)", Place.BEHIND),
    ("let['’]s go", Place.TURNS),
    (r"make(?<!would make) (?:that|it) \d++(?![.,]\d)(?! ?(?:times|fold|x|-|mm|cm)(?![a-z]))", Place.BEHIND),
    ("mean", Place.TURNS),
    ("meant", Place.BETWEEN | Place.TURNS | Place.YES_OR_NO),
    (r"mistake\w*", Place.BETWEEN),
    ("my mistake", Place.AT_ONCE | Place.BEHIND),
    ("never ?mind", Place.AT_ONCE | Place.BEHIND | Place.TURNS),
    ("nevertheless", Place.OPENS),
    ("no,? it(?:['’]s| is)", Place.TURNS),
    ("none of (?:this|that|what i (?:said|wrote)) is (?:right|correct|true)", Place.BEHIND),
    ("nonetheless", Place.OPENS),
    ("not sure about (?-i:[A-Z]) any ?more", Place.BEHIND),
    ("on balance", Place.TURNS),
    ("on reflection", Place.BETWEEN | Place.BEHIND),
    (r"on re\w*", Place.TURNS),
    ("on second thoughts?", Place.BEHIND),
    ("oops", Place.BETWEEN | Place.BEHIND | Place.TURNS),
    ("overall", Place.BETWEEN),
    ("please disregard", Place.BEHIND),
    ("prefer", Place.TURNS),
    (r"p\.? ?s", Place.TURNS),
    ("rather", Place.BETWEEN | Place.TURNS | Place.CELL | Place.YES_OR_NO),
    (r"reconsider\w*", Place.BETWEEN),
    ("redo", Place.BETWEEN | Place.TURNS),
    ("re-do", Place.TURNS),
    ("re-?doing", Place.BETWEEN | Place.TURNS),
    ("replace", Place.TURNS),
    (r"retract\w*", Place.BETWEEN),
    (r"revis\w+", Place.BETWEEN | Place.TURNS),
    ("scratch", Place.TURNS),
    ("scratch that", Place.AT_ONCE | Place.BEHIND),
    ("second answer", Place.BETWEEN),
    ("(?:second|new|correct|right) (?:answer|choice)", Place.TURNS),
    ("second thoughts?", Place.BETWEEN),
    ("self-check failed", Place.BEHIND),
    ("sorry", Place.BETWEEN | Place.TURNS | Place.YES_OR_NO),
    ("strike", Place.BETWEEN | Place.TURNS),
    (r"switch\w*", Place.TURNS),
    (
        r"that(?:(?<!\w that)|(?<=\b(?:no|oh) that)|(?<=\b(?:but|and) that)|(?<=think that))(?:['’]s| is| was) (?:wrong"
        r"|incorrect|not right)(?! ?-| (?:sided|angled)\b)",
        Place.BEHIND,
    ),
    (
        "(?:the above|all of (?:this|that)|what i (?:said|wrote)|(?:my|this) (?:answer|reply|response"
        "|verdict)(?: above)?) (?:is|was|are|were) (?:wrong|incorrect|false|not (?:right|correct)"
        "|invalid|an? (?:mistake|error)|made up(?! of))",
        Place.BEHIND,
    ),
    ("then again", Place.BETWEEN),
    ("therefore", Place.BETWEEN),
    (
        "(?:this|that) is (?:what|how) (?:an?|the|my|such an?|your) (?:\\w+ )?(?:reply|answer|response|output)"
        " (?:would|could|might|should|may)",
        Place.BEHIND,
    ),
    (
        r"(?:this|that|it|above|(?:my|this|the|that) (?:answer|reply|response|verdict)(?: above)?) (?:is|was) (?:only"
        r"|just|merely) an? (?:example|sample|placeholder|illustration|template)(?=\s*(?:[^\w\s]|\Z)"
        r"|\s*\n| (?:for|to) | of [^.\n]{0,30}\b(?:form|format|output|answer|reply|response)\b)",
        Place.BEHIND,
    ),
    ("this was (?:only |just )?a test", Place.BEHIND),
    (r"updat\w+", Place.BETWEEN | Place.TURNS),
    ("wait", Place.BETWEEN | Place.TURNS | Place.YES_OR_NO),
)
"""Word, as a pattern, and the places where it counts."""
