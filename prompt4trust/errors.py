"""The library's errors.

Prompt4TrustError
├── TransportError              a model could not be asked; says nothing of its answer
├── RunAbandonedError           a prediction run stopped before its end
├── ManifestError               a run's folder belongs to another configuration, or its manifest cannot be read
├── TableError                  a predictions table cannot be read or written
└── UnusableInputError          also a ValueError: what was handed in cannot be used
    ├── DatasetError            a question file
    ├── PhantomError            the settings of a synthetic data set
    ├── UnclearOptionsError     lines of a question that may be its options
    ├── PictureError            a picture that is not taken
    ├── UnreadablePictureError  a picture file of a data set
    ├── DeidentificationError   a DICOM object that cannot be de-identified
    ├── ProbeError              a data set none of whose questions a probe can spoil
    ├── CannotChooseError       answers that do not suffice to choose a calibrator family by
    ├── MissingSignalError      answers without a signal that a calibrator needs
    ├── PolicyNeededError       an estimator that asks the policy, where there is none
    ├── SecondModelNeededError  an estimator that asks a second downstream model, where there is none
    ├── EncoderMissingError     an estimator that compares by a sentence encoder, where there is none
    └── StateError              a saved state of a sequential test

A ValueError that is none of these is a wrong argument: a confidence beyond 1, an unknown name.
"""

from __future__ import annotations

from typing import Literal


class Prompt4TrustError(Exception):
    """Base of the library's errors."""


class TransportError(Prompt4TrustError):
    """A model could not be asked or did not reply; says nothing about the model's answer.

    Attributes:
        service: "policy" or "downstream"; "image" for a picture that could not be sent.
        timed_out: Whether the deadline passed (rather than the connection or the server failing).
        status: The HTTP status received, or None where none was.
        retry_after: Seconds after which another try may succeed, where known.

    Example:
        >>> error = TransportError("downstream", "no reply within 30 s", timed_out=True)
        >>> str(error), error.timed_out
        ('downstream: no reply within 30 s', True)
    """

    def __init__(
        self,
        service: str,
        detail: str,
        *,
        timed_out: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{service}: {detail}")
        self.service = service
        self.detail = detail
        self.timed_out = timed_out
        self.status = status
        self.retry_after = retry_after


class RunAbandonedError(Prompt4TrustError):
    """The run stopped before its end; what was finished is in the table, and running it again goes on from there."""


class ManifestError(Prompt4TrustError):
    """A run's folder belongs to a run of another configuration, or its manifest cannot be read."""


class TableError(Prompt4TrustError):
    """A predictions table cannot be read or written; the message says where and why."""


class UnusableInputError(Prompt4TrustError, ValueError):
    """Base of the errors that are about data, files or settings which cannot be used."""


class DatasetError(UnusableInputError):
    """A question file cannot be used as it is; the message names the file, the first rows and what is wrong."""


class PhantomError(UnusableInputError):
    """A synthetic data set cannot be made as asked; the message says what to change."""


class UnclearOptionsError(UnusableInputError):
    """Lines look like options and cannot be read as such; the message is the end of a sentence about the text."""


PictureFault = Literal[
    "animated-image",
    "bad-encoding",
    "burned-in-annotation",
    "damaged-image",
    "empty-image",
    "image-too-complex",
    "image-too-large",
    "image-too-narrow",
    "image-too-small",
    "image-type-mismatch",
    "not-a-picture",
    "unknown-frame",
    "unknown-window",
    "unsupported-image",
]


class PictureError(UnusableInputError):
    """A picture is not taken.

    Attributes:
        fault: The reason as a stable word.
        detail: The reason and the remedy, for a person; holds nothing of the file.
    """

    def __init__(self, fault: PictureFault, detail: str) -> None:
        super().__init__(detail)
        self.fault: PictureFault = fault
        self.detail = detail


class UnreadablePictureError(UnusableInputError):
    """A picture of a data set cannot be read; the message names its file."""


class DeidentificationError(UnusableInputError):
    """An object cannot be de-identified; the message says why, and holds nothing of the object."""


class ProbeError(UnusableInputError):
    """A probe cannot be made of a dataset: none of its questions can be spoilt that way."""


class CannotChooseError(UnusableInputError):
    """The answers do not suffice to choose a calibrator by; the message says what is missing."""


class MissingSignalError(UnusableInputError):
    """A calibrator needs a signal that the answers do not carry."""


class PolicyNeededError(UnusableInputError):
    """An estimator that asks the policy was requested where there is none."""


class SecondModelNeededError(UnusableInputError):
    """An estimator that asks a second downstream model was requested where there is none."""


class EncoderMissingError(UnusableInputError):
    """The sentence encoder that open answers are compared by is not installed, or is another one than was checked."""


class StateError(UnusableInputError):
    """A saved state is not one of a sequential test."""
