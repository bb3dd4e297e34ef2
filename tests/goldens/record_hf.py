"""Record tiny models in the very form in which the hub publishes them: folders that transformers itself saves.

Beside each folder `hf/NAME/` (config.json, safetensors in shards with an index or in one file, tokenizer.json, tokenizer_config.json):

- hf/NAME.safetensors: what transformers computes with it in f32, in the form of the other goldens (see record.py).
- hf/NAME.ids.json: the token ids of every text of hf/texts.json, as the start of a sequence (one for each tokenizer).

Run `python record_hf.py`; it needs record.py and the texts of ../../crates/weights/tests/golden beside it. See README.md.
"""

import io
import json
import random
import shutil
import sys
from pathlib import Path

import sentencepiece
import torch
from record import HERE, PROMPTS, greedy, randomise, recorded_arrays
from safetensors.torch import load_file, save_file
from safetensors.numpy import save_file as save_arrays
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE
from transformers import (
    LlamaConfig, LlamaForCausalLM, LlamaTokenizer, MistralConfig, MistralForCausalLM, PhiConfig, PhiForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.convert_slow_tokenizer import generate_merges
from transformers.models.codegen.tokenization_codegen import CodeGenTokenizer

sys.path.append(str(HERE / "../../crates/weights/tests/golden"))
from texts import TEXTS, TRAINING  # noqa: E402

OUT = HERE / "hf"
END = "<|endoftext|>"
SHARD = "40KB"
NUM_TEXTS = 500
MIN_GAP = 0.02
MIN_DISTINCT = 6


def varied_texts() -> list[str]:
    """The short texts themselves, then such as two to four of them make with what stands between words, lines and cells."""
    rng = random.Random(6)
    short = [text for text in TEXTS + TRAINING if len(text) <= 90]
    texts = list(short)
    while len(texts) < NUM_TEXTS:
        parts = [rng.choice(short) for _ in range(rng.randint(2, 4))]
        texts.append("".join(part + rng.choice(["", " ", "  ", "\n", "\n\n", "\t", ", ", ": ", "/", "-"]) for part in parts))
    return texts


def byte_level(split, specials: list[str], size: int) -> tuple[dict[str, int], list]:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = split
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=specials, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TRAINING + TEXTS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def codegen():
    """As Phi-2's: runs of spaces and tabs are added tokens behind the vocabulary."""
    vocab, merges = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True), [], 480)
    tokenizer = CodeGenTokenizer(vocab={**vocab, END: len(vocab)}, merges=merges)
    runs = [" " * count for count in range(16, 1, -1)] + ["\t" * count for count in range(5, 1, -1)]
    tokenizer.add_tokens([AddedToken(run, normalized=True) for run in runs])
    return tokenizer


def smollm():
    split = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    specials = [END, "<|im_start|>", "<|im_end|>"]
    vocab, merges = byte_level(split, specials, 480)
    tokenizer = Tokenizer(BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer, tokenizer.decoder = split, decoders.ByteLevel()
    tokenizer.add_special_tokens(specials)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=specials[1], eos_token=specials[2], unk_token=END)


def sentence_piece():
    """Vocabulary and merges of a SentencePiece model with Llama 2's settings."""
    trained = io.BytesIO()
    lines = [line for text in TRAINING + TEXTS[:100] for line in text.split("\n") if "\0" not in line]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=trained, model_type="bpe", vocab_size=560, byte_fallback=True,
        split_digits=True, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True,
        allow_whitespace_only_pieces=True, character_coverage=0.98, minloglevel=2,
    )
    proto = sentencepiece_model_pb2.ModelProto.FromString(trained.getvalue())
    vocab = {piece.piece: id for id, piece in enumerate(proto.pieces)}
    scores = {piece.piece: piece.score for piece in proto.pieces}
    return vocab, generate_merges(vocab, scores, skip_tokens=["<unk>", "<s>", "</s>"])


