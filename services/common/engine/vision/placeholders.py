"""Picture tokens in a prompt: one a picture as the chat template writes it, one a feature as models read it."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.engine.errors import InvalidRequestError


def expanded(tokens: Sequence[int], picture_token: int, counts: Sequence[int]) -> list[int]:
    """Repeat each picture's token as often as the picture has features.

    Args:
        tokens: The prompt, a single token for each picture.
        picture_token: That token.
        counts: Features of each picture, in order.

    Returns:
        The longer prompt.

    Raises:
        InvalidRequestError: If there are more or fewer pictures than places for one.

    Example:
        >>> expanded([5, 9, 6, 9], 9, [2, 3])
        [5, 9, 9, 6, 9, 9, 9]
    """
    places = [place for place, token in enumerate(tokens) if token == picture_token]
    if len(places) != len(counts):
        raise InvalidRequestError(f"There are {len(counts)} images and {len(places)} places for one.", param="messages")
    longer: list[int] = []
    done = 0
    for place, count in zip(places, counts, strict=True):
        longer += [*tokens[done:place], *[picture_token] * count]
        done = place + 1
    return [*longer, *tokens[done:]]
