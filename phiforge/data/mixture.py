"""A mixture of sources for training, and its ledger: unique tokens, epochs and share of each, as the Phi-4 report's Table 5.

A mixture's rows are drawn by plan: source by source as many epochs as its share of the tokens asks for, every epoch in an
order of its own, all interleaved; the same seed makes the same mixture. Each row's way back, to source, pipeline, seed and
teacher, is in its provenance.

    tokens = 2_000_000
    [[source]]
    path = "runs/first"              # what `phiforge data run`, `curate` or `mix` made, or a Parquet or JSONL file
    share = 0.4                      # of the tokens; or `epochs = 2`
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from phiforge.data.draw import Draw
from phiforge.data.place import Place
from phiforge.data.tokens import Counter, text_of
from phiforge.records import Example, read_jsonl, read_parquet

ROWS_A_FILE = 50_000
PIECE = 4000  # characters of a text, or a paragraph more


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """One source: rows, and either its share of the tokens or how often it is gone through. `licence` overrides none."""

    path: str
    name: str = ""
    share: float = 0.0
    epochs: float = 0.0
    licence: str = ""


class Mixture(Struct, frozen=True, forbid_unknown_fields=True):
    """Sources, and how many tokens to make of them; 0 makes of each what its `epochs` say."""

    source: list[Source]
    tokens: int = 0
    seed: int = 0
    tokenizer: str = ""


class Entry(Struct, frozen=True):
    """A line of the ledger."""

    name: str
    path: str
    rows: int
    unique_tokens: int
    tokens: int
    epochs: float
    share: float
    licences: list[str]


def read_mixture(path: str | os.PathLike[str]) -> Mixture:
    """A mixture from a TOML file. Raises ValueError that names what is wrong: a key, a share, a missing source."""
    try:
        mixture = msgspec.toml.decode(Path(path).read_bytes(), type=Mixture)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
    if not mixture.source:
        raise ValueError(f"{path}: a mixture needs at least one [[source]]")
    for source in mixture.source:
        if (source.share > 0) == (source.epochs > 0):
            raise ValueError(f"{path}: {source.path} needs either a share or epochs, above 0")
        if source.share > 0 and not mixture.tokens:
            raise ValueError(f"{path}: {source.path} has a share, but of how many tokens? Give `tokens`")
        files(source.path)
    names = [name_of(source) for source in mixture.source]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{path}: two sources are called {twice[0]}; give each a name")
    total = sum(source.share for source in mixture.source)
    if total > 1 + 1e-9:
        raise ValueError(f"{path}: the shares add up to {total:g}, more than 1")
    if all(source.share for source in mixture.source) and abs(total - 1) > 1e-6:
        raise ValueError(f"{path}: the shares add up to {total:g}; without a source that has epochs it has to be 1")
    return mixture


def name_of(source: Source) -> str:
    return source.name or Path(source.path).name


def files(path: str) -> list[Path]:
    """The Parquet, JSONL or text files of a source. Raises ValueError if there is none."""
    place = Path(path).expanduser()
    within = place / "data" if (place / "data").is_dir() else place
    found = [place] if place.is_file() else sorted(within.rglob("*.parquet")) or sorted(within.rglob("*.txt"))
    if not found:
        raise ValueError(f"{path}: no such file, and no folder with .parquet or .txt files")
    return found


def rows(path: str) -> Iterator[Example]:
    """The rows of a source, in order. Raises ValueError for one that holds plain texts."""
    for file in files(path):
        if file.suffix == ".txt":
            raise ValueError(f"{file} is a text, which has no rows of questions and answers")
        yield from read_parquet(file, Example) if file.suffix == ".parquet" else read_jsonl(file, Example)


def texts(path: str) -> Iterator[str]:
    """All that a source would teach a model that reads: its rows as texts, or pieces of its text files."""
    for file in files(path):
        if file.suffix != ".txt":
            yield from (text_of(row) for row in rows(str(file)))
            continue
        piece: list[str] = []
        for paragraph in file.read_text(errors="replace").split("\n\n"):
            piece.append(paragraph)
            if sum(map(len, piece)) >= PIECE:
                yield "\n\n".join(piece)
                piece = []
        if piece:
            yield "\n\n".join(piece)


def ledger(mixture: Mixture, tokens: Counter) -> tuple[list[Entry], list[list[int]]]:
    """The ledger, and the tokens of every row of every source.

    A source with a share is gone through as often as it takes; what has a share is reckoned on the whole `tokens`.
    """
    lengths = [_lengths(source, tokens) for source in mixture.source]
    wanted = [
        source.share * mixture.tokens if source.share else source.epochs * sum(counts)
        for source, (counts, _) in zip(mixture.source, lengths, strict=True)
    ]
    total = sum(wanted)
    entries = [
        Entry(
            name_of(source),
            source.path,
            rows=len(counts),
            unique_tokens=sum(counts),
            tokens=round(part),
            epochs=part / sum(counts) if sum(counts) else 0.0,
            share=part / total if total else 0.0,
            licences=[source.licence] if source.licence else licences,
        )
        for source, (counts, licences), part in zip(mixture.source, lengths, wanted, strict=True)
    ]
    return entries, [counts for counts, _ in lengths]


def _lengths(source: Source, tokens: Counter) -> tuple[list[int], list[str]]:
    counts: list[int] = []
    licences: dict[str, None] = {}
    texts: list[str] = []
    for row in rows(source.path):
        texts.append(text_of(row))
        licences[row.provenance.licence or "unknown"] = None
        if len(texts) == 512:
            counts += tokens(texts)
            texts = []
    if texts:
        counts += tokens(texts)
    if not counts:
        raise ValueError(f"{source.path}: holds no rows")
    return counts, list(licences)


def schedule(entries: list[Entry], lengths: list[list[int]], seed: int) -> list[tuple[int, int]]:
    """The mixture as (source, row) pairs: every source's epochs shuffled anew, spread evenly among one another."""
    placed: list[tuple[float, int, int, int]] = []
    for number, (entry, counts) in enumerate(zip(entries, lengths, strict=True)):
        draw = Draw.of("mixture", seed, entry.name)
        order: list[int] = []
        room, epoch = float(entry.tokens), 0
        while room > 0:
            for row in Draw.of("mixture", seed, entry.name, epoch).shuffled(range(len(counts))):
                if room <= 0:
                    break
                order.append(row)
                room -= counts[row]
            epoch += 1
        placed += [((i + draw.random()) / len(order), number, i, row) for i, row in enumerate(order)]
    return [(number, row) for _, number, _, row in sorted(placed)]


