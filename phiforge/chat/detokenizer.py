"""Token ids to text, one at a time, without ever emitting half a character."""

from __future__ import annotations

import codecs
import re
from typing import Any

import msgspec
import tokenizers

# The tags that the parser reads. They stay visible even where a checkpoint flags them special: without them nobody
# could tell a thought from an answer.
VISIBLE_TAGS = frozenset({"<think>", "</think>", "<|tool_call|>", "<|/tool_call|>"})


class Detokenizer:
    """Turns ids into text one at a time and never emits half a character.

    The texts of all `feed` calls and the final `flush` together equal `Tokenizer.decode` of all ids.
    """

    def __init__(self, decoder: TokenTexts, skip_special: bool) -> None:
        self._decoder = decoder
        self._skip_special = skip_special
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = False  # bytes of an unfinished character wait in _utf8
        self._first = decoder.drops_first_space

    def feed(self, token_id: int) -> str:
        """The text that `token_id` completes; empty while a character is unfinished."""
        text = None if self._pending else self._decoder.text_of(token_id, self._skip_special)
        if text is None:
            text = self._utf8.decode(self._decoder.bytes_of(token_id, self._skip_special))
            self._pending = bool(self._utf8.getstate()[0])
        if self._first and text:
            self._first = False
            return text.removeprefix(" ")
        return text

    def flush(self) -> str:
        """What is left at the end: U+FFFD for a character that was never finished."""
        self._pending = False
        return self._utf8.decode(b"", final=True)


class TokenTexts:
    """Bytes and text of single tokens, cached: `feed` runs once a token of every sample."""

    def __init__(self, core: tokenizers.Tokenizer, added: dict[int, tokenizers.AddedToken]) -> None:
        state: dict[str, Any] = msgspec.json.decode(core.decoder.__getstate__()) if core.decoder else {}
        steps = {step["type"]: step for step in state.get("decoders", [state] if state else [])}
        self.byte_level = "ByteLevel" in steps
        if not self.byte_level and not steps.keys() & {"Metaspace", "ByteFallback"}:
            raise ValueError(f"unsupported decoder in the tokenizer: {', '.join(steps) or 'none'}")
        prepends = steps.get("Metaspace", {}).get("prepend_scheme", "never") != "never"
        self.drops_first_space = not self.byte_level and (prepends or "Strip" in steps)
        self._core = core
        self._added = {i: token.content for i, token in added.items()}
        self._hidden = {i for i, t in added.items() if t.special and t.content not in VISIBLE_TAGS}
        self._bytes: dict[int, bytes] = {}
        self._texts: dict[int, str | None] = {}

    def text_of(self, token_id: int, skip_special: bool) -> str | None:
        """Text of the token if it is whole characters, else None."""
        if skip_special and token_id in self._hidden:
            return ""
        if token_id not in self._texts:
            try:
                self._texts[token_id] = self.bytes_of(token_id, False).decode()
            except UnicodeDecodeError:
                self._texts[token_id] = None
        return self._texts[token_id]

    def bytes_of(self, token_id: int, skip_special: bool) -> bytes:
        """UTF-8 of the token; half a character is possible."""
        if skip_special and token_id in self._hidden:
            return b""
        found = self._bytes.get(token_id)
        if found is None:
            found = self._bytes[token_id] = self._read(token_id)
        return found

    def all_bytes(self, size: int) -> list[bytes]:
        """`bytes_of` of the ids below `size`, many times faster than one by one."""
        table = [b""] * size
        for token, i in self._core.get_vocab(with_added_tokens=False).items():
            if i < size:
                try:
                    table[i] = token.translate(_LATIN1_OF).encode("latin-1") if self.byte_level else self._read(i)
                except UnicodeEncodeError:  # a letter that stands for no byte
                    table[i] = self._read(i)
        for i in self._added:
            table[i] = self._read(i)
        return table

    def _read(self, token_id: int) -> bytes:
        token: str | None = self._added.get(token_id) or self._core.id_to_token(token_id)
        if token is None:
            return b""
        if token_id in self._added:
            return token.encode()
        if self.byte_level:
            return bytes(_BYTE_OF[c] for c in token) if all(c in _BYTE_OF for c in token) else token.encode()
        if re.fullmatch("<0x[0-9A-F]{2}>", token):
            return bytes([int(token[3:5], 16)])
        return token.replace("▁", " ").encode()


def byte_letters() -> dict[int, str]:
    """The letter that stands for each byte in a byte-level vocabulary (GPT-2): the printable ones for themselves, the
    others, in order, for the letters from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(0x100) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(0x100 + n) for n, b in enumerate(others)}


_BYTE_OF = {letter: byte for byte, letter in byte_letters().items()}
# The same for str.translate, with U+0100 for what stands for no byte.
_LATIN1_OF = dict.fromkeys(range(0x100), 0x100) | {ord(letter): byte for letter, byte in _BYTE_OF.items()}
