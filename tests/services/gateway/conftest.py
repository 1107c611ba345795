from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import create_engine

from prompt4trust.calibration import CalibratorArtifact, fit_artifact
from prompt4trust.models import Sampling
from services.common.registry.directory import Registry
from services.gateway.app import create_gateway
from services.gateway.records.migrations.upgrading import upgrade
from services.gateway.settings import GatewaySettings
from services.gateway.settings_parts.methods import DEFAULT_METHODS
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import decoding_of, whole_key
from tests.support.servers import running

MODEL = "model-1"
TEMPLATE = "answer-compact@1"
HASH_SECRET = "of the tests: 0123456789abcdef0123456789abcdef"
OPTIONS = ["Round", "Oval", "Spiculated"]

MakeGateway = Callable[..., AbstractContextManager[str]]


def picture(mode: str = "L", size: tuple[int, int] = (40, 30), form: str = "PNG", **options: Any) -> bytes:
    """A real picture with a gradient."""
    width, height = size
    ramp = np.linspace(0, 255, width * height).reshape(height, width).astype(np.uint8)
    buffer = BytesIO()
    Image.fromarray(ramp).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def make_calibrator(
    estimator: str,
    policy: str | None,
    *,
    name: str | None = None,
    right: float = 0.5,
    sampling: Sampling = Sampling(),  # noqa: B008 - frozen
) -> CalibratorArtifact:
    """A calibrator fitted on overconfident answers, a share of which is right."""
    rng = np.random.default_rng(3)
    stated = rng.uniform(0.8, 0.99, 200)
    return fit_artifact(
        stated,
        rng.random(200) < right,
        name=name or f"platt-{estimator}",
        family="platt",
        key=whole_key(
            downstream=MODEL,
            policy=policy,
            estimator=estimator,
            answer_template=TEMPLATE,
            decoding=decoding_of(estimator, sampling),
        ),
        dataset="phantom-vqa",
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        resamples=20,
    )


@pytest.fixture(scope="session")
def upstream_server() -> Iterator[tuple[Upstream, str]]:
    upstream = Upstream()
    with running(upstream.app()) as url:
        yield upstream, url


@pytest.fixture
def upstream(upstream_server: tuple[Upstream, str]) -> Iterator[Upstream]:
    upstream, _ = upstream_server
    upstream.reset()
    yield upstream
    upstream.release.set()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry with a calibrator for each method."""
    registry = Registry(tmp_path_factory.mktemp("registry"))
    registry.calibrators.publish(make_calibrator("cgp", "policy-1"))
    registry.calibrators.publish(make_calibrator("verbalized", None, right=0.7))
    return registry


@pytest.fixture(scope="session")
def empty_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of no records, its tables up to date: making them is a fifth of a gateway's start."""
    file = tmp_path_factory.mktemp("empty") / "records.db"
    file.touch(mode=0o600)  # as a gateway makes it
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        upgrade(connection)
    engine.dispose()
    return file


@pytest.fixture(scope="session")
def make_gateway(
    upstream_server: tuple[Upstream, str],
    registry: Registry,
    empty_records: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> MakeGateway:
    """Serve a gateway with chosen settings in front of the scripted models, with records of its own."""

    def records() -> str:
        return f"sqlite:///{shutil.copy2(empty_records, tmp_path_factory.mktemp('records'))}"

    @contextmanager
    def make(**settings: Any) -> Iterator[str]:
        _, url = upstream_server
        chosen = {
            "policy_url": url,
            "downstream_url": f"{url}/v1",
            "downstream_model": MODEL,
            "answer_template": TEMPLATE,
            # Not those of the deployment that a settings file describes.
            "methods": DEFAULT_METHODS,
            "warm_prefix": "never",
            "kept_guidance": 0,  # tests see each question at the policy, and have it write otherwise each time
            "registry": registry.root,
            "max_risk": None,  # most tests are not about the default risk, for which this registry has no guard
            "registry_check_s": 0.0,
            "record_deadline_s": 20.0,  # a machine that others keep busy
            "shipped": registry.root / "nothing-shipped",
            "policy_pause_s": 0.0,  # what one test did to the models is not for the next to feel
            "downstream_pause_s": 0.0,
            **settings,
        }
        chosen.setdefault("records_url", records())
        if chosen["records_url"].startswith("postgres"):
            chosen.setdefault("record_hash_secret", HASH_SECRET)
        with running(create_gateway(GatewaySettings(**chosen))) as gateway:
            yield gateway

    return make


@pytest.fixture(scope="session")
def gateway_url(make_gateway: MakeGateway) -> Iterator[str]:
    """One gateway for all tests that need no settings of their own."""
    with make_gateway(max_image_bytes=2_000_000) as url:
        yield url


@pytest.fixture
def client(gateway_url: str, upstream: Upstream) -> Iterator[httpx.Client]:
    """A client of that gateway, its models behaving well."""
    with httpx.Client(base_url=gateway_url, timeout=20) as http:
        yield http


@pytest.fixture
def nowhere(tmp_path: Path) -> str:
    """An address where nothing listens."""
    from tests.support.servers import free_port

    return f"http://127.0.0.1:{free_port()}"
