"""The sections of the model card, under headings that regulators list (docs/audit.md has the table)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.metadata import metadata

from services.common.http.health import revision, software_version
from services.gateway.model_card.evidence import CardEvidence, figures_of, read_evidence
from services.gateway.model_card.schemas import CardItem, CardSection, ModelCard
from services.gateway.settings import GatewaySettings

_MOST = 40
"""Most warnings and data sets that are listed."""


def make_card(settings: GatewaySettings, now: datetime) -> ModelCard:
    """Make the card of the models that answer now; reads files, and so belongs in a thread.

    Args:
        settings: The gateway's.
        now: The present time, with its zone.
    """
    evidence = read_evidence(settings)
    figures = list(figures_of(evidence))
    return ModelCard(
        made=now,
        downstream=settings.downstream_model,
        policy=evidence.policy,
        answer_template=evidence.template,
        sections=[
            _identity(settings, evidence),
            _use(settings),
            _data(settings, evidence),
            CardSection(
                id="performance",
                heading="Performance",
                items=_unless(figures, "Measured performance", "registry"),
                figures=figures,
            ),
            _limits(settings, evidence),
            _oversight(settings),
            _licences(),
        ],
    )


def _identity(settings: GatewaySettings, evidence: CardEvidence) -> CardSection:
    names = [
        ("Software", f"trustvqa {software_version()}", "software"),
        ("Revision of the software", revision(), "software"),
        ("Who answers for this service, and how to reach them", None, "nowhere recorded"),
        ("Who made the downstream model, and when", None, "nowhere recorded"),
        ("Downstream model", settings.downstream_model, "setting downstream_model"),
        *(
            [("Second downstream model", settings.second_downstream_model, "setting second_downstream_model")]
            if settings.second_downstream_model is not None
            else []
        ),
        ("Policy version", evidence.policy, "registry: active.json"),
        ("Wording", settings.answer_template, "setting answer_template"),
        ("Methods", ", ".join(settings.methods), "setting methods"),
        ("What is live was last changed", evidence.changed, "registry: activations.jsonl"),
    ]
    items = [CardItem(name=name, value=value, source=source) for name, value, source in names]
    for kind, found in (("Calibrator", evidence.calibrators), ("Guard", evidence.guards)):
        items += [
            CardItem(
                name=f"{kind} for {each.key.estimator}",
                value=f"{each.name}, made {each.created:%Y-%m-%d}",
                source=f"registry: {kind.lower()}s/{each.name}.json",
            )
            for each in found
        ]
        items += _unless(found, f"{kind}s of this pair", "registry")
    return CardSection(id="identity", heading="Identity and versions", items=items)


def _use(settings: GatewaySettings) -> CardSection:
    risk = None if settings.max_risk is None else f"{settings.max_risk:g} of the answers that are given may be wrong"
    least = f"confidence of {settings.confidence_threshold:g} at least" if settings.max_risk is None else None
    items = [
        ("Intended use, users and patients", settings.intended_use, "setting intended_use"),
        ("Notice to users", settings.notice_text, "setting notice"),
        ("Benefit that was shown", None, "nowhere recorded"),
        (
            "Place in the workflow",
            "Asked by an application, a record system or a picture archive's listener",
            "software",
        ),
        ("Role in decisions", "It informs a person, who decides; it replaces nobody", "software"),
        ("Input", "A picture, a question and, as a rule, the options for its answer", "software"),
        (
            "Pictures that are taken",
            f"{settings.min_image_side} pixels a side at least, {settings.max_image_pixels} in all at most",
            "settings min_image_side, max_image_pixels",
        ),
        ("Output", "An answer with a confidence, or a deferral to a person; both with their ground", "software"),
        (
            "Kind of output",
            "A choice among the question's options with the probability that it is right; a text where there are none",
            "software",
        ),
        (
            "How an answer comes about",
            "A policy writes guidance on certainty, the downstream model answers, a calibrator corrects its "
            "confidence, a rule gives the answer or leaves it to a person",
            "software",
        ),
        (
            "How a confidence is read",
            "Of 100 answers with a calibrated confidence of 0.8 about 80 are right; one that is not says nothing",
            "software",
        ),
        ("Risk that is accepted where requests do not say", risk or least, "setting max_risk"),
        ("Out of scope", "Decisions that no person takes: a deferral has to reach one", "software"),
    ]
    return _section("use", "Intended use", items)


def _data(settings: GatewaySettings, evidence: CardEvidence) -> CardSection:
    items: list[CardItem] = []
    told = evidence.provenance.get("data")
    for part, data in list(told.items())[:_MOST] if isinstance(told, dict) else ():
        if isinstance(data, dict) and data.get("name"):
            value = f"{data['name']}, n = {data.get('n', 'unknown')}"
            source = f"registry: policies/{evidence.policy}/provenance.json"
            items.append(CardItem(name=f"Policy's {part} data", value=value, source=source))
    items += _unless(items, "Data that the policy was trained on", "registry")
    items.append(CardItem(name="Data that the downstream model was trained on", value=None, source="nowhere recorded"))
    for each in evidence.calibrators:
        source = f"registry: calibrators/{each.name}.json"
        items.append(CardItem(name="Calibrator's data", value=f"{each.dataset}, n = {each.n}", source=source))
    for guard in evidence.guards:
        source = f"registry: guards/{guard.name}.json"
        apart = ", one a picture at most" if guard.unit == "picture" else ""
        items.append(CardItem(name="Guard's data", value=f"{guard.dataset}, n = {guard.rows}{apart}", source=source))
        if guard.by_group is not None:
            promised = [", ".join(each.values) for each in guard.by_group.groups if each.risk is not None]
            value = f"by {', '.join(guard.by_group.strata)}: {'; '.join(promised) or 'none'}; all others are deferred"
            items.append(CardItem(name="Groups that the guard promises in", value=value, source=source))
    for reference in evidence.references:
        source = f"registry: references/{reference.name}.json"
        value = f"{reference.dataset}, n = {reference.n}"
        items.append(CardItem(name="Data that questions are compared with", value=value, source=source))
    for nobody in (
        "Ages, sexes, origins and devices in these data",
        "Whom these data include and exclude",
        "How near these data are to where the service runs",
    ):
        items.append(CardItem(name=nobody, value=None, source="nowhere recorded"))
    but = ", but for sex and age, of which groups are made" if settings.dicom_groups.reads_sex_and_age else ""
    attributes = (
        "Nothing of a person is read but what picture, question and the groups that requests name show; DICOM's "
        f"attributes of patients are not{but}"
    )
    items.append(CardItem(name="Race, sex, age and other attributes as input", value=attributes, source="software"))
    return CardSection(id="data", heading="Data", items=items)


def _limits(settings: GatewaySettings, evidence: CardEvidence) -> CardSection:
    items = [
        (
            "Where promises end",
            "At questions unlike those that calibrators and guards were made from, beyond an atypicality of "
            f"{settings.atypicality_limit:g}: these are deferred",
            "setting atypicality_limit",
        ),
        (
            "Known risks",
            "Wrong answers that are sure; calibration that no longer holds as questions change",
            "software",
        ),
        ("Performance by age, sex, origin or device", None, "nowhere recorded"),
        ("What was done against bias", None, "nowhere recorded"),
        ("Validation in a clinic", None, "nowhere recorded"),
        ("Who validated it elsewhere, on whose data", None, "nowhere recorded"),
        ("Effect on patients' outcomes", None, "nowhere recorded"),
        (
            "Who may ask",
            "Whoever shows a key or a token" if settings.asks_who else "Whoever reaches the service",
            "settings api_keys, oidc_issuer",
        ),
    ]
    warnings = [
        CardItem(name=f"Warning of {name}", value=text, source="registry")
        for name, texts in _warnings(evidence)
        for text in texts
    ]
    if evidence.problem is not None:
        warnings.insert(0, CardItem(name="Registry", value=evidence.problem, source="registry"))
    section = _section("limits", "Limits and warnings", items)
    return section.model_copy(update={"items": [*section.items, *warnings[:_MOST]]})


def _warnings(evidence: CardEvidence) -> list[tuple[str, list[str]]]:
    return [
        *((each.name, each.warnings) for each in evidence.calibrators),
        *((each.name, each.warnings) for each in evidence.guards),
        *((each.name, each.warnings) for each in evidence.references),
    ]


def _oversight(settings: GatewaySettings) -> CardSection:
    kept = bool(settings.records_url.get_secret_value())
    days = f"{settings.audit_days} days" if settings.audit_days else "for ever"
    watched = (
        f"People's reviews; an alarm where calibrated confidence is off by more than {settings.monitor_tolerance:g}: "
        "/calibration"
    )
    withheld = "Answers are left to people while an alarm stands" if settings.alarm_withholds else "Answers go on"
    items = [
        ("Human oversight", "What is not sure enough is deferred to a person; people review answers", "software"),
        ("Monitoring", watched if kept else None, "setting monitor_tolerance"),
        (
            "Differences between groups",
            "Reviewed answers by the groups that requests name: /calibration" if kept else None,
            "setting monitor_groups",
        ),
        ("While an alarm stands", withheld if kept else None, "setting alarm_withholds"),
        ("Records", f"{settings.record_days} days" if kept and settings.record_days else None, "setting record_days"),
        ("Log of events", f"An audit log that proves itself, kept {days}" if kept else None, "setting audit_days"),
        ("Updates", "By people alone, from reviewed answers or training; nothing changes by itself", "software"),
        ("How often it is updated", None, "nowhere recorded"),
        ("Computing resources and expected lifetime", None, "nowhere recorded"),
        ("Taking a change back", "Earlier calibrators and policy versions stay and can be made live again", "software"),
    ]
    return _section("oversight", "Oversight, monitoring and logging", items)


def _licences() -> CardSection:
    told = metadata("trustvqa").json
    licence = told.get("license_expression") or told.get("license")
    items = [
        ("Software", str(licence) if licence else None, "software"),
        ("Downstream model", None, "nowhere recorded"),
        ("Policy", None, "nowhere recorded"),
        ("Funding and conflicts of interest", None, "nowhere recorded"),
    ]
    return _section("licences", "Licences and funding", items)


def _section(name: str, heading: str, items: Iterable[tuple[str, str | None, str]]) -> CardSection:
    made = [CardItem(name=each, value=value, source=source) for each, value, source in items]
    return CardSection(id=name, heading=heading, items=made)


def _unless(found: Sequence[object], name: str, source: str) -> list[CardItem]:
    """Make the statement that nothing is known, where nothing was found."""
    return [] if found else [CardItem(name=name, value=None, source=source)]