def llama_published():
    """The tokenizer.json of Llama-2-7b-hf and Mistral-7B-v0.1: a normalizer puts the space before the text."""
    vocab, merges = sentence_piece()
    tokenizer = Tokenizer(BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", vocab["<s>"])]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def llama_saved():
    """The same as transformers 5 builds and saves it."""
    vocab, merges = sentence_piece()
    return LlamaTokenizer(vocab=vocab, merges=merges, add_bos_token=True)


def common(tokenizer) -> dict:
    return dict(
        vocab_size=len(tokenizer), num_hidden_layers=2, max_position_embeddings=2048, hidden_size=32, intermediate_size=48,
        num_attention_heads=4, attn_implementation="eager",
    )


def phi(tokenizer):
    rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}
    # Rows for more tokens than there are, as the published model has.
    return PhiForCausalLM(PhiConfig(**{**common(tokenizer), "vocab_size": len(tokenizer) + 5}, rope_parameters=rope))


def llama(tokenizer, tied=False, theta=10000.0, kv_heads=4):
    rope = {"rope_type": "default", "rope_theta": theta}
    return LlamaForCausalLM(
        LlamaConfig(
            **common(tokenizer), num_key_value_heads=kv_heads, rms_norm_eps=1e-5, rope_parameters=rope, tie_word_embeddings=tied
        )
    )


def mistral(tokenizer):
    rope = {"rope_type": "default", "rope_theta": 10000.0}
    return MistralForCausalLM(
        MistralConfig(
            **common(tokenizer), num_key_value_heads=2, rms_norm_eps=1e-5, rope_parameters=rope, sliding_window=8,
            tie_word_embeddings=False,
        )
    )


def raise_scores(model) -> None:
    """Adds 69,696 to every product of a query and a key, past what f16 holds and nothing to the softmax: in the dimensions that
    are not rotated all keys are 1, and the queries' bias is large."""
    state = model.state_dict()
    for name, tensor in state.items():
        if name.endswith("k_proj.weight"):
            tensor.view(4, 8, -1)[:, 4:] = 0.0
        if name.endswith("k_proj.bias"):
            tensor.view(4, 8)[:, 4:] = 1.0
        if name.endswith("q_proj.bias"):
            tensor.view(4, 8)[:, 4:] = 17424.0
    model.load_state_dict(state)


def round_to(model, dtype) -> None:
    model.load_state_dict({name: tensor.to(dtype).float() for name, tensor in model.state_dict().items()})
    model.tie_weights()


def find_seed(name: str, model, tokenizer, dtype, change) -> tuple[list, list, int]:
    """The first seed whose greedy tokens are clear and varied."""
    words = [tokenizer.convert_ids_to_tokens(i) or "" for i in range(model.config.vocab_size)]
    prompts = [tokenizer(prompt)["input_ids"] for prompt in PROMPTS]
    for seed in range(3000):
        randomise(model, seed, words)
        change(model)
        round_to(model, dtype)
        answers = []
        for prompt in prompts:
            answer, gap = greedy(model, prompt)
            if gap < MIN_GAP or len(set(answer)) < MIN_DISTINCT:
                break
            answers.append(answer)
        if len(answers) == len(prompts):
            return prompts, answers, seed
    sys.exit(f"{name}: no seed gives clear, varied greedy tokens")


