"""Runs the gateway: python -m services.gateway."""

from services.common import garbage

garbage.look_for_none()

import sys

from services.common.auth.startup_check import refuse_to_start_open
from services.common.http.server import serve
from services.common.http.workers import serve_by_workers
from services.common.logs import configure_logging
from services.common.process_memory import give_back_large_blocks
from services.common.startup import STATUS, read_settings
from services.gateway.app import create_gateway
from services.gateway.errors import SampleFolderError
from services.gateway.settings import GatewaySettings
from services.gateway.web.samples.chosen import PageSamples

if __name__ == "__main__":
    settings = read_settings(GatewaySettings)
    refuse_to_start_open(settings, always=True)
    configure_logging(settings.service, level=settings.log_level, form=settings.log_format)
    try:
        if settings.workers > 1:
            PageSamples(settings)  # a fault of theirs is told once, and not by each worker
            serve_by_workers(create_gateway, settings.for_one_worker(), settings.workers)
        else:
            give_back_large_blocks()
            serve(create_gateway(settings), settings)
    except SampleFolderError as error:
        sys.stderr.write(f"error: page_samples_folder: {error}\n")
        sys.exit(STATUS)
