"""Tiny checkpoints of random configurations, and what transformers makes of them in float32: head sizes, head counts,
widths, vocabularies, rotations, windows, experts, number types and shards that no published model need have. Seeded: the
same arguments write the same folders.

    pip install torch transformers safetensors numpy
    python test/python/random_goldens.py OUT --count 10 [--family llama …] [--first 0]
    node --import ./test/run-typescript.mjs test/random-goldens.ts OUT/*

A golden that is worth keeping is printed without its weights, which are a function of their names, and committed:

    python test/python/random_goldens.py OUT --pick gpt2-3 qwen2-7 > test/goldens/random.json
"""

import argparse
import json
import math
import os
import random
import shutil
import sys

import numpy as np
import torch
import transformers
from hashed_numbers import hashed
from safetensors.torch import load_file, save_file

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
GREEDY = 12


def numbers(name: str, shape: list, spread: float, centre: float) -> np.ndarray:
    """Hashed numbers within `spread` of `centre`, as float32."""
    return (hashed(name, shape) * spread + centre).astype(np.float32)


def rule(name: str, shape: list, family: str) -> tuple:
    """Spread and centre of a tensor's values: activations stay near 1, logits near 2, and nothing is 0 or 1 throughout."""
    root3 = math.sqrt(3)
    if "sinks" in name:
        return 2.0, 0.0
    if name.endswith("bias"):
        return 0.4, 0.0
    if len(shape) == 1:
        return 0.6, 0.0 if family.startswith("gemma") else 1.0
    stored_by_columns = len(shape) == 3 or (family == "gpt2" and ".h." in name)
    inputs = shape[-2] if stored_by_columns else shape[-1]
    gain = 1.0
    if "embed" in name or "wte" in name or "lm_head" in name:
        gain = 1.6
    elif "q_proj" in name or "k_proj" in name or "c_attn" in name or "qkv" in name:
        gain = 1.4
    elif "router" in name or name.endswith("gate.weight"):
        gain = 2.0
    return round(root3 * gain / math.sqrt(inputs), 4), 0.0


