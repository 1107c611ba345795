"""Objects that an archive sends by C-STORE are answered once each, whoever is killed between."""

from __future__ import annotations

from pathlib import Path

from tests.services.listener.conftest import MakeListener
from tests.services.listener.orthanc import PLANTED, Orthanc, slices
from tests.services.listener.test_round_trip import check_reports
from tests.support.servers import free_port
from tests.support.waiting import wait_until

COUNT = 4


def test_what_an_archive_sends_has_one_report_each(
    orthanc: Orthanc, gateway_url: str, make_listener: MakeListener, tmp_path: Path
) -> None:
    files = slices(COUNT)
    port, received = free_port(), tmp_path / "received"
    sending = {"store_port": port, "store_callers": '["ORTHANC"]', "looks": False, "received": received, "at_once": 1}
    with make_listener(orthanc, gateway_url, **sending) as listener:
        orthanc.store(*files[: COUNT // 2])
        assert not orthanc.send(port)  # nobody listens yet
        listener.start()
        wait_until(lambda: orthanc.send(port), 90)
        listener.kill()  # what it said that it has it must have

        orthanc.store(*files[COUNT // 2 :])
        assert not orthanc.send(port)
        listener.start()
        wait_until(lambda: orthanc.send(port), 90)  # half of them for the second time
        orthanc.stop(kill=True)
        listener.kill()
        orthanc.start()
        listener.start()
        listener.wait_for("stored", COUNT)
        assert orthanc.send(port)
        wait_until(lambda: listener.metric('listener_received_total{outcome="known"}') == COUNT)
        assert list(received.glob("*.dcm")) == []
        assert listener.metric('listener_jobs{stage="stored"}') == COUNT
        listener.kill()
    check_reports(orthanc.reports(), files, gateway_url, tmp_path)
    kept = (tmp_path / "listener.log").read_bytes() + (tmp_path / "listener" / "state.db").read_bytes()
    assert [each for each in PLANTED.values() if each.encode() in kept] == []
