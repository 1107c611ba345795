"""A question through the client that openapi-python-client generates, as docs/api.md shows it."""

from __future__ import annotations

import json
import sys

from trustvqa_gateway import AuthenticatedClient
from trustvqa_gateway.api.answering import vqa
from trustvqa_gateway.models import ProblemDetails, VqaReply, VqaRequest


def ask(base_url: str, key: str, image: str) -> dict[str, str | bool | None]:
    """Ask a question about a picture, whose file is given in base64."""
    client = AuthenticatedClient(base_url=base_url, token=key)
    question = VqaRequest(image=image, question="What shape is it?", options=["Round", "Oval", "Spiculated"])
    reply = vqa.sync(client=client, body=question)
    if isinstance(reply, ProblemDetails):
        raise RuntimeError(f"{reply.type_}: {reply.detail}")
    assert isinstance(reply, VqaReply)
    # There is none where the question is left to a person. It is called calibrated only where it is.
    shown = None if reply.answer is None else reply.answer.text
    return {
        "id": reply.id,
        "shown": shown,
        "calibrated": reply.calibration.calibrated,
        "reason": reply.decision_basis.reason,
    }


if __name__ == "__main__":
    print(json.dumps(ask(*sys.argv[1:])))  # noqa: T201
