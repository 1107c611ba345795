"""Files of packages that images leave out, and byte code of those that stay."""

from __future__ import annotations

from pathlib import Path

from deploy.trim import compile_all, trim


def put(site: Path, *names: str) -> None:
    for name in names:
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("VALUE = 1\n")


def files(site: Path) -> set[str]:
    return {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}


def test_tests_headers_and_idle_programs_go_and_nothing_else(tmp_path: Path) -> None:
    kept = {
        "numpy/__init__.py",
        "numpy/_core/tests/__init__.py",
        "numpy/_core/tests/_natype.py",
        "numpy/testing/_private/utils.py",
        "torch/bin/torch_shm_manager",
        "torch/testing/__init__.py",
        "other/tests/cases.py",
        "tests/of_nobody.py",
    }
    gone = {
        "numpy/_core/tests/test_api.py",
        "numpy/_core/tests/data/deep/file.csv",
        "pandas/tests/frame/test_frame.py",
        "sympy/core/tests/test_basic.py",
        "torch/include/ATen/core.h",
        "torch/test/test_all.py",
        "torch/bin/protoc",
    }
    put(tmp_path, *kept, *gone)
    trim(tmp_path)
    assert files(tmp_path) == kept
    trim(tmp_path)  # the next layer's turn
    assert files(tmp_path) == kept


def test_byte_code_is_made_of_what_may_be_imported_and_only_once(tmp_path: Path) -> None:
    models = "transformers/models"
    put(
        tmp_path,
        "a.py",
        f"{models}/__init__.py",
        f"{models}/auto/x.py",
        f"{models}/qwen2_vl/x.py",
        f"{models}/bert/x.py",
    )
    assert compile_all(tmp_path)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pyc")}
    assert {path.parent.parent.relative_to(tmp_path).as_posix() for path in made} == {
        ".",
        f"{models}/auto",
        f"{models}/qwen2_vl",
    }
    # A layer above must not store again what one below holds.
    assert compile_all(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pyc")} == made
    put(tmp_path, "broken.py")
    (tmp_path / "broken.py").write_text("def")
    assert not compile_all(tmp_path)
