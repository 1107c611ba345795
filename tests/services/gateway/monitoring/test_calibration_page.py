"""The page at /calibration: what it says, that it escapes what clients told, and that a browser shows it."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta

import pytest
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.gateway.monitoring.administration import headers_of
from services.gateway.monitoring.calibration_page import render_page
from services.gateway.monitoring.observer import Observer, Watching
from services.gateway.monitoring.report import CalibrationReport, make_report
from services.gateway.monitoring.watched_stream import Acknowledgement
from tests.services.gateway.monitoring.streams import BEGIN, OTHER_PAIR, reviewed, stream
from tests.support.browser import in_browser
from tests.support.servers import running

LATER = BEGIN + timedelta(days=300)


@pytest.fixture(scope="module")
def observer() -> Observer:
    """An alarm of one pair, a calm stream of another, a modality that is none."""
    observer = Observer(Watching())
    observer.see(stream(150, off=-0.3) + stream(60, begin=150, key=OTHER_PAIR, seed=3))
    observer.see([reviewed(300, 0.62, True, key=OTHER_PAIR, groups={"modality": "<script>alert(1)</script>"})])
    return observer


@pytest.fixture(scope="module")
def report(observer: Observer) -> CalibrationReport:
    return make_report(observer, lambda watch: True, LATER)


def test_it_says_what_is_wrong_and_what_to_do_and_escapes_what_clients_told(report: CalibrationReport) -> None:
    page = render_page(report)
    assert "confidence of cgp" in page
    assert page.count('class="card bad"') == page.count('class="card fine"') == 1
    (alarm,) = report.standing
    assert alarm.message in page
    assert alarm.id in page
    assert "trustvqa calibrate --from-feedback" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    for drawing in ("Reliability diagram", "Risk-coverage curves", "way to an alarm of platt-cgp"):
        assert drawing in page
    assert " style=" not in page  # the policy would drop it


def test_the_policy_lets_exactly_this_style_in(report: CalibrationReport) -> None:
    (style,) = re.findall("<style>(.*?)</style>", render_page(report), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in headers_of(administers=False)["Content-Security-Policy"]
    assert "'unsafe" not in headers_of(administers=False)["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("status", "said"),
    [("off", "keeps no records"), ("starting", "not been read yet"), ("empty", "POST /vqa/{id}/feedback")],
)
def test_where_there_is_nothing_to_say_it_says_why(status: str, said: str) -> None:
    made = CalibrationReport.model_validate({"status": status, "window": 500, "tolerance": 0.02, "alpha": 0.05})
    page = render_page(made)
    assert said in page
    assert "<svg" not in page
    problem = made.model_copy(update={"problem": "The database is <away>."})
    assert "The database is &lt;away&gt;." in render_page(problem)


def test_one_reviewed_answer_is_told_as_one() -> None:
    observer = Observer(Watching())
    observer.see(stream(1))
    page = render_page(make_report(observer, lambda watch: True, LATER))
    assert "From 1 answer whose truth" in page
    assert "1 answers" not in page
    assert "1 reviewed answers" not in page


def test_an_acknowledged_alarm_and_a_replaced_calibrator_are_no_alarm(observer: Observer) -> None:
    replaced = render_page(make_report(observer, lambda watch: False, LATER))
    assert "Neither calibrators nor guards that are applied now have reviewed answers" in replaced
    assert "superseded" in replaced
    known = Observer.restore(observer.state(), Watching())
    (watch,) = (each for each in known.watches if each.alarm is not None)
    known.acknowledge([Acknowledgement(watch.id, LATER, "Dr. <B>", "a new scanner")])
    known.settle()
    page = render_page(make_report(known, lambda watch: True, LATER))
    assert 'class="card bad"' not in page
    assert "Acknowledged by Dr. &lt;B&gt;" in page
    assert "a new scanner" in page


@in_browser
def test_a_browser_shows_it_in_light_and_dark_and_on_a_telephone(report: CalibrationReport, browser: Browser) -> None:
    async def serve(request: Request) -> Response:
        return Response(render_page(report), media_type="text/html", headers=headers_of(administers=False))

    complaints: list[str] = []
    with running(Starlette(routes=[Route("/calibration", serve)])) as url:
        grounds = set()
        for scheme, width in (("light", 1280), ("dark", 390)):
            context = browser.new_context(viewport={"width": width, "height": 800})
            page = context.new_page()
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.on("console", lambda message: complaints.append(message.text))
            page.goto(f"{url}/calibration")
            assert page.get_by_role("heading", name="Does calibrated confidence hold?").is_visible()
            assert page.get_by_role("img", name="Reliability diagram").is_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            context.close()
    assert len(grounds) == 2
    # The favicon is not served here.
    assert [each for each in complaints if "Failed to load resource" not in each] == []
