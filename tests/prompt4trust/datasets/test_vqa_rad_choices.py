"""Answers of VQA-RAD as options: only where others would have named the same ones."""

from __future__ import annotations

import pytest

from prompt4trust.datasets._vqa_rad_choices import as_choice, modality_of


@pytest.mark.parametrize(
    ("question", "answer", "answer_type", "types", "kind", "options"),
    [
        ("Is there a mass?", "Yes", "closed", "PRES", "presence", ("Yes", "No")),
        ("Is it normal?", "no", "closed", "ABN", "abnormality", ("No", "Yes")),
        ("Is the heart large?", "Yes", "closed", "SIZE, PRES", "presence", ("Yes", "No")),
        ("Is this a CT?", "No", "closed", "MODALITY", "image, yes or no", ("No", "Yes")),
        ("Is it calcified?", "No", "closed", "OTHER", "other, yes or no", ("No", "Yes")),
        ("Was it a CT or an MRI?", "MRI", "closed", "MODALITY", "modality", ("MRI", "CT")),
        ("Is this radiograph PA or AP?", "PA", "closed", "PLANE", "plane", ("PA", "AP")),
        ("T1, T2 or FLAIR?", "FLAIR", "closed", "MODALITY", "sequence", ("FLAIR", "T1 weighted", "T2 weighted")),
        ("With or without contrast?", "without", "closed", "MODALITY", "A or B", ("Without contrast", "With contrast")),
        ("Is it male or female?", "Female", "closed", "OTHER", "A or B", ("Female", "Male")),
        ("Is it regular or irregular?", "Irregular", "closed", "ATTRIB", "A or B", ("Irregular", "Regular")),
        ("In which plane was it cut?", "axial plane", "open", "PLANE", "plane", ("Axial", "Coronal", "Sagittal")),
        ("How was it taken?", "Posteroanterior", "open", "PLANE", "plane", ("PA", "AP", "Lateral")),
        (
            "This is which type of image?",
            "MR FLAIR",
            "open",
            "MODALITY",
            "modality",
            ("MRI", "X-ray", "CT", "Ultrasound"),
        ),
        ("Which organ system can be seen?", "CNS", "open", "ORGAN", "organ", ("Brain", "Chest", "Abdomen")),
        (
            "Where does the finding lie?",
            "right lobe of the liver",
            "open",
            "POS",
            "side",
            ("Right", "Left", "Both sides"),
        ),
        ("Which of the lungs looks clearer?", "Left", "open", "OTHER", "side", ("Left", "Right", "Both sides")),
    ],
)
def test_what_can_be_chosen_from(
    question: str, answer: str, answer_type: str, types: str, kind: str, options: tuple[str, ...]
) -> None:
    assert as_choice(question, answer, answer_type, types) == (kind, options)


@pytest.mark.parametrize(
    ("question", "answer", "types"),
    [
        ("What is abnormal?", "Right paratracheal mass", "ABN"),
        ("Where does the finding lie?", "between the left and the right lobe", "POS"),
        ("What is on the left?", "Left kidney", "POS"),
        ("What contrast was used?", "gadolinium", "MODALITY"),
        ("Is it an abscess or a cyst?", "Tumour", "OTHER"),
        ("Which organ system is abnormal?", "Cardiovascular", "ORGAN"),
        ("Is there a mass?", "No", "PRES"),  # of an open question: nobody was asked to choose
        ("Where is it?", "word " * 13 + "left", "POS"),
    ],
)
def test_what_stays_open(question: str, answer: str, types: str) -> None:
    assert as_choice(question, answer, "open", types) is None


@pytest.mark.parametrize(
    ("text", "modality"),
    [("plain film xray", "X-ray"), ("CT scan", "CT"), ("MRI-DWI", "MRI"), ("CT or MRI", None), ("unclear", None)],
)
def test_the_one_modality_of_a_text(text: str, modality: str | None) -> None:
    assert modality_of(text) == modality
