"""Sentences behind a verdict that give it up, and those in the same words that speak of the patient."""

from __future__ import annotations

import pytest

from prompt4trust.verdict.doubts.withdrawals import is_withdrawn


@pytest.mark.parametrize(
    "said",
    [
        "I have to withdraw that.",
        "The line I took for the pleura is a skin fold, and I can't decide the question from this image.",
        "Scratch that.",
        "On reflection this can't be judged.",
        "Disregard the above.",
        "I withdraw that answer.",
        "I take that back.",
        "I'd like to retract my answer.",
        "Please ignore my previous answer.",
        "Actually, I cannot tell.",
        "I can't say which.",
        "I cannot determine this from a single image.",
        "This cannot be determined from one slice.",
        "It is impossible to say.",
        "There is no way to tell from this view.",
        "That answer should be disregarded.",
        "I was wrong.",
        "I no longer stand by this.",
        "I would rather not answer.",
        "I refuse to answer.",
        "I abstain.",
        "Let me take that back.",
        "I don't stand by that.",
        "I should not have answered.",
        "I leave the question open.",
        "The question remains open.",
        "The image does not allow me to decide.",
        "The image quality is insufficient to decide.",
        "The picture is too blurry to judge.",
        "But honestly, I can't commit to any of these.",
        "I can't really choose between the two.",
        "I am unable to answer this question.",
        "I'm not able to give a reliable answer here.",
        "Consider my answer void.",
        "This answer is withdrawn.",
        "No answer.",
        "I spoke too soon.",
        "I made a mistake.",
        "We cannot decide this without a lateral view.",
        "Forget it.",
        "Strike that.",
        "I must retract this.",
        "Let me reconsider this.",
        "I need to reconsider my answer.",
        "I need to correct that.",
        "Nobody can tell from this image.",
        "I do not trust this answer.",
        "I can't stand by that.",
        "However, I'm unable to determine the answer.",
        "Thinking about it, I cannot answer.",
        "I don't think this can be decided from the image.",
        "That being said, the correct answer cannot be determined.",
        "I'm going to withdraw my answer.",
        "I won't commit to an answer.",
        "My answer should not be used: I'm retracting it.",
        "Hmm, I am not able to judge this.",
        "I guessed and cannot vouch for it.",
    ],
)
def test_a_sentence_gives_a_verdict_up(said: str) -> None:
    assert is_withdrawn(said, 0)


@pytest.mark.parametrize(
    "said",
    [
        "The tube has to be withdrawn by 2 cm.",
        "I would withdraw it by 2 cm.",
        "Symmetry can't be judged with one elbow.",
        "The exact grade cannot be determined.",
        "I cannot judge the apex.",
        "I can't see the costophrenic angle.",
        "I cannot provide medical advice.",
        "This is not medical advice; I cannot replace a radiologist.",
        "Mobility can't be judged on a still image.",
        "I can't give a medical diagnosis.",
        "It can't be excluded that there is a small effusion.",
        "The lateral margin cannot be assessed.",
        "One cannot tell whether it is acute or chronic.",
        "I can't tell the age of the fracture.",
        "It is impossible to determine the exact size.",
        "The catheter should be retracted by 3 cm.",
        "I could be wrong.",
        "The heart can't be ignored.",
        "The chronicity of the lesion cannot be determined from this image.",
        "Do not ignore this finding.",
        "The signal drops on fat-saturated images.",
        "The hemidiaphragm is retracted.",
        "There is a retracted clot.",
        "Option A cannot be right since the vessel is intact.",
        "The tendon is retracted and the muscle wasted.",
        "You should not ignore chest pain.",
        "I would not withdraw that answer.",
        "The lesion is too small to characterize.",
        "Without the lateral view the size cannot be determined.",
        "If it grows, the diagnosis has to be reconsidered.",
        "I can't rule out a small fracture.",
        "A benign lesion was considered and discarded.",
        "Hepatitis can be dropped from the list.",
        "I'd take it to the tumour board.",
        "It takes up contrast.",
        "Please take this with a grain of salt.",
        "The question is which lobe is involved.",
        "I'm not a doctor and can't replace one.",
    ],
)
def test_what_is_said_of_a_finding_gives_nothing_up(said: str) -> None:
    assert not is_withdrawn(said, 0)


def test_what_stands_ahead_of_the_answer_does_not_count() -> None:
    said = "I cannot decide. Answer: B."
    assert is_withdrawn(said, 0)
    assert not is_withdrawn(said, len(said))
