"""Checkpoints of the contract's models become folders with the same numbers."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from illuminator.convert import ConvertError, convert
from illuminator.convert.command import main
from tiny_models import large, numbers, parameters, practical, read, safetensors, same, torch


def test_the_large_model(save: Any, tmp_path: Path) -> None:
    state = large()
    done = convert(save(state), tmp_path / "out")
    config, tensors = read(tmp_path / "out")
    assert same(tensors, parameters(state, ".inv_freq"))
    assert config == {
        "architectures": ["IlluminatorForCausalLM"],
        "model_type": "illuminator",
        "vocab_size": 64,
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 12,
        "max_position_embeddings": 4096,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "rope_interleaved": True,
        "embedding_multiplier": math.sqrt(48),
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
    }
    assert done.family == "illuminator-4.9b"
    assert done.parameters == sum(one.numel() for one in tensors.values())
    assert [file.name for file in done.files] == ["config.json", "model.safetensors"]
    assert any("rope_theta" in note for note in done.notes)
    assert any("--context" in note for note in done.notes)
    assert list(tmp_path.glob(".out*")) == []


def test_the_practical_model(save: Any, tmp_path: Path) -> None:
    state = practical()
    done = convert(save(state), tmp_path / "out", heads=4)
    config, tensors = read(tmp_path / "out")
    assert same(tensors, parameters(state, "output_projection.weight"))
    assert config["architectures"] == ["IlluminatorPracticalForCausalLM"]
    assert (config["num_attention_heads"], config["head_dim"]) == (4, 6)
    assert (config["max_position_embeddings"], config["vocab_size"]) == (16, 50)
    assert (config["hidden_act"], config["layer_norm_eps"]) == ("gelu", 1e-5)
    assert config["tie_word_embeddings"] is True
    assert any("tied" in note for note in done.notes)


def test_a_head_of_its_own_is_kept(save: Any, tmp_path: Path) -> None:
    head = numbers(64, 48, seed=77)
    convert(save({**large(), "output_projection.weight": head}), tmp_path / "out")
    config, tensors = read(tmp_path / "out")
    assert config["tie_word_embeddings"] is False
    assert torch.equal(tensors["output_projection.weight"], head)


TRAINING = {"n_heads": 4, "n_kv_heads": 2, "max_seq_length": 512, "dropout": 0.0}


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda state: state, id="bare"),
        pytest.param(
            lambda state: {
                "model_state_dict": state,
                "optimizer_state_dict": {"state": {0: {"exp_avg": torch.ones(3)}}},
                "config": {"model_config": TRAINING, "training_config": {"batch_size": 4}},
                "loss": 0.5,
            },
            id="of the trainer",
        ),
        pytest.param(
            lambda state: {"model_state_dict": state, "model_config": TRAINING}, id="final model"
        ),
        pytest.param(
            lambda state: {"model": {f"module.{name}": one for name, one in state.items()}},
            id="distributed",
        ),
        pytest.param(
            lambda state: {"state_dict": {f"model.{name}": one for name, one in state.items()}},
            id="Lightning",
        ),
        pytest.param(
            lambda state: {
                "model": {"state_dict": {f"module._orig_mod.{n}": one for n, one in state.items()}}
            },
            id="compiled, deep",
        ),
    ],
)
def test_wrappers_are_taken_off(wrap: Any, save: Any, tmp_path: Path) -> None:
    state = large()
    convert(save(wrap(state)), tmp_path / "out")
    config, tensors = read(tmp_path / "out")
    assert same(tensors, parameters(state, ".inv_freq"))
    assert config["max_position_embeddings"] in (4096, 512)
    assert config["num_attention_heads"] == 4


def test_sizes_come_from_the_checkpoint_then_a_file_then_the_command_line(
    save: Any, tmp_path: Path
) -> None:
    state = parameters(large(), ".inv_freq")
    path = save({"model_state_dict": state, "model_config": TRAINING})
    convert(path, tmp_path / "one")
    assert read(tmp_path / "one")[0]["max_position_embeddings"] == 512
    file = tmp_path / "training_config.json"
    file.write_text(json.dumps({"model_config": {"max_seq_length": 1024}}), encoding="utf-8")
    convert(path, tmp_path / "two", config=file)
    assert read(tmp_path / "two")[0]["max_position_embeddings"] == 1024
    convert(path, tmp_path / "three", config=file, context=2048)
    assert read(tmp_path / "three")[0]["max_position_embeddings"] == 2048


def test_the_base_of_the_rotation_is_read_from_its_frequencies(save: Any, tmp_path: Path) -> None:
    state = large()
    for name in state:
        if name.endswith("inv_freq"):
            state[name] = (500000.0 ** -(torch.arange(0, 12, 2).float() / 12)).half()
    convert(save(state), tmp_path / "out")
    assert read(tmp_path / "out")[0]["rope_theta"] == 500000.0
    state["transformer_blocks.1.attention.rope.inv_freq"] *= 2
    with pytest.raises(ConvertError, match=r"transformer_blocks\.1\.attention\.rope\.inv_freq"):
        convert(save(state), tmp_path / "other")


def test_a_key_names_the_place(save: Any, tmp_path: Path) -> None:
    other = large()
    other["final_norm.weight"] = numbers(48, seed=5)
    path = save({"model": large(), "ema": {"shadow": other}})
    convert(path, tmp_path / "out", key="ema.shadow")
    assert same(read(tmp_path / "out")[1], parameters(other, ".inv_freq"))
    with pytest.raises(ConvertError, match="no tensors under 'ema'"):
        convert(path, tmp_path / "other", key="ema")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_numbers_get_the_type_that_was_asked_for(dtype: str, save: Any, tmp_path: Path) -> None:
    state = large()
    convert(save(state), tmp_path / "out", dtype=dtype)
    config, tensors = read(tmp_path / "out")
    kind = getattr(torch, dtype)
    assert config["torch_dtype"] == dtype
    assert same(tensors, {n: one.to(kind) for n, one in parameters(state, ".inv_freq").items()})


def test_a_number_that_is_too_large_for_the_type_is_named(save: Any, tmp_path: Path) -> None:
    state = large()
    state["final_norm.weight"][3] = 1e6
    with pytest.raises(ConvertError, match=r"final_norm\.weight has numbers of up to 1e\+06"):
        convert(save(state), tmp_path / "out", dtype="float16")
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob(".out*")) == []


def test_views_and_strides_become_plain_tensors(save: Any, tmp_path: Path) -> None:
    state = large()
    name = "transformer_blocks.0.attention.w_q.weight"
    both = numbers(96, 48)
    state[name] = both[:48].t()
    state["transformer_blocks.0.attention.w_o.weight"] = both[48:]
    convert(save(state), tmp_path / "out")
    _, tensors = read(tmp_path / "out")
    assert torch.equal(tensors[name], both[:48].t())
    assert (tmp_path / "out" / "model.safetensors").stat().st_size < 200_000


def test_large_models_are_written_in_shards(save: Any, tmp_path: Path) -> None:
    state = large()
    done = convert(save(state), tmp_path / "out", shard_bytes=30_000)
    names = [file.name for file in done.files if file.suffix == ".safetensors"]
    assert len(names) > 2
    assert names[0] == f"model-00001-of-{len(names):05d}.safetensors"
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    wanted = parameters(state, ".inv_freq")
    assert index["metadata"]["total_size"] == sum(4 * one.numel() for one in wanted.values())
    assert index["weight_map"].keys() == wanted.keys()
    assert set(index["weight_map"].values()) == set(names)
    for name, file in index["weight_map"].items():
        assert torch.equal(safetensors.load_file(tmp_path / "out" / file)[name], wanted[name])
    assert all((tmp_path / "out" / name).stat().st_size < 40_000 for name in names)


def test_the_old_format_is_read_too(save: Any, tmp_path: Path) -> None:
    state = large()
    path = save(state, _use_new_zipfile_serialization=False)
    convert(path, tmp_path / "out")
    assert same(read(tmp_path / "out")[1], parameters(state, ".inv_freq"))


TOKENIZER = {
    "added_tokens": [{"id": 7, "content": "<end>"}],
    "model": {"type": "BPE", "vocab": {"<start>": 3}},
}
SETTINGS = {"bos_token": "<start>", "eos_token": {"content": "<end>"}, "pad_token": "<none>"}


def test_a_tokenizer_is_copied_and_its_ids_are_told(save: Any, tmp_path: Path) -> None:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    (folder / "training.log").write_text("x", encoding="utf-8")
    done = convert(save(large()), tmp_path / "out", tokenizer=folder)
    assert [file.name for file in done.files] == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    config, _ = read(tmp_path / "out")
    assert (config["bos_token_id"], config["eos_token_id"]) == (3, 7)
    assert "pad_token_id" not in config
    assert not any("tokenizer" in note for note in done.notes)
    with pytest.raises(ConvertError, match=r"has no tokenizer\.json"):
        convert(save(large()), tmp_path / "other", tokenizer=tmp_path)


def test_the_command_of_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "python-sdk.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^illuminator-convert (.*)$", page, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    for folder in ("checkpoints", "tokenizer"):
        (tmp_path / folder).mkdir()
    torch.save(large(), "checkpoints/best_model.pt")
    (tmp_path / "tokenizer" / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    assert main(shlex.split(line)) == 0
    assert "serve it: illuminator serve --model my-model" in capsys.readouterr().out
    config, tensors = read(tmp_path / "my-model")
    assert config["torch_dtype"] == "bfloat16"
    assert len(tensors) == 20
