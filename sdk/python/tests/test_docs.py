"""The pages about this package: every Python block runs as it stands, and nothing is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import PROJECT, ROOT
from examples import Example, output_of, python_blocks, run_program
from illuminator import __version__, exceptions
from illuminator.convert.command import _parser

PAGE = ROOT / "docs" / "python-sdk.md"
BLOCKS = [(page, block) for page in (PAGE, PROJECT / "README.md") for block in python_blocks(page)]


@pytest.mark.parametrize(
    "block", [block for _, block in BLOCKS], ids=[f"{page.stem}-{one.name}" for page, one in BLOCKS]
)
def test_a_block_runs(block: Example, url: str, tmp_path: Path) -> None:
    if "import torch" in block.code:
        pytest.importorskip("torch", reason="torch is not installed [needs torch]")
        pytest.importorskip("safetensors", reason="no safetensors [needs torch]")
    assert output_of(run_program(block.code, url, tmp_path)).strip() != ""


def test_the_page_names_every_exception_and_option() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in exceptions.__all__ if f"`{name}`" not in text] == []
    options = {option for action in _parser()._actions for option in action.option_strings} - {
        "-h",
        "--help",
        "--version",
        "--key",
    }
    assert [option for option in options if option not in text] == []


def test_the_changelog_tells_of_this_version() -> None:
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(__version__)}$", changes, re.MULTILINE)
