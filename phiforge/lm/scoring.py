"""Where a pair of texts is cut into what is given and what is weighed."""

from __future__ import annotations

from collections.abc import Sequence

from phiforge.chat.tokenizer import Tokenizer


def cut(pairs: Sequence[tuple[str, str]], tokenizer: Tokenizer) -> list[tuple[list[int], list[int]]]:
    """Token ids of each context and its continuation, both encoded in one.

    As in EleutherAI's lm-evaluation-harness, blanks at the end of the context go to the continuation. A token that
    reaches across the cut belongs to the continuation with all of its text (there it would be lost). Without a context
    the tokenizer's bos, or else its first eos, stands before the text.
    Raises ValueError for an empty continuation, and for an empty context where there is neither token.
    """
    contexts: dict[str, list[int]] = {}  # the choices of a question share theirs
    found: list[tuple[list[int], list[int]]] = []
    for context, continuation in pairs:
        if not continuation:
            raise ValueError(f"the text to score after {context[-80:]!r} is empty")
        whole = tokenizer.encode(context + continuation)
        context = context.rstrip()
        if context not in contexts:
            contexts[context] = tokenizer.encode(context)
        alone = contexts[context]
        at = 0
        while at < len(alone) and at < len(whole) and alone[at] == whole[at]:
            at += 1
        found.append((whole[:at] or [start(tokenizer)], whole[at:]))
    return found


def start(tokenizer: Tokenizer) -> int:
    """The token that stands before texts. Raises ValueError where there is none."""
    found = tokenizer.bos_id if tokenizer.bos_id is not None else next(iter(tokenizer.eos_ids), None)
    if found is None:
        raise ValueError(f"{tokenizer.source} has no bos or eos token, so a text to score needs another before it")
    return found
