"""Trains three small tokenizers, writes them as GGUF files without tensors, and records the ids that transformers and
sentencepiece give the texts of texts.py; with the path of SmolLM2's GGUF as argument, also those of its vocabulary.

    python record_tokenizers.py [SmolLM2-135M-Instruct.Q4_1.gguf]
"""

import io
import json
import sys
from pathlib import Path

import gguf
import sentencepiece
from gguf import TokenType
from sentencepiece import sentencepiece_model_pb2
from texts import TEXTS, TRAINING
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import generate_merges
from transformers.models.codegen.tokenization_codegen import CodeGenTokenizer

HERE = Path(__file__).parent
END = "<|endoftext|>"
PARTS = {
    "gpt-2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    "smollm": lambda: pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ]),
}


def record(name: str, start, continuation) -> None:
    """Writes the ids of every text at the start and as a continuation; both are functions of a text."""
    ids = [{"start": start(text), "continuation": continuation(text)} for text in TEXTS]
    lines = ",\n".join(json.dumps(line, separators=(",", ":")) for line in ids)
    (HERE / f"{name}.ids.json").write_text(f"[\n{lines}\n]\n")


def backend_ids(tokenizer: Tokenizer):
    tokenizer.encode_special_tokens = True  # text that looks like a special token is text
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def train_byte_level(pre_tokenizer, specials: list[str], size: int) -> tuple[dict[str, int], list]:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TRAINING + TEXTS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def write(name: str, model: str, tokens: list[str], types: list[int], **more) -> None:
    writer = gguf.GGUFWriter(HERE / f"{name}.gguf", more.pop("architecture"))
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    for method, value in more.items():
        getattr(writer, f"add_{method}")(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def smollm() -> None:
    specials = [END, "<|im_start|>", "<|im_end|>"]
    vocab, merges = train_byte_level(PARTS["smollm"](), specials, 560)
    tokens = sorted(vocab, key=vocab.get)
    types = [TokenType.CONTROL if token in specials else TokenType.NORMAL for token in tokens]
    write(
        "smollm", "gpt2", tokens, types, architecture="llama", tokenizer_pre="smollm",
        token_merges=[" ".join(merge) for merge in merges], bos_token_id=1, eos_token_id=2, add_bos_token=False,
    )
    ids = byte_level_ids(PARTS["smollm"](), vocab, merges, specials)
    record("smollm", ids, ids)


def byte_level_ids(pre_tokenizer, vocab, merges, specials):
    tokenizer = Tokenizer(BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.add_special_tokens({"additional_special_tokens": specials})
    return backend_ids(fast.backend_tokenizer)


def phi_2() -> None:
    vocab, merges = train_byte_level(PARTS["gpt-2"](), [], 540)
    # Phi-2's added tokens: runs of spaces and of tabs, after the vocabulary, and unused ids after those.
    added = [" " * count for count in range(16, 1, -1)] + ["\t" * count for count in range(5, 1, -1)]
    fast = CodeGenTokenizer(vocab={**vocab, END: len(vocab)}, merges=merges)
    fast.add_tokens([AddedToken(token, normalized=True) for token in added])
    tokens = [*sorted(vocab, key=vocab.get), END, *added, "[PAD1]", "[PAD2]"]
    assert fast.convert_tokens_to_ids(added[0]) == tokens.index(added[0])
    kinds = [TokenType.NORMAL] * len(vocab) + [TokenType.CONTROL]
    kinds += [TokenType.USER_DEFINED] * len(added) + [TokenType.UNUSED] * 2
    end = len(vocab)
    write(
        "phi-2", "gpt2", tokens, kinds, architecture="phi2", tokenizer_pre="phi-2",
        token_merges=[" ".join(merge) for merge in merges], bos_token_id=end, eos_token_id=end,
    )
    ids = backend_ids(fast.backend_tokenizer)
    record("phi-2", ids, ids)


def llama() -> None:
    trained = io.BytesIO()
    # Llama 2's settings, https://github.com/facebookresearch/llama/issues/217
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in TRAINING + TEXTS[:100] for line in text.split("\n") if "\0" not in line),
        model_writer=trained, model_type="bpe", vocab_size=700, byte_fallback=True, split_digits=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True,
        allow_whitespace_only_pieces=True, character_coverage=0.98, minloglevel=2,
    )
    proto = sentencepiece_model_pb2.ModelProto.FromString(trained.getvalue())
    tokens = [piece.piece for piece in proto.pieces]
    scores = [piece.score for piece in proto.pieces]
    types = [piece.type for piece in proto.pieces]
    write(
        "llama", "llama", tokens, types, architecture="llama", token_scores=scores,
        bos_token_id=1, eos_token_id=2, unk_token_id=0, add_bos_token=True,
    )
    start, continuation = (llama_ids(proto, prefix) for prefix in (True, False))
    record("llama", lambda text: [1, *start(text)], continuation)


def llama_ids(proto, prefix: bool):
    """As transformers' LlamaConverter builds it (legacy), checked against sentencepiece itself."""
    vocab = {piece.piece: id for id, piece in enumerate(proto.pieces)}
    scores = {piece.piece: piece.score for piece in proto.pieces}
    special = [piece.piece for piece in proto.pieces if piece.type in (2, 3)]
    merges = generate_merges(vocab, scores, skip_tokens=special)
    tokenizer = Tokenizer(BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    replace = normalizers.Replace(" ", "▁")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), replace]) if prefix else replace
    tokenizer.add_special_tokens(special)
    proto.normalizer_spec.add_dummy_prefix = prefix
    own = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
    ids = backend_ids(tokenizer)
    for text in TEXTS:
        if "\0" not in text:  # sentencepiece ends there
            assert ids(text) == own.encode(text), (text, ids(text), own.encode(text))
    return ids


def smollm2(path: str) -> None:
    fields = gguf.GGUFReader(path).fields
    read = lambda key: fields[f"tokenizer.ggml.{key}"].contents()
    tokens, types = read("tokens"), read("token_type")
    merges = [tuple(merge.split(" ")) for merge in read("merges")]
    vocab = {token: id for id, token in enumerate(tokens)}
    specials = [token for token, kind in zip(tokens, types) if kind == TokenType.CONTROL]
    ids = byte_level_ids(PARTS["smollm"](), vocab, merges, specials)
    record("smollm2", ids, ids)


def main() -> None:
    (HERE / "texts.json").write_text(json.dumps(TEXTS, indent=0, ensure_ascii=True) + "\n")
    smollm()
    phi_2()
    llama()
    if len(sys.argv) > 1:
        smollm2(sys.argv[1])


main()
