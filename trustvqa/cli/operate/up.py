"""`trustvqa up`: the four services on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from yaml import YAMLError

from services.common.engine.errors import EngineError
from services.common.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, config_file, read_yaml
from services.common.startup import read_settings
from services.gateway.settings import GatewaySettings
from services.gateway.web.samples.slices import SLICES
from trustvqa.cli.errors import ServiceStartError, fail
from trustvqa.cli.operate.model_parts import make_parts_ready
from trustvqa.cli.operate.service_processes import ServiceProcess, ServiceSupervisor, taken_ports
from trustvqa.cli.running_stack import FIRST_PORT, SERVICES, announced, is_usual

# Services that share two cores must not fight for them: one thread each, and no spinning while waiting.
_QUIET_CPU = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "HF_HUB_OFFLINE": "1"}
_SHIPPED = Path("models")


def up(
    port: Annotated[
        int,
        typer.Option(min=1, max=65532, help="The gateway's port; policy, downstream and trainer take the next three."),
    ] = FIRST_PORT,
    host: Annotated[str, typer.Option(help="Address that the services listen on.")] = "127.0.0.1",
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="The gateway's processes; by default as it is configured.")
    ] = None,
    logs: Annotated[Path, typer.Option(help="Directory for one log file a service.")] = Path("var/log"),
    timeout: Annotated[float, typer.Option(min=1, help="Seconds until all must be ready.")] = 180.0,
) -> None:
    """Start gateway, policy, downstream and trainer, and stop them on Ctrl-C."""
    console = Console()
    if reason := missing_files(os.environ):
        fail(reason, 2)
    try:
        make_parts_ready(console.print)
    except EngineError as error:
        fail(str(error), 2)
    ports = {name: port + offset for offset, name in enumerate(SERVICES)}
    if taken := taken_ports(host, ports):
        listed = ", ".join(f"{number} ({name})" for name, number in taken.items())
        fail(f"port {listed} is taken. Choose four others: make up PORT=9080 uses 9080 to 9083.")
    reached = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104 - compared
    addresses = {name: f"http://{reached}:{number}" for name, number in ports.items()}
    sections = _sections()
    supervisor = ServiceSupervisor(
        [
            ServiceProcess(
                name,
                command=(sys.executable, "-m", f"services.{name}"),
                url=addresses[name],
                environment=_environment(name, host, ports, workers, sections),
                log=logs / f"{name}.log",
            )
            for name in SERVICES
        ],
        report=console.print,
    )
    try:
        with announced(addresses):
            asyncio.run(supervisor.run(timeout_s=timeout, on_ready=lambda: _greet(console, addresses)))
    except ServiceStartError as error:
        fail(str(error))


def missing_files(environment: Mapping[str, str]) -> str | None:
    """Explain what an installed package lacks: configuration and miniature models are in a checkout alone.

    Args:
        environment: What the services are started in.

    Returns:
        The message that says what to do, or None where there is a configuration, or a downstream model is named.
    """
    named = CONFIG_VARIABLE in environment or any(name.startswith("TRUSTVQA_DOWNSTREAM_") for name in environment)
    if named or DEFAULT_CONFIG.is_file() or _SHIPPED.is_dir():
        return None
    return (
        f"there is no {DEFAULT_CONFIG} here, and no {_SHIPPED}/: the miniature models come with a checkout of the "
        f"project, where `make up` starts them; a configuration of your own is named in {CONFIG_VARIABLE}"
    )


def _sections() -> Mapping[str, object]:
    """Read the configuration file as it stands there; what is wrong with it the services say."""
    try:
        found = read_yaml(config_file())
    except (OSError, ValueError, YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _environment(
    name: str, host: str, ports: dict[str, int], workers: int | None, sections: Mapping[str, object]
) -> dict[str, str]:
    chosen = {f"TRUSTVQA_{name.upper()}_HOST": host, f"TRUSTVQA_{name.upper()}_PORT": str(ports[name])}
    if name in ("gateway", "trainer"):
        started = {
            "policy_url": f"http://{host}:{ports['policy']}",
            "downstream_url": f"http://{host}:{ports['downstream']}/v1",
        }
        section = sections.get(name)
        for field, address in started.items():
            variable = f"TRUSTVQA_{name.upper()}_{field.upper()}"
            set_up = os.environ.get(variable) or (section.get(field) if isinstance(section, dict) else None)
            # Models elsewhere are asked as they were set up, not those that are started here.
            if set_up is None or is_usual(str(set_up)):
                chosen[variable] = address
    if name == "gateway" and workers is not None:
        chosen["TRUSTVQA_GATEWAY_WORKERS"] = str(workers)
    return {**_QUIET_CPU, **os.environ, **chosen}


def _greet(console: Console, addresses: Mapping[str, str]) -> None:
    console.print("\n[bold green]TrustVQA is ready[/]  (demonstration models: of no use in a clinic)\n")
    for name, address in addresses.items():
        note = "   open it in a browser" if name == "gateway" else ""
        console.print(f"  {name:<11} {address}{note}", highlight=False)
    console.print("\nAsk it something:\n")
    samples = read_settings(GatewaySettings).page_samples
    console.print(sample_curl(addresses["gateway"], samples), highlight=False, markup=False, soft_wrap=True)
    console.print("\nCtrl-C stops all four.\n")


def sample_curl(base: str, samples: str = "phantoms") -> str:
    """Compose the curl line that the README shows, for a gateway's address and its setting `page_samples`."""
    picture = Path(str(files("services.gateway"))) / "static" / "samples" / "mri.png"
    question = "On which side do the findings lie?"
    options: tuple[str, ...] = ("Left", "Right", "Bilateral", "Midline")
    if samples == "slices":
        slice_shown = SLICES[0]
        picture = Path(str(files("pydicom"))) / "data" / "test_files" / slice_shown.file
        question, options = slice_shown.question, slice_shown.options
    if picture.is_relative_to(Path.cwd()):
        picture = picture.relative_to(Path.cwd())
    asked = " ".join(f"-F options={option}" for option in options)
    return f"  curl -s {base}/vqa -F image=@{picture} \\\n    -F question='{question}' \\\n    {asked}"