def rotation(r: random.Random, size: int, context: int, kinds: list) -> dict:
    """`rope_parameters`, without what the family adds."""
    kind = r.choice(kinds)
    rope = {"rope_type": kind, "rope_theta": r.choice([10000.0, 500000.0, 150.5, 1000000.0])}
    original = max(8, context // r.choice([2, 3, 4]))
    if kind in ("linear", "dynamic"):
        rope["factor"] = r.choice([2.0, 4.0, 1.5])
    if kind == "llama3":
        low = r.choice([1.0, 0.5])
        rope |= {"factor": r.choice([8.0, 32.0, 2.5]), "low_freq_factor": low, "high_freq_factor": r.choice([4.0, 2.0])}
        rope["original_max_position_embeddings"] = original
    if kind == "yarn":
        rope |= {"factor": r.choice([2.0, 4.0, 3.5]), "original_max_position_embeddings": original}
        if r.random() < 0.4:
            rope |= {"beta_fast": r.choice([32.0, 16.0]), "beta_slow": r.choice([1.0, 2.0])}
        if r.random() < 0.4:
            rope |= {"mscale": r.choice([1.0, 0.707]), "mscale_all_dim": r.choice([1.0, 0.5])}
        elif r.random() < 0.4:
            rope["attention_factor"] = r.choice([0.8, 1.25])
        if r.random() < 0.5:
            rope["truncate"] = r.choice([True, False])
    if kind == "longrope":
        pairs = size // 2
        rope["short_factor"] = [round(1 + r.random(), 3) for _ in range(pairs)]
        rope["long_factor"] = [round(2 + 4 * r.random(), 3) for _ in range(pairs)]
        rope["original_max_position_embeddings"] = original
        if r.random() < 0.3:
            rope["attention_factor"] = 1.19
    return rope


ROTATIONS = ["default", "default", "linear", "llama3", "yarn", "dynamic"]
ACTS = ["silu", "silu", "gelu", "gelu_new", "gelu_pytorch_tanh", "swish", "gelu_fast", "relu"]


def common(r: random.Random, number: int) -> dict:
    """Sizes and keys of Llama's block."""
    kv = r.choice([1, 1, 1, 2, 3, 4])
    heads = kv * r.choice([1, 2, 3, 4, 5, 7, 8, 9])
    size = r.choice([8, 16, 20, 24, 32, 48, 64, 80, 96, 128, 256, 12, 36, 72, 112, 10, 2, 4, 6])
    if number % 7 == 3:
        heads, kv, size = 71, 1, r.choice([8, 16])
    while heads * size > 1536:
        size = r.choice([8, 16, 20, 24, 64])
        heads = kv * r.choice([1, 3, 5])
    own = r.random() < 0.7
    hidden = r.choice([36, 52, 64, 100, 128, 20, 30, 33, 50, 97, 160, 258, 576, 2050]) if own else heads * size
    if hidden == 2050 and number % 3:
        hidden = 130
    long = number % 4 == 1
    context = r.choice([640, 1024, 2048]) if long else r.choice([64, 77, 128, 513, 1024])
    config = {
        "hidden_size": hidden,
        "intermediate_size": r.choice([1, 30, 64, 96, 171, 257, 33, 128, 344, 7]),
        "num_hidden_layers": r.choice([1, 2, 2, 3, 5]),
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "head_dim": size,
        "vocab_size": r.choice([257, 101, 509, 1001, 263, 320, 67, 1024, 127]),
        "max_position_embeddings": context,
        "rms_norm_eps": r.choice([1e-5, 1e-6, 1e-3]),
        "hidden_act": r.choice(ACTS),
        "tie_word_embeddings": r.random() < 0.5,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": None,
    }
    if not own and r.random() < 0.5:
        del config["head_dim"]
    return config


def windows(r: random.Random) -> int:
    return r.choice([1, 2, 3, 7, 16, 17, 33, 100])


def types(r: random.Random, layers: int) -> list:
    return [r.choice(["full_attention", "sliding_attention"]) for _ in range(layers)]


def experts(r: random.Random, key: str, most: int = 9) -> dict:
    count = r.choice([n for n in (1, 2, 3, 4, 5, 7, 8, 9) if n <= most])
    return {key: count, "num_experts_per_tok": r.randint(1, count)}


def size_of(c: dict) -> int:
    return c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]


def llama(r, c):
    c |= {"attention_bias": r.random() < 0.4, "mlp_bias": r.random() < 0.4}


def mistral(r, c):
    c["sliding_window"] = r.choice([None, windows(r), windows(r)])


def mixtral(r, c):
    mistral(r, c)
    c |= experts(r, "num_local_experts")


def qwen2(r, c):
    c |= {"use_sliding_window": r.random() < 0.6, "sliding_window": windows(r)}
    c["max_window_layers"] = r.randint(0, c["num_hidden_layers"])
    if r.random() < 0.3:
        c["layer_types"] = types(r, c["num_hidden_layers"]) if c["use_sliding_window"] else None


def qwen3(r, c):
    qwen2(r, c)
    c["attention_bias"] = r.random() < 0.4


def qwen3_moe(r, c):
    c |= {"use_sliding_window": r.random() < 0.5, "sliding_window": windows(r)} | experts(r, "num_experts")
    c |= {"attention_bias": r.random() < 0.4, "norm_topk_prob": r.random() < 0.5}
    c |= {"moe_intermediate_size": r.choice([1, 24, 33, 64, 71]), "decoder_sparse_step": r.choice([1, 1, 2, 3])}
    c["mlp_only_layers"] = r.choice([[], [0], [c["num_hidden_layers"] - 1]])


def phi3(r, c):
    c |= {"sliding_window": r.choice([None, windows(r)])}
    size = size_of(c)
    c["hidden_size"] = size * c["num_attention_heads"]
    c.pop("head_dim", None)
    share = r.choice([1.0, 0.5, 0.75, 0.25])
    if int(size * share) % 2 or int(size * share) < 2:
        share = 1.0
    c["rope_parameters"] = rotation(r, int(size * share), c["max_position_embeddings"], ["default", "longrope", "longrope"])
    c["rope_parameters"]["partial_rotary_factor"] = share


