"""Errors of a picture archive.

PacsError
├── ArchiveAwayError       it cannot be reached, is busy or too slow; later it may work
├── ArchiveRefusedError    it refuses what was asked, and will again
└── MisfitError            a report and an instance are not of one study
"""

from __future__ import annotations


class PacsError(Exception):
    """An archive did not do what was asked of it. No message holds anything of an object's attributes."""


class ArchiveAwayError(PacsError):
    """The archive cannot be reached, is busy or too slow."""


class ArchiveRefusedError(PacsError):
    """The archive refuses what was asked."""


class MisfitError(PacsError):
    """A report and an instance are not of one study."""
