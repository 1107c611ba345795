"""Errors of the registry.

RegistryError                  a name is invalid, or something asked for is not there or cannot be read
├── UnknownCalibratorError     there is no such calibrator
└── NotLiveError               a calibrator cannot be retired
PolicyTemplateError            a policy's wording cannot be used
└── MissingTemplateError       it has none
"""

from __future__ import annotations


class RegistryError(Exception):
    """A name is invalid, or something asked for is not in the registry or cannot be read."""


class UnknownCalibratorError(RegistryError):
    """There is no such calibrator."""


class NotLiveError(RegistryError):
    """A calibrator cannot be retired: it is not live, or nothing was live before it."""


class PolicyTemplateError(Exception):
    """A policy's wording cannot be used; the message says why, names no path, and is fit for a client."""


class MissingTemplateError(PolicyTemplateError):
    """A policy's directory holds no wording."""