def gemma2(r, c):
    c |= {"sliding_window": windows(r), "query_pre_attn_scalar": r.choice([16, 100, 256, 7])}
    c |= {"attn_logit_softcapping": r.choice([None, 50.0, 3.0]), "final_logit_softcapping": r.choice([None, 30.0, 2.0])}
    c |= {"hidden_activation": r.choice([a for a in ACTS if a != "silu"]), "attention_bias": r.random() < 0.3}
    del c["hidden_act"]
    if r.random() < 0.4:
        c["layer_types"] = types(r, c["num_hidden_layers"])


def gemma3(r, c):
    gemma2(r, c)
    if "layer_types" not in c and r.random() < 0.7:
        c["sliding_window_pattern"] = r.choice([1, 2, 3, 6])
    full = rotation(r, size_of(c), c["max_position_embeddings"], ["default", "linear", "linear"])
    c["rope_parameters"] = {"full_attention": full, "sliding_attention": {"rope_type": "default", "rope_theta": r.choice([10000.0, 77.0])}}


def smollm3(r, c):
    c |= {"attention_bias": r.random() < 0.3, "mlp_bias": r.random() < 0.3}
    layers = c["num_hidden_layers"]
    if r.random() < 0.5:
        c["no_rope_layers"] = [r.randint(0, 1) for _ in range(layers)]
    else:
        c["no_rope_layer_interval"] = r.choice([1, 2, 3, 4])
    c |= {"use_sliding_window": r.random() < 0.4, "sliding_window": windows(r)}


def granite(r, c):
    c |= {"attention_bias": r.random() < 0.4, "mlp_bias": r.random() < 0.4}
    c |= {"embedding_multiplier": r.choice([1.0, 12.0, 0.5]), "attention_multiplier": r.choice([0.0625, 0.2, 1.0])}
    c |= {"residual_multiplier": r.choice([0.22, 1.0, 0.7]), "logits_scaling": r.choice([1.0, 2.0, 0.8])}


def olmo2(r, c):
    c["attention_bias"] = r.random() < 0.4


def gpt2(r, c):
    size = r.choice([2, 4, 8, 12, 16, 20, 64, 96, 128])
    heads = r.choice([1, 2, 3, 5, 7, 9, 12])
    while heads * size > 800:
        heads = r.choice([1, 2, 3])
    layers, vocabulary, context = c["num_hidden_layers"], c["vocab_size"], c["max_position_embeddings"]
    act = r.choice(["gelu_new", "gelu", "gelu_pytorch_tanh", "silu", "relu", "gelu_fast"])
    tied = c["tie_word_embeddings"]
    c.clear()
    c |= {"n_embd": heads * size, "n_head": heads, "n_layer": layers, "n_positions": context, "vocab_size": vocabulary}
    c |= {"n_inner": r.choice([None, 171, 1, 64]), "activation_function": act, "tie_word_embeddings": tied}
    c |= {"layer_norm_epsilon": r.choice([1e-5, 1e-3]), "scale_attn_weights": r.random() < 0.8}
    c |= {"scale_attn_by_inverse_layer_idx": r.random() < 0.3, "bos_token_id": 1, "eos_token_id": 2}


def gpt_oss(r, c):
    c |= {"sliding_window": windows(r), "attention_bias": r.random() < 0.7} | experts(r, "num_local_experts", 5)
    c["hidden_act"] = "silu"
    if r.random() < 0.4:
        c["layer_types"] = types(r, c["num_hidden_layers"])
    if r.random() < 0.3:
        c |= {"swiglu_alpha": 1.3, "swiglu_limit": 2.0}


