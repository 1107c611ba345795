"""`trustvqa doctor`: what is wrong with the services, with the settings here and with the places they write to."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import httpx
import typer
from rich.markup import escape
from rich.table import Table

from services.common.settings import ServiceSettings
from services.common.startup import SettingsFaultError, settings_of
from services.downstream.settings import DownstreamSettings
from services.gateway.settings import GatewaySettings
from services.policy.settings import PolicySettings
from trustvqa.cli.addresses import GatewayAddress, PolicyAddress, TrainerAddress, checked_address
from trustvqa.cli.api_key import key_headers, refusal
from trustvqa.cli.errors import CommandError
from trustvqa.cli.output import AsJson, print_result
from trustvqa.cli.readiness import missing_of
from trustvqa.cli.running_stack import SERVICES, default_address

_WAIT_S: Final = 10.0
_SKEW_S: Final = 5.0
_LITTLE_BYTES: Final = 1_000_000_000
_KINDS: Final[tuple[type[ServiceSettings], ...]] = (GatewaySettings, PolicySettings, DownstreamSettings)
_WITHOUT: Final = frozenset({"gateway", "downstream"})
"""Services without which no question is answered."""
_COLOURS: Final = {"ok": "green", "look": "yellow", "fault": "red"}


State = Literal["ok", "look", "fault"]


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that was looked at.

    Attributes:
        state: "ok"; "look", which works, but not as it should; or "fault".
        of: What was looked at.
        said: What was found.
        remedy: What to do; empty where nothing is to be done.
    """

    state: State
    of: str
    said: str
    remedy: str = ""


def doctor(
    gateway: GatewayAddress = None,
    policy: PolicyAddress = None,
    downstream: Annotated[
        str | None,
        typer.Option(callback=checked_address, help="The downstream service's address, without /v1.", metavar="URL"),
    ] = None,
    trainer: TrainerAddress = None,
    as_json: AsJson = False,
) -> None:
    """Look for what is wrong: services, clocks, key, calibrators, alarms, settings and disk; status 1 for a fault.

    It asks no question and changes nothing.
    """
    named = {"gateway": gateway, "policy": policy, "downstream": downstream, "trainer": trainer}
    addresses = {name: named[name] or default_address(name) for name in SERVICES}
    findings = [*_settings(), *_services(addresses)]
    print_result([asdict(each) for each in findings], lambda _: _laid_out(findings), as_json=as_json)
    if any(each.state == "fault" for each in findings):
        raise typer.Exit(1)


def _settings() -> Iterator[Observation]:
    """Look at the settings that this shell and this directory give, and at the disk that they name."""
    for kind in _KINDS:
        try:
            settings = settings_of(kind)
        except SettingsFaultError as error:
            yield Observation("fault", f"settings of {kind.service}", str(error), "correct what is named")
            continue
        if isinstance(settings, GatewaySettings):
            yield Observation("ok", "settings", "the gateway's can be used")
            yield from _disk(settings)


def _disk(settings: GatewaySettings) -> Iterator[Observation]:
    places = {"registry": settings.registry}
    if (records := settings.records_url.get_secret_value()).startswith("sqlite:///"):
        places["records"] = Path(records.removeprefix("sqlite:///")).parent
    for name, place in places.items():
        if not place.is_dir():
            yield Observation("look", f"disk of {name}", f"{place} is not there yet, or on another machine")
            continue
        free = shutil.disk_usage(place).free
        said = f"{free / 1e9:.1f} GB are free at {place}"
        if free < _LITTLE_BYTES:
            yield Observation("fault", f"disk of {name}", said, "make room: answers would go out unrecorded")
        else:
            yield Observation("ok", f"disk of {name}", said)


