"""A setting that no service knows is noticed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.k8s.cases import case_of
from tests.k8s.mistakes import CONFIG, CONTAINER, GONE, POD, Mistake, ids, more, planted, text
from tests.k8s.settings import settings_faults

UNKNOWN: list[Mistake] = [
    ("ConfigMap", "trustvqa", CONFIG, text("policy_url", "polcy_url"), "gateway knows no setting polcy_url"),
    ("ConfigMap", "trustvqa", CONFIG, text("\ngateway:", "\ngatway:"), "unknown section gatway"),
    ("ConfigMap", "trustvqa", CONFIG, text("port: 8080", "port: 80800"), "port: Input should be less than"),
    ("ConfigMap", "trustvqa", CONFIG, text("port: 8081", "port: 8181"), "listens on 8181, which is none of its ports"),
    ("ConfigMap", "trustvqa", CONFIG, text("http://policy:", "http://polici:"), "there is no Service polici"),
    ("ConfigMap", "trustvqa", CONFIG, text("http://policy:8081", "http://policy:8082"), "policy has no port 8082"),
    ("ConfigMap", "trustvqa", CONFIG, text("8082/v1", "8082"), "downstream_url: the path is ''"),
    ("ConfigMap", "trustvqa", CONFIG, text("host: 0.0.0.0", "host: 127.0.0.1"), "listens on 127.0.0.1"),
    ("ConfigMap", "trustvqa", CONFIG, text("lib/trustvqa/registry", "registry"), "registry is /var/registry"),
    ("ConfigMap", "trustvqa", CONFIG, text("claim: data", "claim: datas"), "runs see datas at"),
    ("ConfigMap", "trustvqa", CONFIG, text("grace_s: 60", "grce_s: 60"), "trainer knows no setting cancel_grce_s"),
    ("ConfigMap", "trustvqa", CONFIG, text("    grace_s: 60", "    grce_s: 60"), "kubernetes.grce_s: Extra inputs"),
    ("ConfigMap", "trustvqa", CONFIG, text("default_config: trustvqa", "default_config: embedded"), "is not mounted"),
    ("ConfigMap", "trustvqa", CONFIG, text("learning_rate", "learning_rat"), "training.update.learning_rat"),
    (
        "Deployment",
        "gateway",
        f"{CONTAINER} env",
        more({"name": "TRUSTVQA_GATEWAY_MAX_WAITNG", "value": "1"}),
        "MAX_WAITNG",
    ),
    (
        "Deployment",
        "policy",
        f"{CONTAINER} env",
        more({"name": "TRUSTVQA_GATEWAY_PORT", "value": "1"}),
        "policy knows no",
    ),
    (
        "Deployment",
        "policy",
        f"{CONTAINER} env",
        more({"name": "TRUSTVQA_POLICY_PORT", "value": "many"}),
        "port: Input",
    ),
    ("Deployment", "policy", f"{CONTAINER} env HF_HUB_OFFLINE name", "HF_HUB_OFLINE", "nothing reads the variable"),
    ("Deployment", "policy", f"{CONTAINER} env TRUSTVQA_CONFIG value", "/etc/x.yaml", "names /etc/x.yaml, which no"),
    (
        "Deployment",
        "trainer",
        f"{CONTAINER} env TRUSTVQA_SECRETS value",
        "/run/secret",
        "where no Secret puts anything",
    ),
    ("Deployment", "trainer", f"{CONTAINER} env TRUSTVQA_SECRETS", GONE, "has secrets and no TRUSTVQA_SECRETS"),
    (
        "Deployment",
        "trainer",
        f"{POD} volumes secrets secret items 0 path",
        "TRUSTVQA_TRAINER_TOKEN",
        "no setting TRUSTVQA_TRAINER_TOKEN",
    ),
    (
        "Deployment",
        "policy",
        f"{POD} volumes keys secret items 0 path",
        "key.json",
        "keys are /run/keys/keys.json, where",
    ),
    ("Deployment", "gateway", f"{CONTAINER} volumeMounts keys subPath", "keys.json", "would never change"),
    ("Deployment", "downstream", f"{CONTAINER} volumeMounts keys mountPath", "/run/key", "where no Secret puts"),
    ("Deployment", "policy", f"{CONTAINER} image", "trustvqa/polcy:1", "unknown service polcy"),
    ("Deployment", "policy", f"{CONTAINER} volumeMounts registry readOnly", True, "which is no volume to write to"),
    (
        "Deployment",
        "gateway",
        f"{CONTAINER} env TRUSTVQA_GATEWAY_RECORDS_URL value",
        "sqlite:///var/records.db",
        "records_url is sqlite:///var/records.db, which is on no volume",
    ),
    ("Deployment", "trainer", f"{CONTAINER} image", "trustvqa/trainer:2", "runs have the image trustvqa/trainer:0.1.0"),
    (
        "Deployment",
        "trainer",
        f"{CONTAINER} env TRUSTVQA_TRAINER_KUBERNETES value",
        text("image", "imgae"),
        "kubernetes.imgae: Extra inputs",
    ),
    ("Deployment", "policy-engine", f"{CONTAINER} args", more("--max-num-sequences=1"), "knows no --max-num-sequences"),
    ("Deployment", "policy-engine", f"{CONTAINER} args", lambda held: ["Qwen/Qwen2", *held[1:]], "have to be fetched"),
    (
        "Deployment",
        "downstream",
        f"{CONTAINER} args",
        lambda held: [each for each in held if "media-domains" not in each],
        "leaves out --allowed-media-domains",
    ),
    ("Job", "batch-evaluation", f"{CONTAINER} command", more("--shards=1/2"), ""),
    ("Job", "batch-evaluation", f"{CONTAINER} command", more("--concurency=1"), "evaluate knows no --concurency"),
    ("Job", "records-upgrade", f"{CONTAINER} command 2", "services.gateway.recods", "there is no module"),
    ("Job", "records-upgrade", f"{CONTAINER} image", "trustvqa/gatway:0.1.0", "image of an unknown service gatway"),
    ("Job", "batch-evaluation", f"{CONTAINER} env 0 value", "/etc/trustvqa/x.yaml", "which no ConfigMap puts there"),
    (
        "JobSet",
        "training",
        "spec replicatedJobs workers template spec template spec containers 0 args",
        lambda held: [each.replace("services.trainer.grpo", "services.trainer.gpro") for each in held],
        "there is no module services.trainer.gpro",
    ),
    ("ConfigMap", "batch-evaluation", "data evaluation.yaml", text("top_p", "topp"), "trainer knows no setting topp"),
    ("ConfigMap", "training", "data training.yaml", text("runs:", "run:"), "trainer knows no setting run"),
]


@pytest.mark.parametrize(("kind", "name", "path", "value", "said"), UNKNOWN, ids=ids(UNKNOWN))
def test_a_setting_that_no_service_knows_is_noticed(kind: str, name: str, path: str, value: Any, said: str) -> None:
    case = "gpu" if "args" in path and kind == "Deployment" else case_of(kind, name)
    faults = settings_faults(planted(case, kind, name, path, value))
    if not said:
        # An option that there is, so that what is refused above is the misspelling.
        assert not [fault for fault in faults if "knows no" in fault]
        return
    assert any(said in fault for fault in faults), faults
