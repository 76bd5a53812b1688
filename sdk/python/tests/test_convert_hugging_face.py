"""State dicts with Hugging Face's names become the folders they would be there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import NODE, ROOT, SERVER_ENVIRONMENT, SHARED
from illuminator.convert import ConvertError, convert
from tiny_models import llama, numbers, read, same, torch

FAMILIES = (
    "llama",
    "llama-mha-untied",
    "mistral",
    "qwen2",
    "qwen3",
    "smollm3",
    "granite",
    "olmo2",
    "gemma2",
    "gemma3",
    "gpt2",
)


@pytest.mark.skipif(SHARED is None, reason="no models beside this checkout [needs ../shared]")
@pytest.mark.parametrize("name", FAMILIES)
def test_models_with_hugging_faces_names_come_out_as_they_are(
    name: str, save: Any, tmp_path: Path
) -> None:
    assert SHARED is not None
    source = SHARED / "goldens" / "tiny" / name
    config, state = read(source)
    done = convert(save({"state_dict": state}), tmp_path / "out", config=source / "config.json")
    written, tensors = read(tmp_path / "out")
    assert same(tensors, state)
    assert {**config, "torch_dtype": written["torch_dtype"]} == {
        **written,
        **{key: config[key] for key in config if key == "torch_dtype"},
        "torch_dtype": written["torch_dtype"],
    }
    assert done.family == config["architectures"][0]
    # A tied head, as state dicts of transformers repeat it, and the buffers of old versions.
    embedding = next(
        one for key, one in state.items() if key.endswith(("embed_tokens.weight", "wte.weight"))
    )
    more = {"lm_head.weight": embedding} if config.get("tie_word_embeddings", True) else {}
    more |= {"model.layers.0.self_attn.rotary_emb.inv_freq": numbers(8)}
    convert(save({**state, **more}), tmp_path / "again", config=source / "config.json")
    assert same(read(tmp_path / "again")[1], state)
    short = dict(list(state.items())[1:])
    with pytest.raises(ConvertError, match=f"missing:\n  {next(iter(state))}"):
        convert(save(short), tmp_path / "short", config=source / "config.json")


def test_a_configuration_that_is_silent_about_the_head_is_told(save: Any, tmp_path: Path) -> None:
    state, config = llama(tmp_path)
    convert(save(state), tmp_path / "tied", config=config)
    assert read(tmp_path / "tied")[0]["tie_word_embeddings"] is True
    own = {**state, "lm_head.weight": numbers(8, 4, seed=9)}
    convert(save(own), tmp_path / "own", config=config)
    assert read(tmp_path / "own")[0]["tie_word_embeddings"] is False
    assert same(read(tmp_path / "own")[1], own)


def test_a_head_that_contradicts_the_configuration_is_an_error(save: Any, tmp_path: Path) -> None:
    state, config = llama(tmp_path, tie_word_embeddings=True)
    with pytest.raises(ConvertError, match=r"lm_head\.weight and .* differ"):
        convert(
            save({**state, "lm_head.weight": numbers(8, 4, seed=9)}), tmp_path / "a", config=config
        )
    _, config = llama(tmp_path, tie_word_embeddings=False)
    with pytest.raises(ConvertError, match=r"missing:\n  lm_head\.weight \[8, 4\]"):
        convert(save(state), tmp_path / "b", config=config)
    # Untied by the configuration, one in memory: written twice.
    tied = {**state, "lm_head.weight": state["model.embed_tokens.weight"]}
    convert(save(tied), tmp_path / "c", config=config)
    assert same(read(tmp_path / "c")[1], tied)


def test_an_unknown_architecture_is_written_unchecked_and_says_so(
    save: Any, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"architectures": ["MambaForCausalLM"]}', encoding="utf-8")
    done = convert(save({"a.weight": numbers(2)}), tmp_path / "out", config=config)
    assert any("MambaForCausalLM" in note and "unchecked" in note for note in done.notes)
    config.write_text("{}", encoding="utf-8")
    with pytest.raises(ConvertError, match="architectures"):
        convert(save({"a.weight": numbers(2)}), tmp_path / "other", config=config)
    config.write_text("[1]", encoding="utf-8")
    with pytest.raises(ConvertError, match="expected an object"):
        convert(save({"a.weight": numbers(2)}), tmp_path / "other", config=config)


def test_shards_of_torch_are_read_by_their_index(tmp_path: Path) -> None:
    state, config = llama(tmp_path)
    names = list(state)
    for number, part in enumerate((names[:4], names[4:]), 1):
        torch.save({name: state[name] for name in part}, tmp_path / f"part-{number}.bin")
    index = tmp_path / "pytorch_model.bin.index.json"
    weight_map = {name: f"part-{1 if name in names[:4] else 2}.bin" for name in names}
    index.write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    convert(index, tmp_path / "out", config=config)
    assert same(read(tmp_path / "out")[1], state)
    index.write_text(json.dumps({"weight_map": {"a": "../part-1.bin"}}), encoding="utf-8")
    with pytest.raises(ConvertError, match="outside its folder"):
        convert(index, tmp_path / "other", config=config)


@pytest.mark.skipif(SHARED is None, reason="no models beside this checkout [needs ../shared]")
def test_illuminator_loads_what_was_converted(save: Any, tmp_path: Path) -> None:
    assert SHARED is not None
    source = SHARED / "goldens" / "tiny" / "llama"
    convert(save(read(source)[1]), tmp_path / "out", config=source / "config.json")

    golden = json.loads((source / "golden.json").read_text(encoding="utf-8"))["prompts"][0]
    ids = ",".join(map(str, golden["ids"]))
    command = [*NODE, "cli/main.ts", "logits", str(tmp_path / "out"), "--ids", ids, "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=SERVER_ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["last_logits"] == pytest.approx(golden["last_logits"], abs=2e-2)
