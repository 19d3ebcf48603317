"""Midtraining: the network learns a longer context. The rotary embedding's base grows, the learning rate is a tenth of
pretraining's, and long documents are mixed with what pretraining saw (Phi-4's report, section 3.3: 30 % and 70 %).

Documents that are long by nature serve better than joined short ones, says the report. Where there are none, two kinds are
made here whose ends need their beginnings: exercise books, with all answers after all questions, and registers, in which
numbers are looked up. How well a network looks things up at a length is measured on registers it has not seen.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from random import Random

import torch
from msgspec import Struct
from msgspec.structs import replace
from torch import Tensor

from phiforge.chat.tokenizer import Tokenizer
from phiforge.model.config import ModelConfig
from phiforge.model.phi3 import Phi3
from phiforge.records import Example
from phiforge.train.batches import Batch, Document, hidden

RETRIEVALS = 50  # registers of each length, when retrieval is measured
_SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]


def extend(config: ModelConfig, context: int, rope_theta: float) -> ModelConfig:
    """The same network for a longer context. Raises ValueError for a shorter one, or where the embedding is scaled already."""
    if context < config.context:
        raise ValueError(f"context = {context} is shorter than the network's {config.context}")
    if config.rope.scaling != "none":
        raise ValueError(
            f"its rotary embedding is scaled already ({config.rope.scaling}); changing the base is not for it"
        )
    return replace(config, context=context, original_context=context, rope=replace(config.rope, theta=rope_theta))


def exercise_book(rows: Sequence[Example], tokenizer: Tokenizer, length: int, chance: Random) -> array[int]:
    """About `length` tokens: numbered questions of rows drawn by chance, then their answers, in another order."""
    questions: list[str] = []
    answers: list[str] = []
    size = 0
    while size < length:
        row = rows[chance.randrange(len(rows))]
        number = len(questions) + 1
        questions.append(f"{number}. " + "\n".join(message.text for message in row.problem.messages))
        answers.append(f"Answer {number}: {row.problem.answer or row.response.text}")
        size += len(tokenizer.encode(questions[-1])) + len(tokenizer.encode(answers[-1])) + 4
    chance.shuffle(answers)
    ids = tokenizer.encode("\n\n".join([*questions, *answers]))
    return array("I", [*ids[: length - 1], tokenizer.eos_ids[0]])


class Register(Struct, frozen=True):
    """Names with their numbers, some of which come again at the end: token ids, and where in them the first number to be
    recalled lies."""

    ids: list[int]
    start: int
    stop: int


def register(tokenizer: Tokenizer, length: int, recalled: float, chance: Random) -> Register:
    """At most `length` tokens, of which the share `recalled`, or at least one line, recalls lines in another order.

    Raises ValueError if the length has no room for two lines.
    """
    heading = tokenizer.encode("\nAgain:\n")
    room = length - len(heading) - 1
    lines: dict[str, tuple[list[int], list[int]]] = {}
    used = longest = 0
    while True:
        name = "".join(chance.choice(_SYLLABLES) for _ in range(3)).capitalize()
        line = tokenizer.encode(f"{name}:"), tokenizer.encode(f" {chance.randrange(100, 1000)}\n")
        size = len(line[0]) + len(line[1])
        longest = max(longest, size)
        if used + size + max(longest, recalled * room) > room:
            break
        if name not in lines:
            lines[name] = line
            used += size
    if len(lines) < 2:
        raise ValueError(f"a register of {length} tokens has no room for two lines")
    ids = [id for name, number in lines.values() for id in (*name, *number)] + heading
    again = list(lines.values())
    chance.shuffle(again)
    start = len(ids) + len(again[0][0])
    stop = start + len(again[0][1]) - 1  # but for the line's end
    for name, number in again:
        if len(ids) + len(name) + len(number) < length:
            ids += [*name, *number]
    return Register([*ids, tokenizer.eos_ids[0]], start, stop)


def books(rows: Sequence[Example], tokenizer: Tokenizer, length: int, tokens: int, seed: int) -> list[array[int]]:
    """Long documents, exercise books and registers in turn, of about `tokens` in all; lengths are drawn from half to whole."""
    found: list[array[int]] = []
    chance, size = Random(f"books {seed}"), 0
    while size < tokens:
        long = chance.randrange(length // 2, length)
        if len(found) % 2 and rows:
            found.append(exercise_book(rows, tokenizer, long, chance))
        else:
            found.append(array("I", register(tokenizer, long, 0.4, chance).ids))
        size += len(found[-1])
    return found


@torch.no_grad()
def retrieval(model: Phi3, tokenizer: Tokenizer, length: int, n: int = RETRIEVALS, seed: int = 1) -> int:
    """In how many of `n` registers of about `length` tokens the number asked for is the likeliest continuation, every token of
    it. Depths are drawn by chance; training's registers come from another seed."""
    chance, right = Random(f"retrieval {length} {seed}"), 0
    for _ in range(n):
        one = register(tokenizer, length, 0.0, chance)
        batch = Batch.of([Document(one.ids, [1.0] * len(one.ids))])
        states: Tensor = hidden(model, batch)[one.start - 1 : one.stop - 1]
        right += int((model.lm_head(states).argmax(-1) == torch.tensor(one.ids[one.start : one.stop])).all())
    return right