def old_names(folder: Path) -> None:
    """Rewrites a phi folder as microsoft/phi-2 was first published: other names, and Q, K and V in one matrix."""
    state = {}
    for file in sorted(folder.glob("*.safetensors")):
        state.update(load_file(file))
        file.unlink()
    (folder / "model.safetensors.index.json").unlink(missing_ok=True)
    out = {}
    for end, kind in [("weight", "weight"), ("bias", "bias")]:
        out[f"lm_head.ln.{end}"] = state[f"model.final_layernorm.{kind}"]
        out[f"lm_head.linear.{end}"] = state[f"lm_head.{kind}"]
        for i in range(2):
            new, old = f"model.layers.{i}.", f"transformer.h.{i}."
            out[f"{old}ln.{end}"] = state[f"{new}input_layernorm.{kind}"]
            out[f"{old}mixer.Wqkv.{end}"] = torch.cat([state[f"{new}self_attn.{x}_proj.{kind}"] for x in "qkv"])
            out[f"{old}mixer.out_proj.{end}"] = state[f"{new}self_attn.dense.{kind}"]
            for fc in ["fc1", "fc2"]:
                out[f"{old}mlp.{fc}.{end}"] = state[f"{new}mlp.{fc}.{kind}"]
    out["transformer.embd.wte.weight"] = state["model.embed_tokens.weight"]
    save_file(out, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    old = {
        "activation_function": "gelu_new", "architectures": ["PhiForCausalLM"], "attn_pdrop": 0.0, "embd_pdrop": 0.0,
        "flash_attn": False, "flash_rotary": False, "fused_dense": False, "img_processor": None,
        "initializer_range": 0.02, "layer_norm_epsilon": config["layer_norm_eps"], "model_type": "phi-msft",
        "n_embd": config["hidden_size"], "n_head": config["num_attention_heads"], "n_head_kv": None,
        "n_inner": config["intermediate_size"], "n_layer": config["num_hidden_layers"],
        "n_positions": config["max_position_embeddings"], "resid_pdrop": 0.1, "rotary_dim": 4,
        "tie_word_embeddings": False, "torch_dtype": "float16", "vocab_size": config["vocab_size"],
    }
    (folder / "config.json").write_text(json.dumps(old, indent=2) + "\n")


def record(name: str, tokenizer, model, dtype, shard: str = "10GB", change=lambda model: None, rewrite=None, ids=True) -> None:
    model.eval()
    prompts, answers, seed = find_seed(name, model, tokenizer, dtype, change)
    arrays = recorded_arrays(model, prompts, answers)
    save_arrays(arrays, OUT / f"{name}.safetensors", metadata={"seed": str(seed)})
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    tokenizer.save_pretrained(folder)
    for file in folder.iterdir():
        if file.name not in ("config.json", "tokenizer.json", "tokenizer_config.json") and "safetensors" not in file.name:
            file.unlink()
    if rewrite:
        rewrite(folder)
    for file in [OUT / f"{name}.safetensors", *folder.iterdir()]:
        file.chmod(0o644)
    if ids:
        record_ids(name, tokenizer.backend_tokenizer)
    print(f"{name}: seed {seed}, {len(list(folder.glob('*.safetensors')))} files of weights, logits {arrays['logits.2'].std():.2f}")


def record_ids(name: str, backend: Tokenizer) -> None:
    backend.encode_special_tokens = True  # text that looks like a special token is text
    ids = [backend.encode(text, add_special_tokens=True).ids for text in varied_texts()]
    (OUT / f"{name}.ids.json").write_text("[\n" + ",\n".join(json.dumps(line, separators=(",", ":")) for line in ids) + "\n]\n")


def main() -> None:
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    (OUT / "texts.json").write_text(json.dumps(varied_texts(), indent=0, ensure_ascii=True) + "\n")
    tokenizer = codegen()
    record("phi", tokenizer, phi(tokenizer), torch.float16, SHARD)
    tokenizer = codegen()
    record("phi-first", tokenizer, phi(tokenizer), torch.float32, rewrite=old_names, ids=False)
    tokenizer = codegen()
    record("phi-large-scores", tokenizer, phi(tokenizer), torch.float16, change=raise_scores, ids=False)
    tokenizer = llama_published()
    record("llama-2", tokenizer, llama(tokenizer), torch.float16, SHARD)
    tokenizer = llama_saved()
    record("mistral", tokenizer, mistral(tokenizer), torch.bfloat16, SHARD)
    tokenizer = smollm()
    record("smollm2", tokenizer, llama(tokenizer, tied=True, theta=100000.0, kv_heads=2), torch.bfloat16)


main()
