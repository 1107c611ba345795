"""instructor against a gateway: objects of an app's own, whole and streamed, and what its other modes are told."""

from __future__ import annotations

from tests.services.gateway.chat.chats import MODEL, messages
from tests.services.gateway.upstream import Upstream
from tests.support.instructor.running import MODES, by_instructor, needs_instructor


@needs_instructor
def test_instructor_gets_its_objects(gateway_url: str, upstream: Upstream) -> None:
    asks = {name: {"extra_body": {"max_risk": risk}} for name, risk in (("given", 0.6), ("left", 0.1))}
    asked = {"url": gateway_url, "model": MODEL, "messages": messages(), "asks": asks, "modes": MODES}
    found = by_instructor("gateway", {**asked, "refused": ["MD_JSON"]})
    given, left = found["TOOLS, given"], {"decision": "defer", "answer": None, "confidence": None}
    assert (given["decision"], given["answer"]) == ("answer", "Oval")
    assert 0.4 < given["confidence"] < 0.7
    for mode in MODES:
        assert (found[f"{mode}, given"], found[f"{mode}, left"]) == (given, left)
        assert (found[f"{mode}, given, streamed"], found[f"{mode}, left, streamed"]) == (given, left)
    assert "system" in found["refused"]["MD_JSON"]
