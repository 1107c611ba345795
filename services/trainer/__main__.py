"""Run the trainer service: python -m services.trainer."""

from __future__ import annotations

from services.common import garbage

garbage.look_for_none()

from services.common.auth.startup_check import refuse_to_start_open
from services.common.http.server import serve
from services.common.logs import configure_logging
from services.common.startup import read_settings
from services.trainer.app import trainer_app
from services.trainer.settings import TrainerSettings

if __name__ == "__main__":
    settings = read_settings(TrainerSettings)
    refuse_to_start_open(settings, always=True)
    configure_logging(settings.service, level=settings.log_level, form=settings.log_format)
    serve(trainer_app(settings), settings)
