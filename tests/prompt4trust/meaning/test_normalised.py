"""Answers in one spelling: what is the same, and above all what is not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prompt4trust.meaning import JUDGES, get_judge, normalised, open_wording, same_text


@pytest.mark.parametrize(
    ("answer", "other"),
    [
        ("Pleural effusion.", "the pleural effusions"),
        ("There is pulmonary oedema", "Pulmonary edema"),
        ("CT scan", "computed tomography"),
        ("MRI", "Magnetic resonance imaging"),
        ("CXR", "chest X-ray"),
        ("Two haematomas", "2 hematoma"),
        ("3cm", "3 cm"),
        ("\uff2c\uff45\uff46\uff54 lung", "left  LUNG"),
        ("metastases", "metastasis"),
        ("right-sided", "right sided"),
        ("opacities", "opacity"),
        ("A", "a"),
        ("l", "L"),
        ("A mass", "mass"),
        ("It is a mass in the left lung.", "Mass in a left lung"),
        ("computed tomography scan", "CT"),
        ("MR imaging", "MRI scan"),
        ("Sonograms", "ultrasound"),
        ("left-sided effusion", "left sided effusion"),
        ("\u22125 cm", "-5 cm"),
        ("3\u20135 mm", "3-5 mm"),
        ("5 \u00b5g", "5 \u03bcg"),
        ("Rhume \u00e0 r\u00e9p\u00e9tition", "rhume a\u0300 re\u0301pe\u0301tition"),
        ("\u201cLeft lung\u201d", "left lung"),
    ],
)
def test_the_same_in_other_words(answer: str, other: str) -> None:
    assert same_text(answer, other)
    assert same_text(other, answer)


@pytest.mark.parametrize(
    ("answer", "other"),
    [
        ("left lung", "right lung"),
        ("effusion", "no effusion"),
        ("mass in the left lung, right effusion", "mass in the right lung, left effusion"),
        ("3 cm", "3 mm"),
        ("3.5 cm", "35 cm"),
        ("< 3 cm", "> 3 cm"),
        ("-5", "5"),
        ("hypodense", "hyperdense"),
        ("T1", "T2"),
        ("yes", "no"),
        ("fracture", "possible fracture"),
        ("pneumonia", "pneumothorax"),
        ("", ""),
        ("the", "it is"),
        ("...", "?"),
        ("hepatitis A", "hepatitis"),
        ("Stanford type A", "Stanford type"),
        ("group A streptococcus", "group streptococcus"),
        ("group a streptococcus", "group streptococcus"),
        ("A positive", "positive"),
        ("A-lines", "lines"),
        ("A lines", "lines"),
        ("vitamin A deficiency", "vitamin deficiency"),
        ("types B and A dissection", "types B and dissection"),
        ("\u22125 cm", "5 cm"),
        ("\u20135 cm", "5 cm"),
        ("\u22121.5 SD", "1.5 SD"),
        ("\u2212100 HU", "100 HU"),
        ("\u2191 uptake", "\u2193 uptake"),
        (".5 cm", "5 cm"),
        ("-.5", "5"),
        ("T2*", "T2"),
        ("HER2-", "HER2"),
        ("HER2-", "HER2+"),
        ("HER2\u2212", "HER2"),
        ("Rh-", "Rh"),
        ("Rh (\u2212)", "Rh (+)"),
        ("~5 cm", "5 cm"),
        ("\u2248 5 cm", "5 cm"),
        ("\u2260 normal", "normal"),
        ("\u2260 normal", "= normal"),
        ("10\u00b3", "103"),
        ("10^3", "10 3"),
        ("5\u00bd", "5 1/2"),
        ("1:2", "1, 2"),
        ("3-5 mm", "3 5 mm"),
        ("5'", "5"),
        ("5'", '5"'),
        ("5''", "5'"),
        ("pneumonia?", "pneumonia"),
        ("RT", "right"),
        ("LT", "left"),
        ("MR", "MRI"),
        ("magnetic resonance spectroscopy", "MRI spectroscopy"),
        ("CNS", "central nervous system"),
        ("IT injection", "injection"),
        ("TIPS", "tip"),
        ("\u0915\u0940", "\u0915\u093e"),
        ("\u0939\u093e\u0902", "\u0939\u0942\u0902"),
        ("\u0e43\u0e0a\u0e48", "\u0e43\u0e0a\u0e49"),
        ("\u0915\u0940", "\u0915"),
    ],
)
def test_what_differs_stays_different(answer: str, other: str) -> None:
    assert not same_text(answer, other)


def test_a_long_answer_s_end_counts_as_it_is_spelt() -> None:
    long = "mass " * 500
    assert same_text(f"{long}left", f"{long}left")
    assert not same_text(f"{long}left", f"{long}right")


_SPOKEN = """
    a an the The it there is are of in with type lines mass computed tomography magnetic resonance imaging mr mri ct
    scan scans x ray rays plain film cxrs sonograms twos haemoaemia aaemia oedema fibres opacities metastases tips 5 .5
    -5 - ' " '' : , . * ? + / \u2212 \u2013 \u00b3 \u2260 \u0338 \u0301 \u0345 \u0130 \u00df \u1e9e \uff21
    \uff0d \uff76 \uff9e \u200d \u20e3 _
"""
_PIECES = _SPOKEN.split()


@given(
    st.one_of(st.text(max_size=60), st.lists(st.sampled_from([*_PIECES, " ", "  "]), max_size=14).map("".join))
    | st.lists(st.sampled_from(_PIECES), max_size=14).map(" ".join)
)
@example("computed tomography scan")
@example("of the a mass")
def test_one_spelling_is_its_own(text: str) -> None:
    said = normalised(text)
    assert normalised(said) == said
    assert said == " ".join(said.split())


def test_judges_have_names() -> None:
    assert list(JUDGES) == ["normalised-1"]
    assert get_judge("normalised-1")("Left lung.", "the left lung")
    with pytest.raises(ValueError, match="no judge 'oracle' of open answers; there are normalised-1"):
        get_judge("oracle")
    assert open_wording("a@1", "j") != open_wording("a@2", "j") != "a@2"
