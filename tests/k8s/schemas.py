"""Checks that an API server of a given version would take the documents, by its published schemas."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import jsonschema
from kubernetes_validate import utils
from referencing import Registry, Resource

from tests.k8s.documents import Document

NEWEST = tuple(dict.fromkeys(utils.major_minor(version) for version in utils.all_versions()))[-3:]
# Kinds that come with other software: no schema here, so that kind, version and the keys below are checked.
CUSTOM = {
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "JobSet": "jobset.x-k8s.io/v1alpha2",
    "ScaledObject": "keda.sh/v1alpha1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
}
# Of these kinds, the keys that are in use, by their projects' documentation: whatever else stands there is taken for a
# misspelling. None is for what is looked at elsewhere, or may be anything.
_Keys = dict[str, Any]
_SHAPES: dict[str, _Keys] = {
    "HTTPRoute": {
        "parentRefs": {"name": None, "namespace": None, "sectionName": None},
        "hostnames": None,
        "rules": {
            "matches": {"path": {"type": None, "value": None}},
            "timeouts": {"request": None},
            "backendRefs": {"name": None, "port": None},
        },
    },
    "JobSet": {
        "failurePolicy": {"maxRestarts": None},
        "network": {"enableDNSHostnames": None, "subdomain": None},
        "replicatedJobs": {
            "name": None,
            "replicas": None,
            "dependsOn": {"name": None, "status": None},
            "template": {"spec": None},
        },
    },
    "ScaledObject": {
        "scaleTargetRef": {"name": None},
        "minReplicaCount": None,
        "maxReplicaCount": None,
        "pollingInterval": None,
        "cooldownPeriod": None,
        "fallback": {"failureThreshold": None, "replicas": None, "behavior": None},
        "advanced": {
            "horizontalPodAutoscalerConfig": {
                "behavior": {
                    "scaleDown": {
                        "stabilizationWindowSeconds": None,
                        "policies": {"type": None, "value": None, "periodSeconds": None},
                    }
                }
            }
        },
        "triggers": {
            "type": None,
            "metricType": None,
            "metadata": {"serverAddress": None, "query": None, "threshold": None},
        },
    },
    "ServiceMonitor": {
        "selector": {"matchLabels": None},
        "endpoints": {
            **{"port": None, "path": None, "interval": None, "scrapeTimeout": None},
            "authorization": {"credentials": {"name": None, "key": None}},
        },
    },
}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} | {
    f"{letter}i": 1024.0 ** (power + 1) for power, letter in enumerate("KMGT")
}


@cache
def _validator(kind: str, version: str, api_version: str) -> Any:
    """A kept validator: `kubernetes_validate.validate` makes one for each document, which takes most of its time."""
    folder = next(each for each in reversed(utils.all_versions()) if utils.major_minor(each) == version)
    folder = f"kubernetes-json-schema/v{folder}-local-strict"
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    schema = utils.schema_contents(f"{folder}/{kind.lower()}-{group}.json", version)
    return jsonschema.Draft202012Validator(schema, registry=_registry(folder, version))


@cache
def _registry(folder: str, version: str) -> Any:
    definitions = utils.schema_contents(f"{folder}/_definitions.json", version)
    return Resource.from_contents(definitions) @ Registry()


def schema_faults(documents: list[Document], version: str) -> list[str]:
    """Whatever a version's API server would refuse."""
    return [fault for document in documents for fault in _document_faults(document, version)]


def _document_faults(document: Document, version: str) -> list[str]:
    name = f"{document['kind']} {document['metadata']['name']}"
    if not _NAME.fullmatch(document["metadata"]["name"]):
        return [f"{name}: not a name"]
    kind, api_version = document["kind"], document["apiVersion"]
    if kind in CUSTOM:
        faults = [] if CUSTOM[kind] == api_version else [f"{name}: apiVersion {api_version}, not {CUSTOM[kind]}"]
        faults += [f"{name}: nobody knows {path}" for path in _unknown(document["spec"], _SHAPES[kind], "spec")]
        if kind == "JobSet":
            # A JobSet holds Jobs, for which there is a schema.
            for each in document["spec"]["replicatedJobs"]:
                job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": each["name"]}}
                faults += _document_faults(job | {"spec": each["template"]["spec"]}, version)
        return faults
    try:
        validator = _validator(kind, version, api_version)
    except FileNotFoundError:
        return [f"{name}: Kubernetes {version} has no {kind} {api_version}"]
    return [
        f"{name}: {'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in validator.iter_errors(document)
    ]


def _unknown(found: Any, known: _Keys | None, path: str) -> list[str]:
    """Name the keys that are not known; lists are gone through."""
    if known is None:
        return []
    if isinstance(found, list):
        return [each for thing in found for each in _unknown(thing, known, path)]
    strange = [f"{path}.{key}" for key in found if key not in known]
    return strange + [
        each for key in found if key in known for each in _unknown(found[key], known[key], f"{path}.{key}")
    ]


def quantity(text: str) -> float | None:
    """Read a quantity of resources, or None if it is none."""
    found = _QUANTITY.fullmatch(text)
    return None if found is None else float(found[1]) * _UNITS.get(found[2], 1.0)
