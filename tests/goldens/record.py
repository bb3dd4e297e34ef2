"""Record the golden models: tiny random decoders and what Hugging Face transformers computes with them.

For each of `phi`, `llama` and `mistral` two files are written beside this script:

- NAME.gguf: weights in llama.cpp's layout, with a tiny byte-level BPE tokenizer. Every matrix holds numbers that F16 represents
  exactly, and is stored as F16 for its size alone: widened to F32 it is the very model that transformers ran.
- NAME.safetensors: per prompt i its text `text.i` (UTF-8 bytes) u8, `tokens.i` (tokens) i32, `logits.i` (tokens, vocab_size) f32 at
  all positions, and `greedy.i` (24) i32, the tokens that follow when the likeliest is taken each time.

Run `python record.py`; `--check` compares with the files that are there instead of writing. See README.md.
"""

import argparse
import json
import sys
from pathlib import Path

import gguf
import numpy
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, PhiConfig, PhiForCausalLM

HERE = Path(__file__).parent
VOCAB_SIZE = 320
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
NEW_TOKENS = 24
# Greedy tokens are only worth comparing where no rounding can flip them: the two likeliest logits differ by at least this.
MIN_GAP = 0.03
# A model that repeats itself would hide an engine that forgets what it decoded.
MIN_DISTINCT = 10
PROMPTS = [
    "Red",
    "### Product\nBlue shirt",
    "### Product\nLinen shirt, 38 cm, Größe M ✨\n### Color\n",
]
CORPUS = """### Product
Linen shirt with long sleeves, made of 100% linen, color blue, size M. Brand: Nordlys. Price 39.90 EUR.
### Material
linen
### Product
Running shoe for men, black and white, rubber sole, weight 240 g. Brand: Fjell.
### Color
black and white
### Product
Table lamp of brass with a shade of glass, height 38 cm, light warm white, 230 V. none
### Size
none
"""


def train_tokenizer(pre_tokenizer: str) -> tuple[list[str], list[str]]:
    """Tokens in order of their ids, and merges, of a byte-level BPE with `VOCAB_SIZE` entries."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if pre_tokenizer == "smollm":
        split = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), split])
    tokenizer.pre_tokenizer = split
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS.splitlines(keepends=True), trainer)
    vocab = tokenizer.get_vocab()
    tokens = sorted(vocab, key=vocab.get)
    assert len(tokens) == VOCAB_SIZE and "Ċ" in tokens, len(tokens)
    # The Python package hands out merges only inside its JSON, as pairs.
    merges = [" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    return tokens, merges


def tokenize(tokens: list[str], merges: list[str], pre_tokenizer: str, text: str) -> list[int]:
    """Ids of `text` under the tokenizer that `write_gguf` stores."""
    pairs = [tuple(merge.split(" ")) for merge in merges]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=pairs))
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if pre_tokenizer == "smollm":
        split = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), split])
    tokenizer.pre_tokenizer = split
    return tokenizer.encode(text).ids


def randomise(model: torch.nn.Module, seed: int, tokens: list[str]) -> None:
    """Weights with enough spread that logits differ clearly. Matrices are rounded to what F16 holds."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, parameter in sorted(model.state_dict().items()):
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 2:
            spread = 4.0 if "lm_head" in name else 1.6
            noise *= 1.0 if "embed_tokens" in name else spread / parameter.shape[1] ** 0.5
        elif name.endswith("bias"):
            noise *= 0.3
        else:  # a norm's weight
            noise = 1.0 + 0.3 * noise
        state[name] = noise
    if not model.config.tie_word_embeddings:
        state["lm_head.weight"] *= answer_scale(tokens)[:, None]
    else:
        state["lm_head.weight"] = state["model.embed_tokens.weight"] * 0.5
        state["model.embed_tokens.weight"] = state["lm_head.weight"]
    model.load_state_dict({name: (t.half().float() if t.ndim == 2 else t) for name, t in state.items()})


def answer_scale(tokens: list[str]) -> torch.Tensor:
    """Factor per token, (vocab_size): answers of the random model become mostly letters, and end now and then."""
    scale = torch.full((len(tokens),), 0.2)
    for i, token in enumerate(tokens):
        if all(c.isascii() or c == "Ġ" for c in token) and token not in SPECIAL_TOKENS:
            scale[i] = 1.0
        elif token == "Ċ":
            scale[i] = 1.6
    return scale


