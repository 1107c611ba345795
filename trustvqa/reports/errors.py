"""Errors of the reports.

Exception
  x WrongDataError
"""


class WrongDataError(Exception):
    """A question file that was named is not that of the run; the message says so."""
