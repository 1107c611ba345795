"""Run the policy service: python -m services.policy."""

from __future__ import annotations

from services.common import garbage

garbage.look_for_none()

from services.common.auth.startup_check import refuse_to_start_open
from services.common.engine.process_tuning import tune_process
from services.common.http.server import serve
from services.common.logs import configure_logging
from services.common.startup import read_settings
from services.policy.settings import PolicySettings

if __name__ == "__main__":
    settings = read_settings(PolicySettings)
    refuse_to_start_open(settings, always=False)
    configure_logging(settings.service, level=settings.log_level, form=settings.log_format)
    tune_process()
    # Here, because it imports torch.
    from services.policy.app import policy_app

    serve(policy_app(settings), settings)