@torch.inference_mode()
def logits(model: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    """(tokens, vocab_size), without a key-value cache."""
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


def greedy(model: torch.nn.Module, prompt: list[int]) -> tuple[list[int], float]:
    """The next `NEW_TOKENS` tokens and the smallest gap between the two likeliest logits on the way."""
    ids, gap = list(prompt), float("inf")
    for _ in range(NEW_TOKENS):
        top = logits(model, ids)[-1].topk(2)
        gap = min(gap, (top.values[0] - top.values[1]).item())
        ids.append(top.indices[0].item())
    return ids[len(prompt) :], gap


def permute(weight: numpy.ndarray, heads: int) -> numpy.ndarray:
    """Rows of a llama Q or K matrix from transformers' rotary halves to the interleaved pairs of GGUF, as llama.cpp converts them."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def llama_tensors(model: torch.nn.Module) -> dict[str, numpy.ndarray]:
    """State of a Llama or Mistral model under llama.cpp's names."""
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    config = model.config
    out = {"token_embd.weight": state["model.embed_tokens.weight"], "output_norm.weight": state["model.norm.weight"]}
    if not config.tie_word_embeddings:
        out["output.weight"] = state["lm_head.weight"]
    for i in range(config.num_hidden_layers):
        layer, block = f"model.layers.{i}.", f"blk.{i}."
        out[block + "attn_norm.weight"] = state[layer + "input_layernorm.weight"]
        out[block + "attn_q.weight"] = permute(state[layer + "self_attn.q_proj.weight"], config.num_attention_heads)
        out[block + "attn_k.weight"] = permute(state[layer + "self_attn.k_proj.weight"], config.num_key_value_heads)
        out[block + "attn_v.weight"] = state[layer + "self_attn.v_proj.weight"]
        out[block + "attn_output.weight"] = state[layer + "self_attn.o_proj.weight"]
        out[block + "ffn_norm.weight"] = state[layer + "post_attention_layernorm.weight"]
        for ours, theirs in [("gate", "gate_proj"), ("up", "up_proj"), ("down", "down_proj")]:
            out[block + f"ffn_{ours}.weight"] = state[layer + f"mlp.{theirs}.weight"]
    return out


def phi_tensors(model: torch.nn.Module) -> dict[str, numpy.ndarray]:
    """State of a Phi model under llama.cpp's names, Q, K and V in one tensor as in the published phi-2 files."""
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    out = {"token_embd.weight": state["model.embed_tokens.weight"]}
    for kind in ["weight", "bias"]:
        out["output_norm." + kind] = state["model.final_layernorm." + kind]
        out["output." + kind] = state["lm_head." + kind]
        for i in range(model.config.num_hidden_layers):
            layer, block = f"model.layers.{i}.", f"blk.{i}."
            out[f"{block}attn_norm.{kind}"] = state[f"{layer}input_layernorm.{kind}"]
            qkv = [state[f"{layer}self_attn.{x}_proj.{kind}"] for x in "qkv"]
            out[f"{block}attn_qkv.{kind}"] = numpy.concatenate(qkv)
            out[f"{block}attn_output.{kind}"] = state[f"{layer}self_attn.dense.{kind}"]
            out[f"{block}ffn_up.{kind}"] = state[f"{layer}mlp.fc1.{kind}"]
            out[f"{block}ffn_down.{kind}"] = state[f"{layer}mlp.fc2.{kind}"]
    return out


def write_gguf(path: Path, arch: str, model: torch.nn.Module, tokens: list[str], merges: list[str], pre_tokenizer: str) -> None:
    """Metadata as llama.cpp's converter writes it."""
    config = model.config
    writer = gguf.GGUFWriter(path, arch)
    writer.add_name(f"golden {path.stem}")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if arch == "phi2":
        writer.add_layer_norm_eps(config.layer_norm_eps)
        writer.add_rope_dimension_count(int(config.rope_parameters["partial_rotary_factor"] * head_dim))
    else:
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_dimension_count(head_dim)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        writer.add_vocab_size(config.vocab_size)
        if head_dim * config.num_attention_heads != config.hidden_size:
            writer.add_key_length(head_dim)
            writer.add_value_length(head_dim)
        if getattr(config, "sliding_window", None):
            writer.add_sliding_window(config.sliding_window)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer)
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if t in SPECIAL_TOKENS else gguf.TokenType.NORMAL for t in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    for name, tensor in (phi_tensors(model) if arch == "phi2" else llama_tensors(model)).items():
        writer.add_tensor(name, numpy.ascontiguousarray(tensor, dtype=numpy.float16 if tensor.ndim == 2 else numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def golden_models() -> dict[str, tuple[str, str, torch.nn.Module]]:
    """Name -> (GGUF architecture, pre-tokenizer, model without its weights yet)."""
    common = dict(vocab_size=VOCAB_SIZE, num_hidden_layers=2, max_position_embeddings=2048, attn_implementation="eager")
    return {
        "phi": (
            "phi2",
            "phi-2",
            PhiForCausalLM(
                PhiConfig(
                    **common,
                    hidden_size=64,
                    intermediate_size=96,
                    num_attention_heads=4,
                    rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
                )
            ),
        ),
        "llama": (
            "llama",
            "smollm",
            LlamaForCausalLM(
                LlamaConfig(
                    **common,
                    hidden_size=64,
                    intermediate_size=96,
                    num_attention_heads=4,
                    num_key_value_heads=2,
                    rms_norm_eps=1e-5,
                    rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
                    tie_word_embeddings=False,
                )
            ),
        ),
        "mistral": (
            "llama",
            "smollm",
            MistralForCausalLM(
                MistralConfig(
                    **common,
                    hidden_size=32,
                    intermediate_size=96,
                    num_attention_heads=4,
                    num_key_value_heads=1,
                    head_dim=16,
                    rms_norm_eps=1e-6,
                    rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
                    sliding_window=8,
                    tie_word_embeddings=True,
                )
            ),
        ),
    }


def recorded_arrays(model: torch.nn.Module, prompts: list[list[int]], answers: list[list[int]]) -> dict[str, numpy.ndarray]:
    """What is recorded of each prompt."""
    arrays = {}
    for i, (prompt, answer) in enumerate(zip(prompts, answers)):
        arrays[f"text.{i}"] = numpy.frombuffer(PROMPTS[i].encode(), dtype=numpy.uint8)
        arrays[f"tokens.{i}"] = numpy.array(prompt, dtype=numpy.int32)
        arrays[f"logits.{i}"] = logits(model, prompt).numpy()
        arrays[f"greedy.{i}"] = numpy.array(answer, dtype=numpy.int32)
    return arrays


def record(name: str, arch: str, pre_tokenizer: str, model: torch.nn.Module, check: bool) -> None:
    """Find a seed whose greedy tokens are varied and clear, then write the two files (or compare with them)."""
    model.eval()
    tokens, merges = train_tokenizer(pre_tokenizer)
    prompts = [tokenize(tokens, merges, pre_tokenizer, prompt) for prompt in PROMPTS]
    for seed in range(2000):
        randomise(model, seed, tokens)
        answers = []
        for prompt in prompts:
            answer, gap = greedy(model, prompt)
            if gap < MIN_GAP or len(set(answer)) < MIN_DISTINCT:
                break
            answers.append(answer)
        if len(answers) == len(prompts):
            break
    else:
        sys.exit(f"{name}: no seed gives clear, varied greedy tokens")
    arrays = recorded_arrays(model, prompts, answers)
    recorded = HERE / f"{name}.safetensors"
    if check:
        for key, old in load_file(recorded).items():
            numpy.testing.assert_allclose(arrays[key], old, rtol=1e-4, atol=1e-4, err_msg=f"{name} {key}")
    else:
        save_file(arrays, recorded, metadata={"seed": str(seed)})
        recorded.chmod(0o644)
        write_gguf(HERE / f"{name}.gguf", arch, model, tokens, merges, pre_tokenizer)
    spread = arrays["logits.2"].std()
    print(f"{name}: seed {seed}, prompts of {[len(p) for p in prompts]} tokens, standard deviation of the logits {spread:.2f}")
    for answer in answers:
        print(f"  {''.join(tokens[t] for t in answer)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the recorded files instead of writing them")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    for name, (arch, pre_tokenizer, model) in golden_models().items():
        record(name, arch, pre_tokenizer, model, check)


if __name__ == "__main__":
    main()
