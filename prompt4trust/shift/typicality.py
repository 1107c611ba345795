"""How near a question lies to reference inputs, as a signal that a calibrator may be fitted on."""

from __future__ import annotations

from prompt4trust.checksums import checksum_of
from prompt4trust.picture_files import PREPARATION, read_reduced_picture
from prompt4trust.question_signals.typicality import typicality_signal
from prompt4trust.questions import Question
from prompt4trust.shift.artifact import ReferenceArtifact
from prompt4trust.shift.reference import Judgement


def signal_of(artifact: ReferenceArtifact) -> str:
    """Name the signal of distances to an artifact's inputs.

    The name follows from all that a judgement depends on (the parts, the descriptor and the preparation of pictures)
    and from nothing else: a file under another name has the same distances. It takes milliseconds, so keep the result.
    """
    prepared = artifact.picture_preparation
    parts = {name: part.model_dump(mode="json", exclude_none=True) for name, part in artifact.parts.items()}
    settled = {
        "descriptor": artifact.descriptor,
        "picture_preparation": None if prepared is None else prepared.model_dump(mode="json"),
        "counts_pictures": artifact.counts_pictures,
        "parts": parts,
    }
    return typicality_signal(checksum_of(settled))


def typicality_of(judgement: Judgement) -> float:
    """Turn a judgement into the signal's value: its conformal p-value, in (0, 1]; the farther away, the less."""
    return 1 - judgement.atypicality


class QuestionTypicality:
    """Computes the signal for the questions of a data set, as the gateway does for those that it is asked.

    Args:
        artifact: The reference inputs. Questions that they were made from are at no distance from themselves: the
            signal of these says nothing of other questions', and no calibrator may be fitted on it (see `made_from`).

    Raises:
        ValueError: If questions are not described, or pictures not prepared, as they were for the reference.
    """

    def __init__(self, artifact: ReferenceArtifact) -> None:
        if not artifact.fits(PREPARATION):
            what = "describes questions" if artifact.is_retired else "has pictures prepared"
            raise ValueError(
                f"the reference {artifact.name} {what} in another way than this version: make it again with "
                "`trustvqa reference`"
            )
        self.artifact = artifact
        self.signal = signal_of(artifact)
        self._descriptor = artifact.describer()
        self._reference = artifact.reference()

    def made_from(self, fingerprint: str) -> bool:
        """Whether the reference was made from the very questions of a data set with this fingerprint."""
        return self.artifact.questions == f"sha256:{fingerprint}"

    def signals(self, question: Question) -> dict[str, float]:
        """Compute the signal; takes a millisecond or two, and what it takes to read the picture.

        Args:
            question: Any question.

        Returns:
            The signal by its name; empty where the question lacks what is compared, such as a picture.

        Raises:
            UnreadablePictureError: If its picture cannot be read.
        """
        picture = None if question.image is None else read_reduced_picture(question.image)
        described = self._descriptor.describe(picture, question.text, question.options)
        if not self._reference.compares(described):
            return {}
        return {self.signal: typicality_of(self._reference.judge(described))}