FAMILIES = {
    "llama": ("LlamaForCausalLM", llama),
    "mistral": ("MistralForCausalLM", mistral),
    "mixtral": ("MixtralForCausalLM", mixtral),
    "qwen2": ("Qwen2ForCausalLM", qwen2),
    "qwen3": ("Qwen3ForCausalLM", qwen3),
    "qwen3-moe": ("Qwen3MoeForCausalLM", qwen3_moe),
    "phi3": ("Phi3ForCausalLM", phi3),
    "gemma2": ("Gemma2ForCausalLM", gemma2),
    "gemma3": ("Gemma3ForCausalLM", gemma3),
    "smollm3": ("SmolLM3ForCausalLM", smollm3),
    "granite": ("GraniteForCausalLM", granite),
    "olmo2": ("Olmo2ForCausalLM", olmo2),
    "gpt2": ("GPT2LMHeadModel", gpt2),
    "gpt-oss": ("GptOssForCausalLM", gpt_oss),
}


def configuration(family: str, number: int) -> dict:
    """Keys of one random configuration, as a constructor of transformers takes them."""
    r = random.Random(f"{family}-{number}")
    config = common(r, number)
    FAMILIES[family][1](r, config)
    if family != "gpt2" and "rope_parameters" not in config:
        config["rope_parameters"] = rotation(r, size_of(config), config["max_position_embeddings"], ROTATIONS)
    if family in ("llama", "gemma2", "gemma3", "granite", "olmo2"):  # transformers insists
        config["hidden_size"] = math.ceil(config["hidden_size"] / config["num_attention_heads"]) * config["num_attention_heads"]
    return config


def old_spelling(r: random.Random, config: dict) -> dict:
    """`rope_theta` and `rope_scaling`, as the hub's older configs have them."""
    rope = config.pop("rope_parameters")
    if "full_attention" in rope:
        full = rope["full_attention"]
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = full
    rope = dict(rope)
    config["rope_theta"] = rope.pop("rope_theta")
    share = rope.pop("partial_rotary_factor", None)
    if share is not None:
        config["partial_rotary_factor"] = share
    if rope["rope_type"] == "longrope":
        config["original_max_position_embeddings"] = rope.pop("original_max_position_embeddings")
    if r.random() < 0.3:
        rope["type"] = rope.pop("rope_type")
    config["rope_scaling"] = None if rope.get("rope_type", rope.get("type")) == "default" else rope
    return config


def write_weights(folder: str, values: dict, shards: int) -> None:
    names = list(values)
    for old in os.listdir(folder):
        if old.endswith(".safetensors") or old.endswith(".index.json"):
            os.remove(os.path.join(folder, old))
    shards = min(shards, len(names))
    if shards == 1:
        save_file(values, os.path.join(folder, "model.safetensors"), {"format": "pt"})
        return
    places = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        own = {name: values[name] for name in names[shard::shards]}
        save_file(own, os.path.join(folder, file), {"format": "pt"})
        places |= dict.fromkeys(own, file)
    index = {"metadata": {}, "weight_map": places}
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as out:
        json.dump(index, out)


def prompts_of(r: random.Random, number: int, vocabulary: int, limits: tuple) -> list:
    """Lengths from 1 on; some longer than 512."""
    least, most = limits
    room = most - GREEDY
    lengths = {1, 2, r.choice([3, 5, 17, 19]), r.choice([31, 33, 41, 47])}
    if number % 4 == 1:
        lengths = {1, 2, r.choice([515, 531, 577])}
    if least > 1:
        lengths = {least + 1, least + r.choice([2, 5, 9])}
    return [[r.randrange(vocabulary) for _ in range(n)] for n in sorted({max(1, min(n, room)) for n in lengths})]


