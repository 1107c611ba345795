"""Questions about one picture: which of them are tested, so that those that are tested are drawn one by one.

Answers about one picture tend to be right or wrong together, so that ten about one tell less than ten about ten. The
binomial test (see `prompt4trust.selection.risk`) asks for answers that are drawn one by one. Of each picture at most
one question is tested, therefore, and each question with the same chance 1 / k, where k is the largest number of
questions about one picture: every picture has k places, its questions take as many of them by chance, one place is
drawn, and where it is empty nothing of that picture is tested. So

- those that are tested are about different pictures, which are drawn one by one: the test is exact for them, whatever
  the questions about one picture have in common;
- for a threshold, let a picture have A answers that reach it, W of them wrong. The question that is drawn of it reaches
  the threshold with chance E[A] / k and is wrong too with chance E[W] / k, so that what is tested is the share
  E[W] / E[A] of wrong ones among all answers about newly drawn pictures: E[W - risk * A] <= 0, and a picture with many
  questions counts with all of them.

To test one question of every picture would answer more where some have few, and would promise something else: that
pictures count alike. Where those with many questions are the hard ones it breaks the promise that answers count alike.
Where all pictures have one question, all are tested.

Bets on sums over pictures and tests of many such draws together keep the promise too; what they answer beside this, and
what breaks the promise, is in `benchmarks/selection/shared.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from prompt4trust.selection.ranking import tie_of

_ORDER_SALT, _PLACE_SALT = "order within a picture", "place of a picture"


def most_about_one(pictures: Sequence[str | None]) -> int:
    """Count the questions about the picture with most of them.

    Args:
        pictures: Each question's picture; None where it is not known, and taken to be a picture of its own.

    Returns:
        Their number: 1 where no picture is known to repeat, 0 of no questions.

    Example:
        >>> most_about_one(["a", "b", "a", None, None])
        2
    """
    counts: dict[str, int] = {}
    for picture in pictures:
        if picture is not None:
            counts[picture] = counts.get(picture, 0) + 1
    return max(counts.values(), default=min(len(pictures), 1))


def draw_apart(ids: Sequence[str], pictures: Sequence[str | None]) -> list[int]:
    """Draw questions of which no two are about one picture, each with the same chance, by nothing but names.

    Args:
        ids: The questions' ids, none twice.
        pictures: Their pictures; None where one is not known, and taken to be a picture of its own.

    Returns:
        Places of those that are drawn, ascending: all of them where no picture repeats, else one in k on average, where
        k questions are about the picture with most.

    Raises:
        ValueError: If there are not as many pictures as ids.

    Example:
        >>> draw_apart(["q1", "q2", "q3"], ["a", "b", None])
        [0, 1, 2]
        >>> draw_apart(["q1", "q2", "q3", "q4"], ["a", "a", "b", "b"])
        [0, 3]
    """
    if len(ids) != len(pictures):
        raise ValueError(f"there are {len(ids)} ids and {len(pictures)} pictures")
    most = most_about_one(pictures)
    if most <= 1:
        return list(range(len(ids)))
    members: dict[tuple[str, str], list[int]] = {}
    for place, (one, picture) in enumerate(zip(ids, pictures, strict=True)):
        members.setdefault(("question", one) if picture is None else ("picture", picture), []).append(place)
    drawn = []
    for name, places in members.items():
        wanted = int(tie_of(name, _PLACE_SALT) * most)
        if wanted < len(places):
            drawn.append(sorted(places, key=lambda place: tie_of([ids[place]], _ORDER_SALT))[wanted])
    return sorted(drawn)
