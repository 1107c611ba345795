"""`trustvqa send`: stores an answer's report in a picture archive, beside the instance that was asked about."""

from __future__ import annotations

import os
from io import BytesIO
from typing import Annotated, Final
from urllib.parse import quote

import typer

from services.common.pacs.archive import DEADLINE_S, Archive, PacsCredentials
from services.common.pacs.errors import PacsError
from services.common.pacs.reports import store_report
from trustvqa.cli.addresses import GatewayAddress, checked_address
from trustvqa.cli.errors import fail
from trustvqa.cli.output import AsJson, print_result
from trustvqa.cli.running_stack import default_address
from trustvqa.cli.service_client import asking, read_reply

_REPORT: Final = "application/dicom"
_VARIABLES: Final = ("TRUSTVQA_PACS_TOKEN", "TRUSTVQA_PACS_USER", "TRUSTVQA_PACS_PASSWORD")


def send(
    answer_id: Annotated[str, typer.Argument(help="The answer's id, as the reply gave it.", metavar="ID")],
    to: Annotated[
        str,
        typer.Option(
            metavar="URL",
            callback=checked_address,
            help="DICOMweb root of the archive that holds the instance, such as http://pacs/dicom-web.",
        ),
    ],
    gateway: GatewayAddress = None,
    deadline: Annotated[float, typer.Option(help="Longest wait for a reply of the archive, in seconds.")] = DEADLINE_S,
    as_json: AsJson = False,
) -> None:
    """Store an answer's report in a picture archive (PACS), beside the instance that was asked about.

    Patient and study are copied from that instance, as the archive has it. The archive is shown the token in
    TRUSTVQA_PACS_TOKEN, or the user and password in TRUSTVQA_PACS_USER and
    TRUSTVQA_PACS_PASSWORD. Sent again, the report is the same object.
    """
    from pydicom import dcmread

    with asking(gateway or default_address("gateway"), "a TrustVQA gateway") as service:
        response = service.get(f"/vqa/{quote(answer_id, safe='')}", headers={"Accept": _REPORT})
        if not response.is_success or response.headers.get("content-type") != _REPORT:
            read_reply(response)
        report = dcmread(BytesIO(response.content))
        token, user, password = (os.environ.get(name) or None for name in _VARIABLES)
        try:
            store_report(Archive(to, PacsCredentials(token, user, password), deadline_s=deadline), report)
        except PacsError as error:
            fail(str(error))
    kept = {"id": answer_id, "sop_instance_uid": str(report.SOPInstanceUID), "study_uid": str(report.StudyInstanceUID)}
    print_result(kept, lambda _: f"stored: {kept['sop_instance_uid']}", as_json=as_json)
