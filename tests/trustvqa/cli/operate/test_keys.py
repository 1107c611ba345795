"""`trustvqa keys`, and how commands show a key: run as a person runs them."""

from __future__ import annotations

import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from services.common.auth import Key, Keyring, Right, make_key
from services.common.auth.key import is_of
from services.common.auth.key_file import change_keys, read_keys
from services.common.auth.keyring import Refusal
from services.trainer.model_settings import ModelSettings
from trustvqa.cli.api_key import read_key, refusal
from trustvqa.cli.errors import CommandError
from trustvqa.cli.main import app as trustvqa
from trustvqa.cli.operate.keys import app as alone
from trustvqa.cli.operate.keys import read_time
from trustvqa.cli.runs.prediction_run import with_key

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def keys(*arguments: str | Path, status: int = 0) -> Result:
    done = CliRunner().invoke(trustvqa, ["keys", *map(str, arguments)], env={"COLUMNS": "160"})
    assert done.exit_code == status, done.output
    return done


def new(file: Path, name: str, *arguments: str) -> str:
    done = keys("new", "--file", file, "--name", name, *arguments)
    assert re.fullmatch(r"tvqa_[0-9a-f]{8}_[\w-]{43}\n", done.stdout)  # and nothing else, so that it can be piped
    assert done.stdout.strip() not in done.stderr
    return done.stdout.strip()


