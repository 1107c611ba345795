"""Calls by instructor, run by a Python that has it: reads an address, a model and messages, writes JSON.

With the one argument `gateway` it asks for a finding, with `downstream` for a choice that any model can be held to.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Finding(BaseModel):
    """A finding as a gateway tells it; a deferral has neither answer nor confidence."""

    decision: Literal["answer", "defer"]
    answer: str | None
    confidence: float | None


class Choice(BaseModel):
    """A choice of one option, and nothing else: an untrained model would add to it without end."""

    model_config = ConfigDict(extra="forbid")

    answer: Literal["A", "B"]
    sure: bool


def main(service: str) -> None:
    """Ask for an object in every mode that is served, whole and part by part, and in those that are refused."""
    import instructor
    from instructor.core.exceptions import InstructorRetryException
    from openai import OpenAI

    asked = json.loads(sys.stdin.read())
    given: dict[str, Any] = {"model": asked["model"], "messages": asked["messages"], "max_retries": 1}
    wanted: type[BaseModel] = Finding if service == "gateway" else Choice
    with OpenAI(base_url=f"{asked['url']}/v1", api_key="none", max_retries=0, timeout=60) as plain:
        found: dict[str, Any] = {}
        for mode in asked["modes"]:
            client = instructor.from_openai(plain, mode=instructor.Mode[mode])
            for name, more in asked["asks"].items():
                found[f"{mode}, {name}"] = client.create(response_model=wanted, **given, **more).model_dump()
                parts = list(client.create_partial(response_model=wanted, **given, **more))
                found[f"{mode}, {name}, streamed"] = parts[-1].model_dump()
        refused = {}
        for mode in asked["refused"]:
            other = instructor.from_openai(plain, mode=instructor.Mode[mode])
            try:
                form: Any = Iterable[wanted] if mode == "PARALLEL_TOOLS" else wanted  # type: ignore[valid-type]  # made here
                other.create(response_model=form, **given)
            except InstructorRetryException as error:
                refused[mode] = str(error.__cause__ or error)
        found["refused"] = refused
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
