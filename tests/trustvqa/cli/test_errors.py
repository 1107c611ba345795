"""Errors as a person reads them."""

from __future__ import annotations

import pytest
import typer

from trustvqa.cli.errors import fail


def test_a_message_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        fail("parser ward:x: [bold]no[/] such module", 3)
    assert ended.value.exit_code == 3
    assert capsys.readouterr().err == "error parser ward:x: [bold]no[/] such module\n"