def write(mixture: Mixture, out: str, tokens: Counter) -> list[Entry]:
    """Write the mixture's rows to `out`/data/mixture, with ledger.json. Raises ValueError if rows are there already."""
    place = Place(out)
    if place.read("ledger.json") is not None:
        raise ValueError(f"{out} holds a mixture already: choose another folder, or delete it")
    entries, lengths = ledger(mixture, tokens)
    everything = [list(rows(source.path)) for source in mixture.source]
    order = schedule(entries, lengths, mixture.seed)
    for number, first in enumerate(range(0, len(order), ROWS_A_FILE)):
        some = [everything[source][row] for source, row in order[first : first + ROWS_A_FILE]]
        place.write_examples(f"data/mixture/train-{number:05}.parquet", some)
    place.write("ledger.json", msgspec.json.format(msgspec.json.encode({"mixture": mixture, "ledger": entries})))
    return entries


def trace(path: str, row: int | str) -> dict[str, object]:
    """Where a row comes from: its number or id, in a folder or file of rows. Raises ValueError if it isn't there."""
    for number, example in enumerate(rows(path)):
        if number == row or example.problem.id == row:
            provenance = msgspec.to_builtins(example.provenance)
            return {"row": number, "id": example.problem.id, "verifier": example.problem.verifier, **provenance}
    raise ValueError(f"{path} has no row {row!r}")
