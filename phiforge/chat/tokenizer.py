"""Text to token ids and back: from a checkpoint's folder, from a GGUF file, or built from ranks for the presets.

One rule holds everywhere: ids of special tokens come from the caller, never from text. `encode` reads the string
`<|im_end|>` as eleven characters unless it is told otherwise, so a user cannot end their own turn and open another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import msgspec
import tokenizers
from tokenizers import pre_tokenizers

from phiforge.chat.detokenizer import Detokenizer, TokenTexts

if TYPE_CHECKING:
    import gguf

# What \s means to the `tokenizers` library (Unicode White_Space). Python's own set has U+001C to U+001F besides.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"


class Tokenizer:
    """A checkpoint's tokenizer. Make one with `from_folder`, `from_gguf` or `for_preset`.

    Attributes: `bos_id` and `pad_id` (None where there is none), `eos_ids` (every id that ends a generation; first the
    one that templates see as `eos_token`), `specials` (the text of each special token and its id), `chat_template`
    (the checkpoint's own jinja text, or None), `source` (where it came from, for messages), `vocab_size` (highest id
    + 1; the model's embedding may be padded beyond it).
    """

    def __init__(
        self,
        core: tokenizers.Tokenizer,
        *,
        bos_id: int | None = None,
        eos_ids: Iterable[int] = (),
        pad_id: int | None = None,
        chat_template: str | None = None,
        source: str = "tokenizer",
    ) -> None:
        self.bos_id = bos_id
        self.eos_ids = tuple(dict.fromkeys(eos_ids))
        self.pad_id = pad_id
        self.chat_template = chat_template
        self.source = source
        self._core = core
        self._added: dict[int, tokenizers.AddedToken] = core.get_added_tokens_decoder()
        ids = {token.content: i for i, token in self._added.items()}
        # Some checkpoints add runs of blanks as tokens. Those are text and always matched; the rest is markup.
        self.specials = {text: i for text, i in ids.items() if text.strip(_SPACE)}
        self._ids = ids
        self._special_ids = frozenset(self.specials.values())
        self._markup = _any_of(ids)
        self._blanks = _any_of(ids.keys() - self.specials.keys())
        self._plain = _without_added_tokens(core)
        self._plain_continued = _without_first_space(self._plain)
        self._texts = TokenTexts(core, self._added)
        self.vocab_size = max(core.get_vocab_size() - 1, *self._special_ids, -1) + 1

    @property
    def core(self) -> tokenizers.Tokenizer:
        """The `tokenizers` library's object, for whoever writes it out in another form. Not to be changed."""
        return self._core

    # --- constructors ----------------------------------------------------------------------------------------------

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        """Read the Hugging Face layout: `tokenizer.json`, and beside it whatever there is of `tokenizer_config.json`,
        `special_tokens_map.json`, `chat_template.jinja`, `generation_config.json` and `config.json`.

        Raises FileNotFoundError without a `tokenizer.json`, ValueError when a file does not parse.
        """
        folder = Path(folder)
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise FileNotFoundError(f"{folder} has no tokenizer.json; convert the checkpoint with transformers first")
        try:
            core = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{path}: not a tokenizer: {error}") from None
        config = {**_read_json(folder / "special_tokens_map.json"), **_read_json(folder / "tokenizer_config.json")}
        generation, model = _read_json(folder / "generation_config.json"), _read_json(folder / "config.json")

        def id_of(role: str) -> int | None:
            text: Any = config.get(f"{role}_token")
            if isinstance(text, dict):  # written out with its flags
                text = cast(dict[str, Any], text).get("content")
            return core.token_to_id(text) if isinstance(text, str) else None

        eos: list[int | None] = []
        for found in (id_of("eos"), generation.get("eos_token_id"), model.get("eos_token_id")):
            eos += cast(list[int], found) if isinstance(found, list) else [found]
        return cls(
            core,
            bos_id=id_of("bos"),
            eos_ids=[i for i in eos if i is not None],
            pad_id=id_of("pad"),
            chat_template=_template_of(folder, config),
            source=str(folder),
        )

    @classmethod
    def from_gguf(cls, file: gguf.GGUFReader | str | Path) -> Self:
        """Build the tokenizer from a GGUF file's metadata. An open reader saves the seconds that opening one takes.

        Raises ValueError naming a tokenizer type or pre-tokenizer that is not supported.
        """
        from phiforge.chat import gguf_vocab

        return cls(**gguf_vocab.read(file))

    @classmethod
    def for_preset(cls, name: str) -> Self:
        """Build a Phi-4 member's tokenizer without its checkpoint, from public ranks. Cached after the first time.

        Raises ValueError for an unknown name, ModuleNotFoundError when the package that ships the ranks is missing.
        """
        from phiforge.chat import ranks

        return cls(**ranks.preset(name))

    # --- text to ids -----------------------------------------------------------------------------------------------

    def encode(self, text: str, *, specials: bool = False) -> list[int]:
        """Ids of `text`, without a BOS. Special-token strings in it are plain characters unless `specials` is True."""
        pieces = self.split(text) if specials else [text]
        return [i for ids in self.encode_pieces(pieces) for i in ids]

    def split(self, text: str) -> list[int | str]:
        """Cut `text` at its special-token strings: their ids, and the plain text between."""
        return _split(text, self._markup, self._ids)

    def encode_pieces(self, pieces: Sequence[int | str]) -> list[list[int]]:
        """Ids of each piece: an int is a special token's id and stands for itself, a str is plain text.

        Where the checkpoint flags a special token `lstrip` or `rstrip`, white space beside it goes, as it does in
        transformers.
        """
        encoded: list[list[int]] = []
        for n, piece in enumerate(pieces):
            if isinstance(piece, int):
                encoded.append([piece])
                continue
            if n > 0 and self._flag(pieces[n - 1], "rstrip"):
                piece = piece.lstrip(_SPACE)
            if n + 1 < len(pieces) and self._flag(pieces[n + 1], "lstrip"):
                piece = piece.rstrip(_SPACE)
            encoded.append(self._encode_text(piece, self._plain if n == 0 else self._plain_continued))
        return encoded

    def _flag(self, piece: int | str, flag: str) -> bool:
        return isinstance(piece, int) and piece in self._added and bool(getattr(self._added[piece], flag))

    def _encode_text(self, text: str, core: tokenizers.Tokenizer) -> list[int]:
        if self._blanks is not None:
            ids: list[int] = []
            for piece in _split(text, self._blanks, self._ids):
                ids += [piece] if isinstance(piece, int) else core.encode(piece, add_special_tokens=False).ids
        else:
            try:
                ids = core.encode(text, add_special_tokens=False).ids
            except TypeError:
                raise ValueError(f"text with a lone surrogate cannot be encoded: {text[:80]!r}") from None
        if self._special_ids.isdisjoint(ids):
            return ids
        # Merges can spell a special token in some vocabularies; cutting each such string keeps it text.
        cuts = [m.start() + 1 for m in self._markup.finditer(text)] if self._markup else []
        if not cuts:
            raise ValueError(f"{self.source}: plain text encodes to a special token: {text[:80]!r}")
        parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        return self._encode_text(parts[0], core) + [
            i for part in parts[1:] for i in self._encode_text(part, self._plain_continued)
        ]

    # --- ids to text -----------------------------------------------------------------------------------------------

    def decode(self, ids: Iterable[int], *, skip_special: bool = True) -> str:
        """Text of `ids`. Bytes that are no UTF-8 become U+FFFD; an id without a token (a padded row of the embedding)
        is nothing. With `skip_special`, special tokens are left out, except the tags of thoughts and tool calls."""
        text = b"".join([self._texts.bytes_of(i, skip_special) for i in ids]).decode("utf-8", "replace")
        return text[1:] if self._texts.drops_first_space and text.startswith(" ") else text

    def detokenizer(self, *, skip_special: bool = True) -> Detokenizer:
        """A fresh streaming decoder, one for each generated sequence."""
        return Detokenizer(self._texts, skip_special)

    def token_bytes(self) -> list[bytes]:
        """The bytes of every id below `vocab_size`: a special token has its name, an id without a token nothing."""
        return self._texts.all_bytes(self.vocab_size)

    # --- files -----------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Write the Hugging Face layout: `from_folder` and transformers' AutoTokenizer load the same tokenizer.

        `generation_config.json`, which belongs to the model, is written only where there is none: it holds `eos_ids`.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._core.save(str(folder / "tokenizer.json"), pretty=False)
        named = {"bos_token": self.bos_id, "eos_token": next(iter(self.eos_ids), None), "pad_token": self.pad_id}
        tokens = {role: self._core.id_to_token(i) for role, i in named.items() if i is not None}
        config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
        if self.chat_template is not None:
            config["chat_template"] = self.chat_template
        _write_json(folder / "special_tokens_map.json", tokens)
        _write_json(folder / "tokenizer_config.json", {**config, **tokens})
        if not (folder / "generation_config.json").exists():
            ids = {"bos_token_id": self.bos_id, "eos_token_id": list(self.eos_ids), "pad_token_id": self.pad_id}
            _write_json(folder / "generation_config.json", {k: v for k, v in ids.items() if v is not None})


def _any_of(texts: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern for any of `texts`, the longest first."""
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _split(text: str, pattern: re.Pattern[str] | None, ids: dict[str, int]) -> list[int | str]:
    pieces: list[int | str] = []
    at = 0
    for match in pattern.finditer(text) if pattern else ():
        if match.start() > at:
            pieces.append(text[at : match.start()])
        pieces.append(ids[match.group()])
        at = match.end()
    if at < len(text):
        pieces.append(text[at:])
    return pieces


def _without_added_tokens(core: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The same model (shared, not copied) with no added tokens: it takes every text literally."""
    plain = tokenizers.Tokenizer(core.model)
    if core.normalizer is not None:
        plain.normalizer = core.normalizer
    if core.pre_tokenizer is not None:
        plain.pre_tokenizer = core.pre_tokenizer
    return plain


def _without_first_space(plain: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """For text after a special token: sentencepiece's "first" scheme puts its space where the whole text begins."""
    step = plain.pre_tokenizer
    if not isinstance(step, pre_tokenizers.Metaspace) or step.prepend_scheme != "first":
        return plain
    continued = _without_added_tokens(plain)
    continued.pre_tokenizer = pre_tokenizers.Metaspace(step.replacement, prepend_scheme="never", split=step.split)
    return continued


def _template_of(folder: Path, config: dict[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template: Any = config.get("chat_template")
    if isinstance(template, list):  # several named templates, the old layout
        template = {t["name"]: t["template"] for t in cast(list[dict[str, str]], template)}.get("default")
    return template


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}") from None


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2))
