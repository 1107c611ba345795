"""A page as a tree, for tests that look at its structure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from xml.etree import ElementTree

_VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})


@dataclass
class Node:
    """An element, its attributes, and what is in it: elements and text."""

    tag: str
    attrs: dict[str, str]
    children: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text within, blanks joined."""
        return re.sub(r"\s+", " ", "".join(each if isinstance(each, str) else each.text for each in self.children))

    def walk(self) -> Iterator[Node]:
        """Yield this element and all within, in the page's order."""
        yield self
        for each in self.children:
            if isinstance(each, Node):
                yield from each.walk()

    def all(self, tag: str, kind: str | None = None) -> list[Node]:
        """Find elements by tag, and by class where one is named."""
        return [
            each
            for each in self.walk()
            if each.tag == tag and (kind is None or kind in each.attrs.get("class", "").split())
        ]

    def one(self, key: str) -> Node:
        """Find the element of an id."""
        [found] = [each for each in self.walk() if each.attrs.get("id") == key]
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("root", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        node = self.open.pop()
        assert node.tag == tag, f"</{tag}> closes <{node.tag}>"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(page: str) -> Node:
    """Parse a page, whose every tag must be closed in its order."""
    builder = _Builder()
    builder.feed(page)
    builder.close()
    assert builder.open == [builder.root]
    return builder.root


def check_self_contained(page: str, tree: Node) -> None:
    """Assert that a page loads and runs nothing, that its links lead somewhere and its drawings are XML."""
    ids = [each.attrs["id"] for each in tree.walk() if "id" in each.attrs]
    assert len(set(ids)) == len(ids)
    for each in tree.walk():
        assert each.tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        for name, value in each.attrs.items():
            assert not name.startswith("on")
            if name in {"src", "srcset", "href", "xlink:href", "data", "action", "poster"}:
                assert value.startswith(("#", "data:image/")), f"{name}={value}"
                assert not value.startswith("#") or value[1:] in ids
            if name == "aria-labelledby":
                assert value in ids
        if each.tag == "img":
            assert each.attrs["alt"]
    [style] = tree.all("style")
    assert not re.search(r"url\(|@import|expression", style.text)
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        root = ElementTree.fromstring(drawing)  # noqa: S314 - our own
        if root.get("aria-hidden") is None:
            assert [child.tag.rpartition("}")[2] for child in root[:2]] == ["title", "desc"]
