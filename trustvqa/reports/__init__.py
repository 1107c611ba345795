"""Figures as people read them: pages with diagrams, names of metrics, files for programs and spreadsheets.

Answers of one's own, of whatever system, make the full report in three lines:

    >>> from prompt4trust import report_outcomes
    >>> report = report_outcomes([0.9, 0.8, 0.6], [True, True, False], ["CT", "CT", "MRI"], resamples=20)
    >>> files = write_report(folder, report)

`files["html"]` is the page; `prompt4trust.evaluation.read_outcomes` reads the three from a file, and
`trustvqa report --csv FILE` does all of it.
"""

from trustvqa.reports.files import write_report

__all__ = ["write_report"]
