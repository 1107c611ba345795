"""Errors of the policy service; `problems` turns those that reach a client into problem documents.

PolicyVersionError        a policy version cannot be had
├── UnknownVersionError   the registry has none of that name
├── UnusableVersionError  it is there, but cannot be used
└── NoActiveVersionError  a request names none, and none is live
NotServedError            no model server has a model
"""

from __future__ import annotations


class PolicyVersionError(Exception):
    """A policy version cannot be had; the message is fit for a client."""


class UnknownVersionError(PolicyVersionError):
    """The registry has no policy version of that name."""


class UnusableVersionError(PolicyVersionError):
    """A version is there but cannot be used; the message says why."""


class NoActiveVersionError(PolicyVersionError):
    """No version is live, so a request that names none cannot be answered."""


class NotServedError(Exception):
    """No server has a model; the message says what each has instead, and is fit for a client."""