def _services(addresses: Mapping[str, str]) -> Iterator[Observation]:
    versions: dict[str, dict[str, Any]] = {}
    # Without a key: readiness and version are for everybody, and the server of a model may be a stranger's.
    with httpx.Client(timeout=httpx.Timeout(_WAIT_S, connect=2.0)) as http:
        for name, url in addresses.items():
            try:
                ready = http.get(f"{url}/health/ready")
                found = _dependencies(name, ready)
                told = _object(http.get(f"{url}/version"))
                if told["service"] != name:
                    raise ValueError(told["service"])
                versions[name] = told
            except httpx.HTTPError as error:
                away = f"{url} cannot be reached ({error or type(error).__name__})"
                state: State = "fault" if name in _WITHOUT else "look"
                yield Observation(state, name, away, f"start it, or name it: --{name} URL")
                continue
            except (ValueError, KeyError, TypeError, AttributeError):
                yield _stranger(name, url)
                continue
            yield from found
            yield from _clock(name, ready)
        software = {name: str(each.get("software")) for name, each in versions.items()}
        if len(set(software.values())) > 1:
            listed = ", ".join(f"{name} {version}" for name, version in software.items())
            yield Observation("look", "versions", f"they differ: {listed}", "bring all services to one version")
        try:
            http.headers.update(key_headers())
        except CommandError as error:
            yield Observation("fault", "API key", str(error))
        if "gateway" in versions:
            try:
                yield from _promises(http, addresses["gateway"], versions)
            except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
                yield Observation("fault", "gateway", f"it could not be looked at ({type(error).__name__})")


def _stranger(name: str, url: str) -> Observation:
    if name == "downstream":
        said = f"at {url} is another server than this project's: whether the gateway reaches its model stands there"
        return Observation("look", name, said)
    return Observation("fault", name, f"at {url} is another program", f"name the {name}: --{name} URL")


def _object(reply: httpx.Response) -> dict[str, Any]:
    body = reply.json()
    if not isinstance(body, dict):
        raise TypeError(type(body))
    return body


def _dependencies(name: str, reply: httpx.Response) -> list[Observation]:
    away = [
        Observation("fault", name, str(each), "its log says why")
        if each.is_required
        else Observation("look", name, str(each), "it goes on without")
        for each in missing_of(reply)
    ]
    return away or [Observation("ok", name, "ready")]


def _clock(name: str, reply: httpx.Response) -> Iterator[Observation]:
    try:
        apart = abs(parsedate_to_datetime(reply.headers["date"]).timestamp() - time.time())
    except (KeyError, ValueError):
        return
    if apart > _SKEW_S:
        remedy = "set both by NTP: tokens, keys' ends and records go by these clocks"
        yield Observation("look", name, f"its clock is {apart:.0f} s from this machine's", remedy)


def _promises(http: httpx.Client, gateway: str, versions: Mapping[str, Mapping[str, Any]]) -> Iterator[Observation]:
    """Look whether answers are calibrated, and whether that still holds."""
    about = http.get(f"{gateway}/v1/about")
    if said := refusal(about.status_code, about.json()):
        yield Observation("fault", "API key", said)
        return
    yield _calibrated(_object(about), versions)
    held = _object(http.get(f"{gateway}/calibration.json"))
    page = f"see {gateway}/calibration"
    if held["status"] == "alarm":
        yield Observation("fault", "calibration", "an alarm stands: reviews show that it no longer holds", page)
    elif held["problem"]:
        yield Observation("look", "calibration", str(held["problem"]), page)
    elif held["status"] in ("off", "empty"):
        why = "no records are kept" if held["status"] == "off" else "no answer has been reviewed"
        yield Observation(
            "look", "calibration", f"whether it holds is not known: {why}", "have people review some answers"
        )
    else:
        yield Observation("ok", "calibration", f"{held['reviewed']} answers were reviewed, and no alarm stands")


def _calibrated(about: Mapping[str, Any], versions: Mapping[str, Mapping[str, Any]]) -> Observation:
    method, model = about["default_method"], about["models"]["downstream"]
    policy = (versions.get("policy", {}).get("policy") or {}).get("active")
    for pair in versions["gateway"]["live_calibrators"]:
        parts = pair.split(" | ")
        if parts[:2] == [method, model] and (policy is None or parts[2] in (policy, "no policy")):
            return Observation("ok", "calibrator", f"{method} of {model} has one")
    models = " with ".join(filter(None, (model, policy)))
    said = f"{method} of {models} has none that is live: questions are left to people"
    return Observation("fault", "calibrator", said, "fit one (trustvqa calibrate), or go back to the models before")


def _laid_out(findings: list[Observation]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for each in findings:
        told = escape(each.said) + (f"\n[dim]{escape(each.remedy)}[/]" if each.remedy else "")
        table.add_row(f"[{_COLOURS[each.state]}]{each.state}[/]", escape(each.of), told)
    return table
