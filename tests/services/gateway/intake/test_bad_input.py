"""Everything a client can get wrong: the right status, words that help, nothing leaked, no harm done."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.services.gateway.checks import assert_problem, assert_unharmed, body
from tests.services.gateway.conftest import OPTIONS, picture
from tests.services.gateway.upstream import Upstream


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few bytes: what a decompression bomb begins with."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def animated(form: str) -> bytes:
    buffer = BytesIO()
    first, second = Image.new("RGB", (20, 20)), Image.new("RGB", (20, 20), "white")
    first.save(buffer, form, save_all=True, append_images=[second])
    return buffer.getvalue()


PICTURES = {
    "empty": (b"", 422, "empty-image"),
    "text named png": (b"This is a text.\n" * 20, 415, "unsupported-image"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', 415, "unsupported-image"),
    "svg with xml head": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', 415, "unsupported-image"),
    "animated gif": (animated("GIF"), 415, "unsupported-image"),
    "pdf": (b"%PDF-1.7\n" + b"0" * 500, 415, "unsupported-image"),
    "zip": (b"PK\x03\x04" + b"0" * 500, 415, "unsupported-image"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n", 415, "unsupported-image"),
    "20 000 x 20 000": (png_header(20_000, 20_000), 413, "image-too-large"),
    "9 000 x 9 000": (png_header(9_000, 9_000), 413, "image-too-large"),
    "2 x 2 000 000 000": (png_header(2, 2_000_000_000), 413, "image-too-large"),
    "no pixels": (png_header(0, 10), 422, "damaged-image"),
    "four pixels wide": (picture(size=(4, 40)), 422, "image-too-small"),
    "a line": (picture(size=(4_000, 10)), 422, "image-too-narrow"),
    "animated png": (animated("PNG"), 422, "animated-image"),
    "animated webp": (animated("WEBP"), 422, "animated-image"),
    "tiff of two pages": (animated("TIFF"), 422, "animated-image"),
    "no data behind the header": (png_header(100, 100), 422, "damaged-image"),
    **{
        f"truncated {form}": (
            picture("RGB", (90, 90), form)[: len(picture("RGB", (90, 90), form)) // 2],
            422,
            "damaged-image",
        )
        for form in ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
    },
}


@pytest.mark.parametrize("case", PICTURES)
def test_pictures_that_are_none_or_do_harm(client: httpx.Client, upstream: Upstream, case: str) -> None:
    data, status, kind = PICTURES[case]
    assert_problem(client.post("/vqa", json=body(image=encoded(data))), status, kind)
    fields = {"question": "Which shape?", "options": OPTIONS}
    assert_problem(client.post("/vqa", data=fields, files={"image": ("scan", data)}), status, kind)
    assert upstream.asked == []
    assert_unharmed(client)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("scan.png", "image/jpeg"), ("scan.jpg", "image/png"), ("scan.gif", "image/gif"), ("scan.png", "image/svg+xml"),
     ("scan.png", "text/html"), ("scan.tiff", "application/octet-stream")],
)  # fmt: skip
def test_lies_about_the_type(client: httpx.Client, upstream: Upstream, name: str, media_type: str) -> None:
    response = client.post("/vqa", data={"question": "Which?"}, files={"image": (name, picture(), media_type)})
    assert_problem(response, 415, "image-type-mismatch")
    response = client.post("/vqa", json=body(image=f"data:image/webp;base64,{encoded(picture())}"))
    assert_problem(response, 415, "image-type-mismatch")
    assert upstream.asked == []


def form(disposition: str, media_type: str | None, data: bytes) -> tuple[bytes, dict[str, str]]:
    """A form whose picture is announced by these headers."""
    kind = "" if media_type is None else f"Content-Type: {media_type}\r\n"
    question = '--edge\r\nContent-Disposition: form-data; name="question"\r\n\r\nWhich?\r\n'
    text = f"{question}--edge\r\nContent-Disposition: {disposition}\r\n{kind}\r\n"
    return text.encode() + data + b"\r\n--edge--\r\n", {"Content-Type": "multipart/form-data; boundary=edge"}


@pytest.mark.parametrize(
    ("disposition", "media_type"),
    [
        ("form-data; name=\"image\"; filename*=UTF-8''R%C3%B6ntgen%20%22a%22.png", "image/png"),
        ("form-data; name=image; FILENAME*=iso-8859-1'de'r%F6.png", None),
        ("form-data; name=image; filename*=scan.png", "application/octet-stream"),
        ("form-data; name=image; filename*=utf-8''%FF%00.png", "image/*"),
        ("form-data; name=image", "image/png"),
        ("form-data; name=image", "application/octet-stream"),
    ],
)
def test_files_that_are_named_otherwise_than_forms_want_are_read(
    client: httpx.Client, disposition: str, media_type: str | None
) -> None:
    content, headers = form(disposition, media_type, picture())
    response = client.post("/vqa", content=content, headers=headers)
    assert response.status_code == 200, response.text


def test_the_other_name_of_a_file_counts_too(client: httpx.Client) -> None:
    content, headers = form("form-data; name=image; filename*=UTF-8''scan.jpg", None, picture())
    response = client.post("/vqa", content=content, headers=headers)
    assert_problem(response, 415, "image-type-mismatch")


@pytest.mark.parametrize("how", ["json", "form", "unannounced"])
def test_50_mb(client: httpx.Client, upstream: Upstream, how: str) -> None:
    data = b"\0" * 50_000_000

    def pieces() -> Iterator[bytes]:
        yield b'{"image": "'
        for _ in range(50):
            yield b"A" * 1_000_000

    if how == "json":
        response = client.post("/vqa", content=data, headers={"Content-Type": "application/json"})
    elif how == "form":
        response = client.post("/vqa", data={"question": "Which?"}, files={"image": ("scan.png", data)})
    else:
        response = client.post("/vqa", content=pieces(), headers={"Content-Type": "application/json"})
    assert_problem(response, 413, "body-too-large")
    assert upstream.asked == []
    assert_unharmed(client)


def test_a_picture_over_its_own_limit_within_the_body_limit(client: httpx.Client) -> None:
    response = client.post(
        "/vqa", data={"question": "Which?"}, files={"image": ("a.png", picture() + b"\0" * 2_100_000)}
    )
    assert_problem(response, 413, "image-file-too-large")


FIELDS: dict[str, dict[str, Any]] = {
    "no question": {"question": ...},
    "question of 0 characters": {"question": ""},
    "question of blanks": {"question": " \n\t "},
    "question of 100 000 characters": {"question": "a" * 100_000},
    "question of blanks beyond the limit": {"question": " " * 4_000 + "a"},
    "question with a control character": {"question": "a\x07b"},
    "question with a nul": {"question": "a\x00b"},
    "question with c1 controls": {"question": "a\x85b"},
    "question is no text": {"question": 5},
    "question is a list": {"question": ["a"]},
    "1 option": {"options": ["a"]},
    "27 options": {"options": [f"option {n}" for n in range(27)]},
    "duplicate options": {"options": ["Round", "Oval", "round "]},
    "an empty option": {"options": ["a", " "]},
    "an option with a control character": {"options": ["a", "b\x1b[31m"]},
    "a long option": {"options": ["a", "b" * 501]},
    "options are numbers": {"options": [1, 2]},
    "options is a number": {"options": 3},
    "options are nested": {"options": {"A": {"text": "a"}, "B": "b"}},
    "option letters are words": {"options": {"one": "a", "two": "b"}},
    "option letters twice": {"options": {"a": "a", "A": "b"}},
    "options bear each other's letters": {"options": ["B: Round", "A: Oval"]},
    "options bear letters with a gap": {"options": ["A: Round", "C: Oval", "D: Square"]},
    "options by letter bear other letters": {"options": {"A": "(C) a", "B": "(A) b", "C": "(B) c"}},
    "unknown method": {"method": "magic"},
    "method is no text": {"method": 1},
    "risk above 1": {"max_risk": 1.5},
    "risk below 0": {"max_risk": -0.1},
    "risk is no number": {"max_risk": "much"},
    "risk is a text": {"max_risk": "0.1"},
    "risk is a truth value": {"max_risk": True},
    "coverage is a text": {"coverage": "0.9"},
    "groups hold a number": {"groups": {"age": 71}},
    "options are an empty text": {"options": ""},
    "an option letter that only Python takes for one": {"options": {"\u0131": "a", "B": "b"}},
    "an unknown field": {"opitons": ["a", "b"]},
    "no image": {"image": ...},
    "image is no text": {"image": 7},
    "image is an object as OpenAI has it": {"image": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    "image is no base64": {"image": "!!!"},
    "image is not ascii": {"image": "Bild é"},
    "image is an address": {"image": "http://example.org/scan.png"},
    "image is a file": {"image": "file:///etc/passwd"},
    "image is a data url of text": {"image": "data:image/png,hello"},
}


@pytest.mark.parametrize("case", FIELDS)
def test_fields_that_are_wrong(client: httpx.Client, upstream: Upstream, case: str) -> None:
    changes: dict[str, Any] = FIELDS[case]
    found = assert_problem(client.post("/vqa", json=body(**changes)), 422, "invalid-request")
    (name,) = changes
    assert all(fault["field"].split(".")[0] == name for fault in found["errors"])
    assert upstream.asked == upstream.guided == []
    assert_unharmed(client)


def test_faults_are_said_in_plain_words(client: httpx.Client) -> None:
    found = assert_problem(client.post("/vqa", json=body(opitons=["a"])), 422, "invalid-request")
    assert found["detail"] == "Check opitons: is not a field of this request."
    found = assert_problem(client.post("/vqa", json=body(image={"url": "x"})), 422, "invalid-request")
    assert found["detail"].startswith("Check image: must be a string, the picture in base64")


def test_a_byte_order_mark_before_json_says_nothing(client: httpx.Client) -> None:
    content = json.dumps(body()).encode("utf-8-sig")
    assert client.post("/vqa", content=content, headers={"Content-Type": "application/json"}).status_code == 200


@pytest.mark.parametrize("text", [r"\ud800", r"a\udfffb", r"\udc00\ud800"], ids=["high", "low", "reversed"])
@pytest.mark.parametrize("where", ["question", "option", "method", "image", "key"])
def test_lone_surrogates(client: httpx.Client, upstream: Upstream, text: str, where: str) -> None:
    mark = "SURROGATE"
    special: dict[str, dict[str, Any]] = {"option": {"options": ["a", mark]}, "key": {mark: "x"}}
    changes = special.get(where, {where: mark})
    raw = json.dumps(body(**changes)).replace(mark, text)
    response = client.post("/vqa", content=raw, headers={"Content-Type": "application/json"})
    assert_problem(response, 422, "invalid-request")
    assert upstream.asked == []


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"nonsense", b'{"question": "\xff"}', b'{"max_risk": NaN}', b'{"question": 1, "question": 2}',
     b"[" * 40_000, b'{"max_risk": 1' + b"0" * 5_000 + b"}", b'{"question": "raw \x01 control"}'],
    ids=["empty", "cut", "no json", "no utf-8", "nan", "key twice", "deep", "huge number", "raw control"],
)  # fmt: skip
def test_json_that_is_malformed(client: httpx.Client, raw: bytes) -> None:
    response = client.post("/vqa", content=raw, headers={"Content-Type": "application/json"})
    assert_problem(response, 400, "malformed-json")
    assert_unharmed(client)


def test_json_of_very_many_values_is_refused_before_it_is_built(client: httpx.Client, upstream: Upstream) -> None:
    many = "[" + "1," * 60_000 + "1]"
    raw = b'{"question": "?", "options": ' + many.encode() + b"}"
    assert_problem(
        client.post("/vqa", content=raw, headers={"Content-Type": "application/json"}), 413, "too-many-values"
    )
    form = {"question": "?", "options": many}
    assert_problem(client.post("/vqa", data=form, files={"image": picture()}), 413, "too-many-values")
    # A picture's base64 is one value.
    assert client.post("/vqa", json=body()).status_code == 200
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("raw", [b"[]", b"null", b'"text"', b"5"])
def test_json_that_is_no_object(client: httpx.Client, raw: bytes) -> None:
    response = client.post("/vqa", content=raw, headers={"Content-Type": "application/json"})
    assert_problem(response, 422, "invalid-request")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "image/png", "application/xml", None, "nonsense"]
)
def test_another_content_type(client: httpx.Client, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert_problem(client.post("/vqa", content=b"a=b", headers=headers), 415, "unsupported-media-type")


def test_compressed_bodies_are_not_unpacked(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert_problem(client.post("/vqa", content=b"\x1f\x8b", headers=headers), 415, "unsupported-content-encoding")


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"nonsense"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x; charset=martian", b"--y\r\n"),
        ("multipart/form-data; boundary=" + "x" * 5_000, b"--x--"),
    ],
    ids=["no boundary", "no form", "no name", "no charset", "long boundary"],
)
def test_forms_that_are_malformed(client: httpx.Client, kind: str, raw: bytes) -> None:
    assert_problem(client.post("/vqa", content=raw, headers={"Content-Type": kind}), 400, "malformed-form")
    assert_unharmed(client)


def test_forms_with_the_wrong_parts(client: httpx.Client, upstream: Upstream) -> None:
    image = ("image", ("scan.png", picture(), "image/png"))

    def post(files: list[Any], **fields: Any) -> httpx.Response:
        return client.post("/vqa", data={"question": "Which?", **fields}, files=files)

    assert_problem(post([image, image]), 400, "malformed-form")
    assert_problem(post([image], options=[f"option {n}" for n in range(60)]), 400, "malformed-form")
    for fields in (
        {"question": ["Which?", "What?"]},
        {"options": ["only"]},
        {"options": "[1"},
        {"options": '["a"]'},
        {"options": [f"option {n}" for n in range(27)]},
        {"question": ""},
        {"question": "a" * 100_000},
        {"method": "magic"},
        {"max_risk": "nan"},
        {"max_risk": "inf"},
        {"colour": "red"},
        {"\x1b]0;title": "red"},
    ):
        assert_problem(post([image], **fields), 422, "invalid-request")
    assert_problem(client.post("/vqa", files={"question": (None, "Which?")}), 422, "invalid-request")
    assert upstream.asked == []
    assert_unharmed(client)


def test_line_breaks_and_tabs_are_text(client: httpx.Client, upstream: Upstream) -> None:
    response = client.post("/vqa", json=body(question="First line,\r\nsecond\tline: größe? 大きさ 🩻"))
    assert response.status_code == 200
    assert "First line,\nsecond\tline: größe? 大きさ 🩻" in str(
        upstream.asked[-1]["messages"][-1]["content"][1]["text"]
    )


def test_braces_in_a_question_are_only_text(client: httpx.Client, upstream: Upstream) -> None:
    assert client.post("/vqa", json=body(question="What is {guidance} {0} %s?")).status_code == 200
    assert "What is {guidance} {0} %s?" in upstream.asked[-1]["messages"][-1]["content"][1]["text"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/vqa", 405), ("POST", "/nowhere", 404), ("GET", "/redoc", 404)]
)
def test_other_paths_and_methods(client: httpx.Client, method: str, path: str, status: int) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
