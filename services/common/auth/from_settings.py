"""A service's credentials and their metrics, made from its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.common.auth.credentials import Credentials
from services.common.auth.key import Right
from services.common.auth.keyring import Keyring
from services.common.auth.metrics import AuthenticationMetrics
from services.common.auth.tokens.issuer_keys import IssuerKeys, KeyTiming
from services.common.auth.tokens.issuer_source import IssuerSource
from services.common.auth.tokens.signed_claims import TokenRules
from services.common.auth.tokens.smart_scopes import ScopeTable
from services.common.auth.tokens.subjects import SubjectNames
from services.common.auth.tokens.token_judge import OidcJudge, TokenJudge
from services.common.settings import ServiceSettings


def credentials_from(
    settings: ServiceSettings, metrics: AuthenticationMetrics, more: Sequence[TokenJudge] = ()
) -> Credentials | None:
    """Make the credentials that a service takes; None where it asks nobody who he is.

    Args:
        settings: The service's settings.
        metrics: Shows the state of keys and issuers' keys.
        more: Judges of further tokens, which are asked first.

    Raises:
        KeysError: If the settings name a file of keys that cannot be read.
    """
    keyring = Keyring(settings.api_keys, settings.service) if settings.api_keys is not None else None
    if keyring is not None:
        metrics.follow(keyring)
    judges = list(more)
    if settings.oidc_issuer is not None:
        judge = _oidc_judge(settings, settings.oidc_issuer, metrics.note_reading)
        metrics.follow_issuer(judge.keys)
        judges.append(judge)
    return Credentials(keyring, tuple(judges)) if keyring is not None or judges else None


def _oidc_judge(settings: ServiceSettings, issuer: str, noted: Callable[[bool], None]) -> OidcJudge:
    assert settings.oidc_audience is not None  # noqa: S101 - the settings see to it
    assert settings.oidc_subject_secret is not None  # noqa: S101 - the same
    keys = IssuerKeys(
        IssuerSource(issuer, settings.oidc_jwks_url), settings.oidc_algorithms, timing_from(settings), noted=noted
    )
    rules = TokenRules(
        issuer, (settings.oidc_audience,), tuple(settings.oidc_algorithms), leeway_s=settings.oidc_leeway_s
    )
    table = ScopeTable({scope: frozenset(map(Right, rights)) for scope, rights in settings.oidc_scopes.items()})
    return OidcJudge(keys, rules, table, SubjectNames(settings.oidc_subject_secret.get_secret_value()))


def timing_from(settings: ServiceSettings) -> KeyTiming:
    """Give the times at which issuers' keys are read."""
    return KeyTiming(
        refresh_s=settings.oidc_refresh_s,
        retry_s=min(10.0, settings.oidc_refresh_s),
        unknown_s=settings.oidc_unknown_key_s,
        stale_s=settings.oidc_stale_s,
    )
