"""The thesis at our size: the same student, the same number of tokens, other data. In the manner of Phi-4's Tables 3 and 4.

    phiforge train recipes/nano.toml                            first: the teacher of "sampled" data is what comes of it
    python recipes/ablation/run.py --teacher runs/nano/3-sft/model --out runs/ablation

    organic       manuals, written by people
    synthetic     problems of the data factory, solved and proven
    both          half and half
    sampled       problems that the teacher answers, whatever it answers
    voted         those whose plurality of eight answers stands out, with an answer of the plurality
    checked       those that have a right answer, with that (a verifier in the place of a self-check)

Each is trained with several seeds; the table has reasoning (problems solved, of those no student has seen) and knowledge (bits a
byte of manuals kept aside), as means with 95 % intervals over seeds and problems. A run that is stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

import torch
from msgspec.structs import replace

from phiforge import verify
from phiforge.chat.format import ChatFormat
from phiforge.chat.tokenizer import Tokenizer
from phiforge.cli.train import Line
from phiforge.data import mixture
from phiforge.data import run as factory
from phiforge.data.stages import vote
from phiforge.model import checkpoint
from phiforge.records import Example, Message, write_jsonl
from phiforge.train import run
from phiforge.train.batches import Batch, stream
from phiforge.train.recipe import Data, Pretrain, Recipe, Vocabulary
from phiforge.train.recipe_file import read_recipe
from phiforge.train.rollouts import Sampler, Wanted
from phiforge.train.sft import language_loss

HERE = Path(__file__).parent
VOTES = 8
ASKED = 600  # problems of each pipeline that the teacher answers
ARMS = {
    "organic": {"manuals": 1.0}, "synthetic": {"problems": 1.0}, "both": {"manuals": 0.5, "problems": 0.5},
    "sampled": {"sampled": 1.0}, "voted": {"voted": 1.0}, "checked": {"checked": 1.0},
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--teacher", type=Path, help="a model's folder, for the last three arms")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--manuals", help="texts written by people: a file or folder, if not the recipe's")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--tokens", type=int, default=0, help="of a student's training, if not the recipe's")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    base = read_recipe(HERE / "student.toml")
    manuals = sorted(mixture.texts(args.manuals or base.data["manuals"].path))
    args.out.mkdir(parents=True, exist_ok=True)
    kept = manuals[::20]  # no student reads these
    learnt = args.out / "manuals"
    learnt.mkdir(exist_ok=True)
    for number, text in enumerate(text for i, text in enumerate(manuals) if i % 20):
        (learnt / f"{number:05}.txt").write_text(text)
    data = {name: made(base.data[name], args.out / name, base.data[name].seed) for name in ("problems", "test")}
    data |= {"manuals": Data(path=str(learnt))}
    arms = args.arms.split(",")
    if set(arms) & {"sampled", "voted", "checked"}:
        if not args.teacher:
            parser.error("the arms sampled, voted and checked need a --teacher")
        data |= {name: Data(path=str(file)) for name, file in sampled(args.teacher, args.out / "teacher").items()}
    table: dict[str, dict[str, object]] = {}
    for arm in arms:
        solved: list[tuple[int, int]] = []
        bits: list[float] = []
        for seed in range(args.seeds):
            recipe = student(base, data, args.out / f"{arm}-{seed}", ARMS[arm], seed, args.tokens)
            (result,) = run.run(recipe, Line())
            assert result.after.score
            solved.append((result.after.score.right, result.after.score.n))
            bits.append(bits_a_byte(Path(result.model), kept))
        table[arm] = summary(solved, bits)
        print(json.dumps({"arm": arm, **table[arm]}) if args.json else line(arm, table[arm]), flush=True)
    (args.out / "table.json").write_text(json.dumps(table, indent=1))


def student(base: Recipe, data: dict[str, Data], out: Path, mix: dict[str, float], seed: int, tokens: int) -> Recipe:
    """The recipe of one arm and seed. All students have the tokenizer of both kinds of text."""
    (first,) = base.stage
    assert isinstance(first, Pretrain)
    stage = replace(first, mix=mix, tokens=tokens or first.tokens)
    used = {name: data[name] for name in {*mix, "test", "manuals", "problems"}}
    vocabulary = Vocabulary(base.tokenizer.size if base.tokenizer else 2048, ["manuals", "problems"])
    return replace(base, out=str(out), seed=seed, stage=[stage], data=used, tokenizer=vocabulary)


def made(data: Data, out: Path, seed: int) -> Data:
    """What the data factory makes, once for all students."""
    make = factory.Make(data.pipelines, data.rows, data.level, data.length)
    factory.execute(factory.plan(factory.Config(str(out), [make], seed=seed)))
    return Data(path=str(out))


def sampled(teacher: Path, out: Path) -> dict[str, Path]:
    """Rows of the last three arms: the same new problems, VOTES answers each by the teacher, and what is kept of them."""
    files = {name: out / f"{name}.jsonl" for name in ("sampled", "voted", "checked")}
    if all(file.exists() for file in files.values()):
        return files
    out.mkdir(parents=True, exist_ok=True)
    problems = replace(read_recipe(HERE / "student.toml").data["problems"], rows=ASKED)
    rows = list(mixture.rows(made(problems, out / "problems", seed=2).path))
    model = checkpoint.load(teacher, dtype=torch.float32)
    format = ChatFormat.for_tokenizer(Tokenizer.from_folder(teacher))
    sampler = Sampler(model, format.stop_ids)
    kept: dict[str, list[Example]] = {name: [] for name in files}
    for first in range(0, len(rows), 64):
        some = rows[first : first + 64]
        wanted = [
            Wanted(format.render(row.problem.messages).ids, VOTES, 160, seed=first + i) for i, row in enumerate(some)
        ]
        for row, answers in zip(some, sampler.answers(wanted), strict=True):
            texts = [format.tokenizer.decode(answer.ids) for answer in answers]
            ended = [text for text, answer in zip(texts, answers, strict=True) if answer.ended]
            keep(row, ended, kept)
        print(f"{first + len(some)} of {len(rows)} problems answered", end="\r", flush=True)
    print({name: len(found) for name, found in kept.items()})
    for name, file in files.items():
        write_jsonl(file, kept[name])
    return files


def keep(row: Example, texts: Sequence[str], kept: dict[str, list[Example]]) -> None:
    """What each arm takes of a problem's answers."""
    if not texts:
        return

    def example(text: str) -> Example:
        thought, _, said = text.rpartition("</think>")
        return replace(row, response=Message("assistant", said, thinking=thought.removeprefix("<think>") or None))

    kept["sampled"].append(example(texts[0]))
    said = [text.rpartition("Answer:")[2].strip() for text in texts]
    counts = Counter(said)
    if vote.decide(list(counts.values()), len(texts)) == "kept":
        best = counts.most_common(1)[0][0]
        kept["voted"].append(example(texts[said.index(best)]))
    judge = verify.get(row.problem.verifier)
    right = [text for text in texts if judge(text.rpartition("</think>")[2], row.problem).correct]
    if right:
        kept["checked"].append(example(right[0]))


