"""Prometheus metrics are defined in modules called metrics.py, where one looks for their names."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.structure.sources import CODE, ROOT, plant, python_files, tree_of

KINDS = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}


def metrics_elsewhere(root: Path) -> list[str]:
    """Modules of another name that take a kind of metric from prometheus_client."""
    return [
        str(path.relative_to(root))
        for path in python_files(root, CODE)
        if path.name != "metrics.py" and "prometheus_client" in path.read_text(encoding="utf-8")
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Import) and any(alias.name.startswith("prometheus_client") for alias in node.names))
        or (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("prometheus_client")
            and any(alias.name in KINDS or alias.name.endswith("MetricFamily") for alias in node.names)
        )
    ]


def test_metrics_are_defined_in_modules_of_that_name() -> None:
    assert metrics_elsewhere(ROOT) == []


def test_metrics_elsewhere_are_noticed(tmp_path: Path) -> None:
    plant(tmp_path, "services/policy/writer.py", "from prometheus_client import CollectorRegistry, Gauge\n")
    plant(tmp_path, "services/policy/reader.py", "import prometheus_client\n")
    plant(tmp_path, "services/policy/metrics.py", "from prometheus_client import Counter\n")
    plant(tmp_path, "services/policy/app.py", "from collections import Counter\n")
    assert metrics_elsewhere(tmp_path) == ["services/policy/reader.py", "services/policy/writer.py"]