def test_a_key_is_made_listed_used_and_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    first = new(file, "ward 7", "--scope", "ask", "--scope", "feedback")
    second = new(file, "stack", "--scope", "ask", "--service", "policy", "--expires", "90d")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first not in file.read_text()
    ward, stack = read_keys(file).keys
    assert is_of(first, ward)
    assert ward.scopes == {Right.ASK, Right.FEEDBACK}
    assert (ward.services, ward.expires) == (None, None)
    assert stack.services == frozenset({"policy"})
    assert stack.expires is not None
    assert timedelta(days=89) < stack.expires - datetime.now(UTC) < timedelta(days=91)

    ring = Keyring(file, "gateway")
    assert isinstance(ring.find(first), Key)
    assert ring.find(second) is Refusal.UNKNOWN

    shown = keys("list", "--file", file).stdout
    for each in (ward.id, "ward 7", "ask, feedback", "never", stack.id, "policy", f"{stack.expires:%Y-%m-%d}"):
        assert each in shown
    assert ward.hash[7:20] not in shown

    keys("remove", "ward 7", "--file", file)
    ring.refresh()
    assert ring.find(first) is Refusal.UNKNOWN
    keys("remove", stack.id, "--file", file)
    assert read_keys(file).keys == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("new", "--name", "x", "--scope", "ask", "--expires", "2020-01-01"), "that is past"),
        (("new", "--name", "x", "--scope", "ask", "--expires", "soon"), "give days"),
        (("new", "--name", "x", "--scope", "ask", "--service", "gatway"), "no service gatway"),
        (("new", "--name", " ", "--scope", "ask"), "--name"),
        (("remove", "nobody"), "no key 'nobody'"),
        (("remove", "twin"), "2 keys are named 'twin'"),
        (("new", "--name", "Ward", "--scope", "ask"), "named 'Ward' already"),
        (("list", "--file", "absent.json"), "there is no file"),
        (("remove", "twin", "--file", "absent.json"), "there is no file"),
        (("new", "--name", "x", "--scope", "ask", "--file", "broken.json"), "does not hold keys"),
        (("show", "--first-key", "absent"), "keys new"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    arguments: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRUSTVQA_KEYS_FILE", "keys.json")
    new(Path("keys.json"), "ward", "--scope", "ask")
    # Earlier versions took two keys of one name.
    twins = (make_key("twin", [Right.ASK], created=NOW)[1] for _ in range(2))
    change_keys(Path("keys.json"), lambda keys: (*keys, *twins))
    Path("broken.json").write_text("{")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = keys(*arguments, status=1)
    assert says in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_unknown_scope_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    done = keys("new", "--file", tmp_path / "k", "--name", "x", "--scope", "root", status=2)
    assert all(right in done.stderr for right in Right)
    keys("new", "--file", tmp_path / "k", "--name", "x", status=2)
    assert not (tmp_path / "k").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", NOW + timedelta(days=90)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T08:00:00+02:00", datetime(2027, 1, 31, 6, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_people_write_them(text: str, expected: datetime) -> None:
    assert read_time(text, NOW) == expected


# --- The first start of a stack ---------------------------------------------------------------------------------------


def first(place: Path, status: int = 0) -> Result:
    arguments = ["first", "--how", "the command that shows it", "--file", place / "keys" / "keys.json"]
    arguments += ["--first-key", place / "first" / "key", "--stack-keys", place / "stack"]
    arguments += ["--metrics-key", place / "metrics" / "key"]
    done = CliRunner().invoke(alone, list(map(str, arguments)))
    assert done.exit_code == status, done.output
    return done


def test_the_first_start_makes_what_a_stack_needs_and_later_ones_change_nothing(tmp_path: Path) -> None:
    said = first(tmp_path).output
    texts = {path: path.read_text().strip() for path in tmp_path.rglob("*") if path.is_file()}
    file = tmp_path / "keys" / "keys.json"
    texts.pop(file)
    assert "the command that shows it" in said
    assert not any(text in said for text in texts.values())
    gateway, policy = Keyring(file, "gateway"), Keyring(file, "policy")

    def scopes(ring: Keyring, name: str) -> set[str]:
        found = ring.find(texts[tmp_path / name])
        return set(found.scopes) if isinstance(found, Key) else set()

    assert scopes(gateway, "first/key") == scopes(policy, "first/key") == {"admin"}
    assert scopes(gateway, "metrics/key") == scopes(policy, "metrics/key") == {"metrics"}
    stack = sorted(path.name for path in (tmp_path / "stack").iterdir())
    assert stack == [
        f"TRUSTVQA_{service}_{model}_API_KEY"
        for service in ("GATEWAY", "TRAINER")
        for model in ("DOWNSTREAM", "POLICY")
    ]
    for name in stack:
        assert (scopes(gateway, f"stack/{name}"), scopes(policy, f"stack/{name}")) == (set(), {"ask"})
    modes = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes["metrics"] == 0o755
    assert modes["metrics/key"] == 0o644
    assert {modes["keys/keys.json"], modes["first/key"], modes[f"stack/{stack[0]}"]} == {0o600}

    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()}
    assert "nothing was changed" in first(tmp_path).output
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before

    shown = CliRunner().invoke(alone, ["show", "--first-key", str(tmp_path / "first" / "key")])
    assert shown.stdout.strip() == texts[tmp_path / "first" / "key"]
    (tmp_path / "first" / "key").unlink()
    assert "the command that shows it" not in first(tmp_path).output


def test_a_first_start_that_was_cut_off_is_made_good(tmp_path: Path) -> None:
    first(tmp_path)
    (tmp_path / "keys" / "keys.json").unlink()
    old = (tmp_path / "first" / "key").read_text()
    first(tmp_path)
    new = (tmp_path / "first" / "key").read_text()
    assert new != old
    assert isinstance(Keyring(tmp_path / "keys" / "keys.json", "trainer").find(new.strip()), Key)


def test_a_broken_file_is_left_alone_at_a_later_start(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "keys.json").write_text("{")
    assert "does not hold keys" in first(tmp_path, status=1).output
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


# --- Showing a key ----------------------------------------------------------------------------------------------------


def test_a_command_s_key_comes_from_the_environment_or_a_file_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-the-file\n")
    assert read_key({}) is None
    assert read_key({"TRUSTVQA_API_KEY": "", "TRUSTVQA_API_KEY_FILE": ""}) is None
    assert read_key({"TRUSTVQA_API_KEY_FILE": str(file)}) == "from-the-file"
    assert read_key({"TRUSTVQA_API_KEY": " given ", "TRUSTVQA_API_KEY_FILE": str(file)}) == "given"
    for wrong in (tmp_path / "absent", tmp_path):
        with pytest.raises(CommandError, match="cannot be read"):
            read_key({"TRUSTVQA_API_KEY_FILE": str(wrong)})
    file.write_text("\n")
    with pytest.raises(CommandError, match="is empty"):
        read_key({"TRUSTVQA_API_KEY_FILE": str(file)})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:8082/v1", True),
        ("http://downstream:8082/v1", True),
        ("https://models.example/v1", False),
        ("https://10.0.0.7/v1", False),
    ],
)
def test_a_command_s_key_is_not_shown_to_strangers(url: str, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_API_KEY", "mine")
    settings = with_key(ModelSettings(downstream_url=url))
    assert settings.policy_api_key == SecretStr("mine")
    assert settings.downstream_api_key == (SecretStr("mine") if shown else None)
    named = with_key(ModelSettings(downstream_url=url, downstream_api_key=SecretStr("theirs")))
    assert named.downstream_api_key == SecretStr("theirs")


def test_a_refusal_says_which_scope_is_needed() -> None:
    body = {"type": "urn:trustvqa:problem:key-lacks-scope", "detail": "This key does not.", "scope": "admin"}
    said = refusal(403, body) or ""
    assert "scope admin" in said
    assert "TRUSTVQA_API_KEY" in said
    assert "TRUSTVQA_API_KEY" in (refusal(401, {"title": "Key required"}) or "")
    closed = {"type": "urn:trustvqa:problem:administration-closed", "detail": "Closed."}
    assert refusal(403, closed) == "Closed."
    assert refusal(422, body) is None
    assert refusal(403, "x") is None
