"""Write a model of random numbers at its true size, in the very files in which the hub publishes it.

    python random_model.py phi-2|mistral-7b|llama-2-7b FOLDER

Names, shapes, shards and the index are those of microsoft/phi-2, mistralai/Mistral-7B-v0.1 and meta-llama/Llama-2-7b-hf. The tokenizers
are the small ones of ../goldens/hf: the models have rows for more tokens than there are. Needs numpy alone.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy

GOLDENS = Path(__file__).parent / "../goldens/hf"
SHARD_BYTES = 5_000_000_000
COMMON = {"bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "initializer_range": 0.02, "torch_dtype": "float16"}
MODELS = {
    "phi-2": ("phi", {
        "architectures": ["PhiForCausalLM"], "model_type": "phi", "vocab_size": 51200, "hidden_size": 2560,
        "intermediate_size": 10240, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
        "max_position_embeddings": 2048, "layer_norm_eps": 1e-05, "partial_rotary_factor": 0.4, "rope_theta": 10000.0,
        "tie_word_embeddings": False, "hidden_act": "gelu_new", "qk_layernorm": False,
    }),
    "mistral-7b": ("mistral", {
        "architectures": ["MistralForCausalLM"], "model_type": "mistral", "vocab_size": 32000, "hidden_size": 4096,
        "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "max_position_embeddings": 32768, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4096,
        "tie_word_embeddings": False,
    }),
    "llama-2-7b": ("llama-2", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 32000, "hidden_size": 4096,
        "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
        "max_position_embeddings": 4096, "rms_norm_eps": 1e-05, "rope_scaling": None, "pretraining_tp": 1,
        "tie_word_embeddings": False,
    }),
}


def tensors(config: dict) -> list[tuple[str, list[int]]]:
    """Names and shapes in the order of the published files."""
    hidden, inner, words = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    phi = config["model_type"] == "phi"
    kv = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    out = [("model.embed_tokens.weight", [words, hidden])]
    norms = ["input_layernorm"] if phi else ["input_layernorm", "post_attention_layernorm"]
    linears = [("self_attn.q_proj", hidden, hidden), ("self_attn.k_proj", kv, hidden), ("self_attn.v_proj", kv, hidden)]
    if phi:
        linears += [("self_attn.dense", hidden, hidden), ("mlp.fc1", inner, hidden), ("mlp.fc2", hidden, inner)]
    else:
        linears += [("self_attn.o_proj", hidden, hidden), ("mlp.gate_proj", inner, hidden)]
        linears += [("mlp.up_proj", inner, hidden), ("mlp.down_proj", hidden, inner)]
    ends = [("model.final_layernorm" if phi else "model.norm", [hidden]), ("lm_head", [words, hidden])]
    modules = []
    for layer in range(config["num_hidden_layers"]):
        modules += [(f"model.layers.{layer}.{norm}", [hidden]) for norm in norms]
        modules += [(f"model.layers.{layer}.{name}", [rows, columns]) for name, rows, columns in linears]
    for name, shape in modules + ends:
        out.append((f"{name}.weight", shape))
        if phi:
            out.append((f"{name}.bias", shape[:1]))
    return out


def numbers(name: str, count: int, pattern: numpy.ndarray) -> numpy.ndarray:
    """Norms are near one and biases near nothing; matrices repeat a pattern, each from another place."""
    if "norm" in name:
        return numpy.full(count, 1.0 if name.endswith("weight") else 0.0, dtype=numpy.float16)
    start = hash_of(name) % pattern.size
    repeated = numpy.tile(pattern, -(-(count + start) // pattern.size))
    return repeated[start : start + count]


def hash_of(text: str) -> int:
    value = 0
    for byte in text.encode():
        value = (value * 131 + byte) % (1 << 32)
    return value


def write_shard(path: Path, part: list[tuple[str, list[int]]], pattern: numpy.ndarray) -> None:
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in part:
        size = 2 * int(numpy.prod(shape))
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in part:
            numbers(name, int(numpy.prod(shape)), pattern).tofile(file)


def main() -> None:
    golden, config = MODELS[sys.argv[1]]
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True)
    config = {**COMMON, **config}
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    for file in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(GOLDENS / golden / file, folder)
    shards, size = [[]], 0
    for name, shape in tensors(config):
        bytes_ = 2 * int(numpy.prod(shape))
        if shards[-1] and size + bytes_ > SHARD_BYTES:
            shards.append([])
            size = 0
        shards[-1].append((name, shape))
        size += bytes_
    pattern = (numpy.random.default_rng(1).standard_normal((1 << 22) - 3, dtype=numpy.float32) * 0.02).astype(numpy.float16)
    places, total = {}, 0
    for index, part in enumerate(shards, 1):
        file = f"model-{index:05}-of-{len(shards):05}.safetensors"
        write_shard(folder / file, part, pattern)
        places.update({name: file for name, _ in part})
        total += sum(2 * int(numpy.prod(shape)) for _, shape in part)
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))
    print(f"{folder}: {total / 1e9:.1f} GB in {len(shards)} files")


main()
