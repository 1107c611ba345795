"""Figures as people read them: pages with diagrams, names of metrics, files for programs and spreadsheets."""

from trustvqa.reports.files import write_report

__all__ = ["write_report"]
