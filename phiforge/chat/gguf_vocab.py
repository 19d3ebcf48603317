"""A tokenizer out of GGUF metadata (`tokenizer.ggml.*`): byte-level BPE ("gpt2") and sentencepiece BPE ("llama").

GGUF names a pre-tokenizer instead of holding it, so the names are resolved here. The patterns are those of the
models' own tokenizer files; which name means which pattern follows llama.cpp (src/llama-vocab.cpp), whose converter
writes the names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers

if TYPE_CHECKING:
    import gguf

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = CL100K.replace(r"\p{N}{1,3}", r"\p{N}")
_WORD_END = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_WORD_END}|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_WORD_END}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# Each name's patterns, applied one after the other.
PRE_TOKENIZERS: dict[str, tuple[str, ...]] = {
    # What llama.cpp falls back to when the converter did not know the model.
    "default": (r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"),
    "gpt-2": (GPT2,),
    "phi-2": (GPT2,),
    "smollm": (r"\p{N}", GPT2),
    "starcoder": (r"\p{N}", GPT2),
    "llama-bpe": (CL100K,),
    "llama3": (CL100K,),
    "llama-v3": (CL100K,),
    "dbrx": (CL100K,),  # phi-4 14B: its tokenizer is cl100k, which the converter first met in DBRX
    "smaug-bpe": (CL100K,),
    "qwen2": (QWEN2,),
    "deepseek-r1-qwen": (QWEN2,),
    "gpt-4o": (O200K,),  # phi-4-mini
}

# Token types of the GGUF specification.
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 1, 2, 3, 4, 6


def read(file: gguf.GGUFReader | str | Path) -> dict[str, Any]:
    """The arguments of `Tokenizer` for this file. Raises ValueError naming what is missing or not supported."""
    import gguf

    reader = file if isinstance(file, gguf.GGUFReader) else gguf.GGUFReader(file)

    def get(key: str, default: Any = None) -> Any:
        field = reader.fields.get(f"tokenizer.{key}")
        return default if field is None else field.contents()

    tokens: list[str] | None = get("ggml.tokens")
    if tokens is None:
        raise ValueError(f"{_name(file)}: no tokenizer in this GGUF file (tokenizer.ggml.tokens is missing)")
    types: list[int] = get("ggml.token_type", [_NORMAL] * len(tokens))
    kind: str = get("ggml.model")
    if kind == "gpt2":
        core = _byte_level(tokens, get("ggml.merges", []), get("ggml.pre", "default"), _name(file))
    elif kind == "llama":
        core = _sentencepiece(tokens, types, get("ggml.scores", []), get("ggml.add_space_prefix", True))
    else:
        raise ValueError(f"{_name(file)}: tokenizer type {kind!r} is not supported, only 'gpt2' and 'llama'")
    # User-defined tokens are cut out of text like control tokens, but they are shown when decoding.
    core.add_tokens(  # pyright: ignore[reportUnknownMemberType]
        [
            AddedToken(token, special=kind != _USER_DEFINED, normalized=False)
            for token, kind in zip(tokens, types, strict=True)
            if kind in (_CONTROL, _USER_DEFINED)
        ]
    )
    eos = (get(f"ggml.{role}_token_id") for role in ("eos", "eot", "eom"))
    return {
        "core": core,
        "bos_id": get("ggml.bos_token_id"),
        "eos_ids": [i for i in eos if i is not None],
        "pad_id": get("ggml.padding_token_id"),
        "chat_template": get("chat_template"),
        "source": _name(file),
    }


def _name(file: gguf.GGUFReader | str | Path) -> str:
    return str(file) if isinstance(file, str | Path) else str(getattr(file.data, "filename", "GGUF file"))


def pre_tokenizer(patterns: tuple[str, ...]) -> pre_tokenizers.PreTokenizer:
    """Split at each pattern in turn, then write bytes as letters."""
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    return pre_tokenizers.Sequence([*splits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _byte_level(tokens: list[str], merges: list[str], pre: str, source: str) -> tokenizers.Tokenizer:
    if pre not in PRE_TOKENIZERS:
        raise ValueError(
            f"{source}: pre-tokenizer {pre!r} is not supported; known are {', '.join(sorted(PRE_TOKENIZERS))}"
        )
    model = models.BPE(
        vocab=_ids(tokens),
        merges=[(left, right) for left, _, right in (merge.partition(" ") for merge in merges)],
        ignore_merges=pre.startswith("llama"),  # llama 3 takes a whole word from the vocabulary before merging
    )
    core = tokenizers.Tokenizer(model)
    core.pre_tokenizer = pre_tokenizer(PRE_TOKENIZERS[pre])
    core.decoder = decoders.ByteLevel()
    return core


def _sentencepiece(
    tokens: list[str], types: list[int], scores: list[float], space_prefix: bool
) -> tokenizers.Tokenizer:
    """Sentencepiece merges whichever neighbours make the token of the highest score: the same as a list of all
    possible merges, best score first."""
    score = {t: s for t, kind, s in zip(tokens, types, scores, strict=True) if kind in (_NORMAL, _USER_DEFINED)}
    merges = [
        (token[:at], token[at:])
        for token in score
        for at in range(1, len(token))
        if token[:at] in score and token[at:] in score
    ]
    merges.sort(key=lambda pair: (-score[pair[0] + pair[1]], -len(pair[0])))
    unknown = next((t for t, kind in zip(tokens, types, strict=True) if kind == _UNKNOWN), None)
    model = models.BPE(
        vocab=_ids(tokens), merges=merges, unk_token=unknown, fuse_unk=True, byte_fallback=_BYTE in types
    )
    core = tokenizers.Tokenizer(model)
    blanks = normalizers.Replace(" ", "▁")
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), blanks]) if space_prefix else blanks
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    core.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if space_prefix else steps)
    return core


def _ids(tokens: list[str]) -> dict[str, int]:
    """The id of each token; of two alike, the first."""
    return {token: i for i, token in reversed(list(enumerate(tokens)))}