@torch.no_grad()
def bits_a_byte(folder: Path, texts: Sequence[str]) -> float:
    """How many bits a byte of texts takes the model."""
    model, tokenizer = checkpoint.load(folder, dtype=torch.float32), Tokenizer.from_folder(folder)
    total = 0.0
    for text in texts:
        for document in stream([tokenizer.encode(text)], model.config.context):
            total += float(language_loss(model, Batch.of([document]))[0])
    return total / math.log(2) / sum(len(text.encode()) for text in texts)


def summary(solved: Sequence[tuple[int, int]], bits: Sequence[float]) -> dict[str, object]:
    """Means over seeds. Reasoning's interval is of seeds and problems together, the latter's with two more right and two
    more wrong (Agresti and Coull 1998), so that none right is not taken for certain; knowledge's is of seeds."""
    shares = [right / n for right, n in solved]
    p, n = fmean(shares), solved[0][1]
    between = stdev(shares) ** 2 / len(shares) if len(shares) > 1 else 0.0
    about = (p * n + 2) / (n + 4)
    half = 1.96 * math.sqrt(between + about * (1 - about) / (n + 4))
    spread = 1.96 * stdev(bits) / math.sqrt(len(bits)) if len(bits) > 1 else 0.0
    return {
        "reasoning": round(p, 4), "reasoning_half": round(half, 4), "knowledge": round(fmean(bits), 4),
        "knowledge_half": round(spread, 4), "seeds": len(bits), "problems": n,
    }  # fmt: skip


def line(arm: str, row: dict[str, object]) -> str:
    return (
        f"{arm:10}  solved {row['reasoning']:.1%} ± {row['reasoning_half']:.1%}   "
        f"{row['knowledge']:.3f} ± {row['knowledge_half']:.3f} bits a byte of manuals"
    )


if __name__ == "__main__":
    main()
