"""Run the downstream service: python -m services.downstream."""

from __future__ import annotations

from services.common import garbage

garbage.look_for_none()

from services.common.auth.startup_check import refuse_to_start_open
from services.common.engine.process_tuning import tune_process, without_scikit_learn
from services.common.http.server import serve
from services.common.logs import configure_logging
from services.common.startup import read_settings
from services.downstream.settings import DownstreamSettings
from services.downstream.vllm import become_vllm

if __name__ == "__main__":
    settings = read_settings(DownstreamSettings)
    refuse_to_start_open(settings, always=False)
    configure_logging(settings.service, level=settings.log_level, form=settings.log_format)
    if settings.engine == "vllm":
        become_vllm(settings)
    tune_process()
    # Here, so that becoming vllm needs no torch in this environment.
    with without_scikit_learn():
        from services.downstream.app import downstream_app

    serve(downstream_app(settings), settings)