def build(family: str, number: int, folder: str) -> None:
    """Writes one folder with its golden."""
    r = random.Random(f"{family}-{number}-files")
    architecture, _ = FAMILIES[family]
    model_class = getattr(transformers, architecture)
    config = model_class.config_class(**configuration(family, number))
    shutil.rmtree(folder, ignore_errors=True)
    model_class(config).save_pretrained(folder)
    path = os.path.join(folder, "config.json")
    with open(path) as file:
        stored = json.load(file)
    if "rope_parameters" in stored and r.random() < 0.5:
        stored = old_spelling(r, stored)
    if stored.get("layer_types") and not configuration(family, number).get("layer_types") and r.random() < 0.7:
        del stored["layer_types"]
        stored.pop("_sliding_window_pattern", None)
        pattern = configuration(family, number).get("sliding_window_pattern")
        if pattern:
            stored["sliding_window_pattern"] = pattern
    saved = {}
    for file in os.listdir(folder):
        if file.endswith(".safetensors"):
            saved |= load_file(os.path.join(folder, file))
    kind = r.choice(["F32", "F32", "BF16", "F16", "mixed"])
    tensors, values = {}, {}
    for name, tensor in sorted(saved.items()):
        shape = list(tensor.shape)
        spread, centre = rule(name, shape, family)
        dtype = r.choice(list(DTYPES)) if kind == "mixed" else kind
        tensors[name] = [dtype, shape, spread, centre]
        values[name] = torch.from_numpy(numbers(name, shape, spread, centre)).to(DTYPES[dtype])
    stored["dtype"] = "float32" if kind == "mixed" else str(DTYPES[kind]).removeprefix("torch.")
    with open(path, "w") as file:
        json.dump(stored, file, indent=1)
    write_weights(folder, values, r.choice([1, 1, 2, 3, 5, len(values)]))
    write_golden(folder, family, number, tensors, stored)


def write_golden(folder: str, family: str, number: int, tensors: dict, stored: dict) -> None:
    """What transformers makes of the folder as it lies there."""
    r = random.Random(f"{family}-{number}-prompts")
    model_class = getattr(transformers, FAMILIES[family][0])
    model = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager").eval()
    context = stored.get("max_position_embeddings") or stored["n_positions"]
    golden = {"architecture": family, "reference": f"transformers {transformers.__version__}, torch {torch.__version__}, float32, eager"}
    limits = (1, context)
    rope = model.config.__dict__.get("rope_parameters") or {}
    if rope.get("rope_type") == "longrope":
        original = rope["original_max_position_embeddings"]
        if r.random() < 0.5:
            limits, golden["context"] = (original, context), context
        else:
            limits = (1, original)
    golden["prompts"] = [reference(model, ids) for ids in prompts_of(r, number, stored["vocab_size"], limits)]
    golden["tensors"] = tensors
    with open(os.path.join(folder, "golden.json"), "w") as file:
        json.dump(golden, file)


@torch.no_grad()
def reference(model, ids: list) -> dict:
    logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    greedy = []
    for _ in range(GREEDY):
        after = model(torch.tensor([ids + greedy]), use_cache=False).logits[0, -1]
        greedy.append(int(after.argmax()))
    count = len(ids)
    positions = sorted({0, 1, 15, 16, count // 3, count // 2, count - 2} & set(range(count)))
    rounded = lambda row: [round(float(value), 5) for value in row]  # noqa: E731
    return {
        "ids": ids,
        "last_logits": rounded(logits[-1]),
        "logits": {str(at): rounded(logits[at]) for at in positions if at != count - 1},
        "greedy": greedy,
    }


def kept(folder: str, name: str) -> dict:
    """A golden without its weights, and with fewer of its numbers."""
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    with open(os.path.join(folder, "golden.json")) as file:
        golden = json.load(file)
    for prompt in golden["prompts"]:
        del prompt["logits"]
    return {"name": name, "config": config} | golden


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--family", nargs="*", default=list(FAMILIES))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--pick", nargs="*", default=[])
    options = parser.parse_args()
    torch.set_num_threads(1)
    wanted = [name.rsplit("-", 1) for name in options.pick] or [
        (family, str(number))
        for number in range(options.first, options.first + options.count)
        for family in options.family
    ]
    picked = []
    for family, number in wanted:
        folder = os.path.join(options.out, f"{family}-{number}")
        try:
            build(family, int(number), folder)
        except Exception as error:
            shutil.rmtree(folder, ignore_errors=True)
            print(f"{family}-{number}: transformers refuses: {type(error).__name__}: {error}"[:400], file=sys.stderr)
            continue
        if options.pick:
            picked.append(kept(folder, f"{family}-{number}"))
    if options.pick:
        print(json.dumps(picked))


if __name__ == "__main__":
    main()
