"""The route by which other trainers ask for rewards."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from services.common.auth import Right, requires
from services.common.http.openapi import problems
from services.trainer.rewarding.attempts import RewardReply, RewardRequest
from services.trainer.rewarding.rewarder import Rewarder

# It reads pictures of the service's data directory and asks the model on the service's account.
router = APIRouter(tags=["rewards"], dependencies=[requires(Right.ADMIN)])


def _rewarder(request: Request) -> Rewarder:
    rewarder = request.app.state.rewarder
    assert isinstance(rewarder, Rewarder)  # noqa: S101 - set by the lifespan before the first request
    return rewarder


@router.post(
    "/v1/rewards",
    summary="Reward attempts",
    responses=problems(
        {
            429: "As many batches are at work as may: `Retry-After` says when to come back.",
            503: "Pictures may not be sent to the downstream model, or its template cannot be read.",
            504: "The batch was not rewarded in time.",
        }
    ),
)
async def give_rewards(request: RewardRequest, rewarder: Annotated[Rewarder, Depends(_rewarder)]) -> RewardReply:
    """Reward a batch of attempts, for a trainer elsewhere; where no reply is given the downstream model is asked."""
    return await rewarder.reward(request)
