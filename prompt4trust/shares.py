"""Shares in words, none of which says that something is certain."""

from __future__ import annotations


def in_percent(share: float) -> str:
    """Write a share in whole percent.

    Args:
        share: In [0, 1].

    Returns:
        Words such as "82 %"; beyond 1 % and 99 % the end that it lies beyond.

    Example:
        >>> in_percent(0.824), in_percent(0.9957), in_percent(0.004), in_percent(1.0)
        ('82 %', 'more than 99 %', 'less than 1 %', 'more than 99 %')
    """
    if share > 0.99:
        return "more than 99 %"
    return "less than 1 %" if share < 0.01 else f"{_whole(share)} %"


def of_hundred(share: float) -> str:
    """Write a share as a count of 100 with its verb.

    Args:
        share: In [0, 1].

    Returns:
        Words such as "about 82 were"; beyond 1 and 99 the end that it lies beyond.

    Example:
        >>> of_hundred(0.824), of_hundred(0.01), of_hundred(0.9957), of_hundred(0.004)
        ('about 82 were', 'about 1 was', 'more than 99 were', 'fewer than 1 was')
    """
    if share > 0.99:
        return "more than 99 were"
    if share < 0.01:
        return "fewer than 1 was"
    count = _whole(share)
    return f"about {count} {'was' if count == 1 else 'were'}"


def _whole(share: float) -> int:
    # Halves go up, as in the language of the gateway's page, so that all show one number.
    return int(100 * share + 0.5)
