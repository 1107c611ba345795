"""Rewards of a TrustVQA trainer for OpenRLHF: a relay that speaks the protocol of its remote reward models.

python examples/openrlhf_reward.py 5000    then    --remote_rm_url http://127.0.0.1:5000/get_reward

OpenRLHF posts {"query": [...], "prompts": [...], "labels": [...]} without a key and reads {"rewards": [...]}. Each
query is its prompt with the policy's guidance behind it; each label is an attempt as JSON, with "question", "options",
"truth" and "image". The protocol is that of `remote_rm_fn` in its repository at commit 9b8641c
(openrlhf/utils/remote_rm_utils.py); OpenRLHF itself was not run. The relay adds the key: let it listen on this machine
only.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

_AT_ONCE = 128  # attempts of a batch, at most as many as the trainer takes
_MOST_BYTES = 8 * 1024 * 1024
_WITHIN_S = 90.0


def read_attempts(body: Any) -> list[dict[str, Any]]:
    """Make attempts of what OpenRLHF posts.

    Raises:
        ValueError: If it is something else; the message says what.
    """
    if not isinstance(body, dict):
        raise ValueError("the body must be an object")
    queries, prompts, labels = (body.get(name) for name in ("query", "prompts", "labels"))
    if not (isinstance(queries, list) and isinstance(prompts, list) and isinstance(labels, list)):
        raise ValueError("query, prompts and labels must be lists: name the labels by --input.label_key or --label_key")
    if not len(queries) == len(prompts) == len(labels) > 0:
        raise ValueError("query, prompts and labels must be of one length")
    attempts = []
    for query, prompt, label in zip(queries, prompts, labels, strict=True):
        if not (isinstance(query, str) and isinstance(prompt, str) and query.startswith(prompt)):
            raise ValueError("a query must begin with its prompt")
        attempt = json.loads(label)
        if not isinstance(attempt, dict):
            raise ValueError("a label must be an object as JSON")
        attempts.append({**attempt, "guidance": query.removeprefix(prompt)})
    return attempts


async def get_reward(request: Request) -> JSONResponse:
    """Have a batch rewarded.

    After an error OpenRLHF asks again, and in the end stops the run: it cannot leave a sample out.
    """
    if int(request.headers.get("Content-Length") or _MOST_BYTES + 1) > _MOST_BYTES:
        return JSONResponse({"detail": "the body is too long, or does not say how long it is"}, 413)
    try:
        attempts = read_attempts(await request.json())
    except (ValueError, TypeError) as error:
        return JSONResponse({"detail": str(error)}, 422)
    key = os.environ.get("TRUSTVQA_API_KEY")
    url = f"{os.environ.get('TRUSTVQA_TRAINER_URL', 'http://127.0.0.1:8083')}/v1/rewards"
    reward = json.loads(os.environ.get("TRUSTVQA_REWARD", '"log_score"'))
    rewards: list[float] = []
    async with httpx.AsyncClient(
        headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=_WITHIN_S
    ) as trainer:
        for first in range(0, len(attempts), _AT_ONCE):
            batch = {"reward": reward, "attempts": attempts[first : first + _AT_ONCE]}
            try:
                reply = await trainer.post(url, json=batch)
            except httpx.HTTPError as error:
                return JSONResponse({"detail": f"the trainer does not reply ({type(error).__name__})"}, 502)
            if reply.status_code != 200:
                return JSONResponse({"detail": reply.json()["detail"]}, reply.status_code)
            if None in (found := reply.json()["rewards"]):
                return JSONResponse({"detail": "the downstream model could not be asked for every attempt"}, 503)
            rewards += found
    return JSONResponse({"rewards": rewards})


relay = Starlette(routes=[Route("/get_reward", get_reward, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(relay, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
