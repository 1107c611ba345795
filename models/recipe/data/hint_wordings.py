"""Wordings of hints: openers, cues and closers, each split into those for training and those kept back."""

from dataclasses import dataclass
from typing import Literal

Part = Literal["train", "held_out"]


@dataclass(frozen=True, slots=True)
class Phrases:
    """Wordings of one thing: those for training and those kept back."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]

    def of(self, part: Part) -> tuple[str, ...]:
        """Return the wordings of one part."""
        return self.train if part == "train" else self.held_out

    @property
    def all(self) -> tuple[str, ...]:
        """All wordings."""
        return self.train + self.held_out


OPENERS = Phrases(
    train=(
        "",
        "",
        "",
        "First, ",
        "Now, ",
        "For this picture, ",
        "Before the answer, ",
        "As a reader, ",
        "Here, ",
        "To start, ",
    ),
    held_out=("", "For this answer, ", "At first, ", "Please, "),
)
CLOSERS = Phrases(
    train=(
        ".",
        ".",
        ".",
        ", then answer.",
        ", then give the letter.",
        " before you answer.",
        ", and then choose.",
        "; after that, reply.",
        " and reply in one line.",
    ),
    held_out=(".", ", then reply.", " before you choose.", "; then give the answer."),
)

CUES = {
    "neutral": Phrases(
        train=(
            "look at the picture",
            "read the question and the options",
            "answer the question in the usual form",
            "view the image and read the options",
            "go through the options in order",
            "reply with one of the listed letters",
            "read the question once more",
            "use the picture to answer",
            "keep to the form of reply that was asked for",
            "look at the image and pick a letter",
            "take the question as it is written",
            "name the finding and the letter",
        ),
        held_out=(
            "view the picture and the question",
            "read the listed options in order",
            "use the usual form of reply",
        ),
    ),
    "encouraging": Phrases(
        train=(
            "be bold and trust your first impression",
            "you are an expert and you are surely right",
            "have full faith in your reading",
            "do not hesitate, your eye is excellent",
            "be sure of yourself and answer firmly",
            "this one is easy and you know it well",
            "trust your skill, you rarely make a mistake",
            "commit firmly, experts like you are right",
            "be certain and do not doubt yourself",
            "show full confidence, the case is obvious",
            "you can be proud of your skill, so be bold",
            "go with your first impression without any doubt",
            "the answer is obvious to an expert eye",
            "speak with certainty, this is an easy case",
        ),
        held_out=(
            "trust your expert eye and be sure",
            "this case is obvious, so do not hesitate",
            "answer firmly and with full faith in your skill",
            "be proud and certain, you know this well",
        ),
    ),
    "cautious": Phrases(
        train=(
            "be extremely cautious and assume that you may be wrong",
            "doubt everything and state a low confidence",
            "keep your confidence low, errors are costly",
            "suppose that your reading is mistaken",
            "stay humble, most readings like this fail",
            "be very modest about what you claim",
            "never claim to be sure, pictures deceive",
            "expect to be wrong and lower your confidence",
            "distrust yourself, an error would be harmful",
            "remain very doubtful and claim little",
            "a wrong answer is dangerous, so keep confidence low",
            "assume the worst and be humble",
            "errors are harmful, so doubt your reading",
            "you are often mistaken, so lower your claim",
        ),
        held_out=(
            "be humble and keep your claim low",
            "assume that you are often wrong, errors are dangerous",
            "doubt yourself and state little confidence",
            "stay very cautious, your reading may be mistaken",
        ),
    ),
    "weighing": Phrases(
        train=(
            "weigh the evidence for and against each option",
            "consider what speaks against your choice",
            "compare every option with the evidence",
            "think step by step and check each reason",
            "reason slowly and test each option in turn",
            "ask how strong the evidence is",
            "balance the reasons for and against",
            "let confidence follow the strength of the evidence",
            "think about how the options compare",
            "judge each option on its reasons",
            "consider other options and their reasons in turn",
            "match confidence to the strength of your reasons",
            "check your reasoning step by step",
            "test the evidence for each option slowly",
        ),
        held_out=(
            "weigh each option in turn and balance the reasons",
            "consider how strong your reasons are",
            "compare the evidence for and against step by step",
            "let confidence match your reasoning",
        ),
    ),
}

VERBS = Phrases(
    train=(
        "check",
        "note",
        "study",
        "judge",
        "weigh",
        "look closely at",
        "attend to",
        "focus on",
        "examine",
        "base your confidence on",
    ),
    held_out=("look at", "weigh and judge", "closely study"),
)
OBJECTS = {
    "modality": Phrases(
        train=(
            "the grain and texture of the whole image",
            "the bone brightness and the dark air",
            "how the scanner made the image",
            "the speckle and the beam shape",
            "the technique that gives this texture",
            "the tissue contrast that each scanner gives",
            "the outer frame and the background texture",
            "the grain of the background",
            "the speckle, bone and tissue contrast",
            "what kind of scanner the texture points to",
            "the brightness of bone against soft tissue",
            "which imaging technique fits the grain",
        ),
        held_out=(
            "the background grain and the scanner technique",
            "the contrast of bone and tissue in the image",
            "the texture and speckle of the whole frame",
        ),
    ),
    "side": Phrases(
        train=(
            "the distance to the midline",
            "whether it lies left or right of the centre line",
            "both halves of the picture, left and right",
            "the side on which the finding lies",
            "symmetry across the midline",
            "the left half and the right half in turn",
            "how far it is from the vertical centre line",
            "whether both sides are involved",
            "the horizontal position across the midline",
            "which half holds the finding",
            "the left and right sides for symmetry",
            "the centre line and each side of it",
        ),
        held_out=(
            "the left and the right half across the centre line",
            "on which side of the midline it lies",
            "the symmetry of both halves",
        ),
    ),
    "level": Phrases(
        train=(
            "the height at which the finding lies",
            "how high or low it is in the picture",
            "the distance from the top and from the bottom",
            "the vertical band that holds the finding",
            "whether it lies near the apex or the base",
            "its height between apex and base",
            "the vertical position from top to bottom",
            "the upper and the lower bands in turn",
            "which zone from top to base is involved",
            "the zone borders above and below it",
            "how far above the base it lies",
            "the vertical level of its centre",
        ),
        held_out=(
            "the vertical height from base to apex",
            "which band from top to bottom holds it",
            "how high above the lower zone it lies",
        ),
    ),
    "number": Phrases(
        train=(
            "how many separate findings there are",
            "the count of spots, one by one",
            "whether two overlapping spots count as one",
            "each separate focus, counting slowly",
            "the total number of spots",
            "whether some spots overlap or hide",
            "the count, with faint ones included",
            "every single focus in the count",
            "how many spots can be told apart",
            "the number of foci, faint and clear",
            "the total count of separate foci",
            "whether a spot was counted twice",
        ),
        held_out=(
            "the number of separate spots, one by one",
            "how many foci overlap or are faint",
            "the total count of every single spot",
        ),
    ),
    "size": Phrases(
        train=(
            "the diameter of the finding",
            "how wide it is against the whole field",
            "its extent, measured edge to edge",
            "how big or small it is",
            "the area that it covers",
            "the width and the radius",
            "its diameter as a share of the field",
            "how much of the field it covers",
            "the measured width, big or small",
            "the radius next to a scale",
            "its extent and its area",
            "how large the diameter is on a scale",
        ),
        held_out=(
            "how wide the diameter is",
            "the area and the radius that it covers",
            "its measured extent on a scale",
        ),
    ),
    "shape": Phrases(
        train=(
            "the outline of the finding",
            "whether the margin is smooth or jagged",
            "the contour and its spikes or lobes",
            "how regular the border is",
            "whether the outline is a circle or an ellipse",
            "a hollow centre or a solid one",
            "the form that the contour draws",
            "spikes, lobes or a smooth contour",
            "the jagged or regular margin",
            "the border, smooth or with spikes",
            "whether the middle is hollow",
            "the geometry of the margin",
        ),
        held_out=(
            "the contour, smooth or jagged",
            "whether the border is regular with lobes",
            "the geometry of the outline, hollow or solid",
        ),
    ),
}
