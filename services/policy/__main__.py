"""Run the policy service: python -m services.policy."""

from __future__ import annotations

from services.common.auth.startup_check import refuse_to_start_open
from services.common.engine.model.idle_threads import wait_quietly
from services.common.engine.model.memory import keep_freed_memory
from services.common.http.server import serve
from services.policy.settings import PolicySettings

if __name__ == "__main__":
    settings = PolicySettings()
    refuse_to_start_open(settings, always=False)
    wait_quietly()
    keep_freed_memory()
    # Here, because it imports torch.
    from services.policy.app import policy_app

    serve(policy_app(settings), settings)
