"""A question by httpx alone: python examples/ask_with_httpx.py PICTURE QUESTION OPTION OPTION [...]."""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path

import httpx


def main(picture: str, question: str, *options: str) -> None:
    """Ask, and print the answer or that a person should be asked."""
    key = os.environ.get("TRUSTVQA_API_KEY")
    reply = httpx.post(
        f"{os.environ.get('TRUSTVQA_URL', 'http://127.0.0.1:8080')}/vqa",
        data={"question": question, "options": list(options)},
        files={"image": Path(picture).read_bytes()},
        headers={
            "Idempotency-Key": str(uuid.uuid4()),  # the same one if you ask again because the connection broke
            **({"Authorization": f"Bearer {key}"} if key else {}),
        },
        timeout=90,
    )
    body = reply.json()
    if reply.status_code != 200:
        sys.exit(f"{body['type']}: {body['detail']}")
    if body["decision"] != "answer":
        # What the model said is in the reply's `guess`: show it to nobody who would act on it.
        print(f"ask a person: {body['decision_basis']['reason']}")
        return
    word = "calibrated" if body["calibration"]["calibrated"] else "NOT calibrated"
    print(f"{body['answer']['letter']}. {body['answer']['text']} (confidence {body['confidence']:.2f}, {word})")


if __name__ == "__main__":
    main(*sys.argv[1:])
