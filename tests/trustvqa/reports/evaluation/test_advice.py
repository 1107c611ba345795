"""Advice on a report's first page: which method, at which risk, how sure."""

from __future__ import annotations

from prompt4trust.evaluation import build_report
from tests.trustvqa.reports.evaluation.test_evaluation_page import manifest, predictions
from trustvqa.reports.evaluation.advice import advise


def test_it_names_the_method_that_can_be_taken_at_its_word_and_what_that_answers() -> None:
    found = advise(build_report(predictions(), manifest(), [], resamples=50, group_resamples=2))
    assert found.answers["Which method?"].startswith("cgp: the lowest Brier score among those")
    assert found.answers["At which risk?"].startswith("cgp answers ")
    assert "of questions with 10 % of the answers wrong" in found.answers["At which risk?"]
    assert "240 questions" in found.answers["How sure is that?"]
    assert [row[0] for row in found.table.rows] == ["cgp", "verbalized"]
    assert found.left_out == 0


def test_where_no_confidence_is_true_it_names_none() -> None:
    rows = [each for each in predictions() if each.estimator == "verbalized"]
    found = advise(build_report(rows, manifest(), [], resamples=50, group_resamples=2))
    assert found.answers["Which method?"].startswith("None yet")
