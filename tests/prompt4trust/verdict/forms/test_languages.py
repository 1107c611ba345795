"""Labels of other languages: put in English where they are whole and positive, and otherwise left as they are."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from prompt4trust.verdict.forms.languages import in_english, is_answer_label, is_confidence_label

LABELS = [
    *[("Respuesta", "Confianza"), ("Réponse", "Confiance"), ("Antwort", "Konfidenz"), ("Risposta", "Fiducia")],
    *[("Resposta", "Confiança"), ("Antwoord", "Zekerheid"), ("Ответ", "Уверенность"), ("回答", "確信度")],
    *[("正解", "信頼度"), ("정답", "확신도"), ("الإجابة", "الثقة"), ("Cevap", "Güven"), ("Odpowiedź", "Pewność")],
    *[("Đáp án", "Độ tin cậy"), ("Jawaban", "Keyakinan"), ("Svar", "Säkerhet"), ("उत्तर", "आत्मविश्वास")],
    *[("Odpověď", "Jistota"), ("Svar", "Sikkerhet"), ("Vastaus", "Varmuus"), ("Răspuns", "Încredere")],
]


@pytest.mark.parametrize(("answer", "confidence"), LABELS)
def test_labels_of_each_language_are_read(answer: str, confidence: str) -> None:
    for reply in (f"{answer}: B\n{confidence}: 72,5 %", f"**{answer}:** (B)\n\n**{confidence}:** 72.5%"):
        assert parse_verdict(reply, "ABCD") == Verdict("B", 0.725)
    assert parse_verdict(f"{confidence}: 8/10\n{answer}: B", "ABCD") == Verdict("B", 0.8)
    assert is_answer_label(answer)
    assert is_confidence_label(confidence)


@pytest.mark.parametrize(("answer", "confidence"), LABELS)
@pytest.mark.parametrize("stated", ["80-90%", "80–90", "> 80", "80 ± 5", "8 cm", "150", "-5", "1 x 8", ""])
def test_what_is_no_single_number_is_no_confidence(answer: str, confidence: str, stated: str) -> None:
    assert parse_verdict(f"{answer}: B\n{confidence}: {stated}", "ABCD") == Invalid("no_confidence")


@pytest.mark.parametrize(
    ("said", "english"),
    [
        ("La respuesta es B con una confianza del 80 %.", "The answer is B confidence: 80%."),
        ("La réponse correcte est C, avec 65 % de confiance", "The answer is C, confidence: 65%"),
        ("Die Antwort lautet B. Ich bin zu 70 % sicher.", "The answer is B. confidence: 70%."),
        ("A resposta é C com 80% de confiança.", "The answer is C confidence: 80%."),
        ("正解はBです. 確信度は85%です.", "The answer is B. confidence: 85%です."),
        ("정답은 D입니다. 신뢰도: 40%", "The answer is D. confidence: 40%"),
        ("Konfidenz: 8 von 10", "confidence: 8 out of 10"),
        ("Secondo me la risposta corretta è la D. Confidenza: 76%", "The answer is D. confidence: 76%"),
        ("La bonne réponse est donc l'option C. Confiance : 87 %", "The answer is C. confidence: 87%"),
        ("Prawidłowa odpowiedź to A. Pewność: 80%", "The answer is A. confidence: 80%"),
        ("Správná odpověď je D. Jistota 60 %", "The answer is D. confidence: 60%"),
        ("Đáp án là C với độ tin cậy 90%.", "The answer is C confidence: 90%."),
        ("Svaret är B, med en säkerhet på 75 procent.", "The answer is B, confidence: 75%."),
        ("सही उत्तर A है. विश्वास: 70%", "The answer is A. confidence: 70%"),
        ("Cevap: C, güven düzeyi %70.", "Answer: C, confidence: 70%."),
        ("الإجابة هي B, ودرجة الثقة 85%.", "The answer is B, confidence: 85%."),
        ("Certitude (0-100) : 80", "confidence (0-100): 80"),
        ("Svaret är D med 69 procents säkerhet.", "The answer is D confidence: 69%."),
        ("Vastaukseni on D 69 prosentin varmuudella.", "The answer is D confidence: 69%."),
        ("Die Antwort ist D mit einer 69%igen Sicherheit.", "The answer is D confidence: 69%."),
        ("Quindi scelgo l'opzione B. La mia confidenza è dell'81%.", "The answer is B. confidence: 81%."),
        ("Daher ist meine Antwort B. Meine Konfidenz liegt bei 81 %.", "The answer is B. confidence: 81%."),
        ("Răspunsul meu este litera C, cu o încredere de 74%.", "The answer is C, confidence: 74%."),
    ],
)
def test_short_phrases_are_put_in_english(said: str, english: str) -> None:
    assert in_english(said) == english


@pytest.mark.parametrize(
    "said",
    [
        *["La respuesta no es B.", "¿La respuesta es B?", "Ist die Antwort B?", "La réponse n'est pas B"],
        *["Si es así, la respuesta es B", "答えはBではありません.", "答えはBですか", "정답은 B가 아닙니다"],
        *["Unsicherheit: 20 %", "Incertitude : 20 %", "Incertidumbre: 20 %", "Incertezza: 20%", "Неуверенность: 20%"],
        *[
            "Onzekerheid: 20%",
            "Intervalo de confianza: 95%",
            "intervalle de confiance à 95 %",
            "Konfidenzintervall: 95",
        ],
        *["No con 80% de confianza", "nicht mit 80% Sicherheit", "No estoy 80% seguro", "Mangel an Sicherheit: 20%"],
        *["Konfidenz: 80 bis 90", "Confiance : 80 à 90 %", "確信度: 80%以上", "確信度: 8割", "Konfidenz: 5段階中4"],
        *["Wähle B", "Nicht daher wähle ich B", "Non scelgo l'opzione B.", "med 69% osäkerhet"],
        *["Confidence: 80,5", "A plain text.", ""],
    ],
)
def test_what_negates_bounds_or_asks_stays_as_it_was(said: str) -> None:
    assert in_english(said) == said
