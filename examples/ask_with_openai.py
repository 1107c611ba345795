"""A question by OpenAI's client: python examples/ask_with_openai.py PICTURE QUESTION OPTION OPTION [...]."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path

from openai import OpenAI


def main(picture: str, question: str, *options: str) -> None:
    """Ask, and print the answer or that a person should be asked."""
    client = OpenAI(
        base_url=f"{os.environ.get('TRUSTVQA_URL', 'http://127.0.0.1:8080')}/v1",
        api_key=os.environ.get("TRUSTVQA_API_KEY", "none"),
    )
    coded = base64.b64encode(Path(picture).read_bytes()).decode()
    completion = client.chat.completions.create(
        model="calibrated-vqa",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": question},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{coded}"}},
                ],
            }
        ],
        metadata={"options": json.dumps(options)},
    )
    calibration = (completion.model_extra or {})["calibration"]
    if calibration["decision"] != "answer":
        print(f"ask a person: {completion.choices[0].message.content}")
        return
    print(completion.choices[0].message.content)


if __name__ == "__main__":
    main(*sys.argv[1:])
