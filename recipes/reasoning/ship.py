"""Make the shipped adapter of what was trained: `python recipes/reasoning/ship.py recipes/reasoning/again.toml --stages 1`.

Whatever the sittings and stages were, what ships is the difference of the layers to the base's, at one rank. `--mean 3` takes the
mean of the weights after each of the last three stages (Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima").
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from phiforge.chat import dialects
from phiforge.lm.sources import open_source
from phiforge.model import checkpoint
from phiforge.model.lora import difference, spread
from phiforge.model.peft import save_adapter
from phiforge.model.phi3 import Phi3
from phiforge.store.catalogue import BASE_MODEL, SHIPPED
from phiforge.store.models import find
from phiforge.train import run
from phiforge.train.recipe_file import read_recipe

DTYPE = torch.float8_e4m3fn  # rounding moves an update by 4 % of its norm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--stages", type=int, required=True, help="how many of its stages to take")
    parser.add_argument("--out", type=Path, default=SHIPPED / "phiforge-135m-reasoning")
    parser.add_argument("--rank", type=int, default=128)
    parser.add_argument("--mean", type=int, default=1, help="of how many stages, the last one among them")
    options = parser.parse_args()
    recipe = read_recipe(options.recipe)
    made, base = run.network(recipe, options.stages), network(BASE_MODEL)
    for before in range(options.stages - options.mean + 1, options.stages):
        for mine, other in zip(made.parameters(), run.network(recipe, before).parameters(), strict=True):
            mine.data = mine.data + other.data
    for mine in made.parameters():
        mine.data = mine.data / options.mean
    adapter = spread(difference(made, base, options.rank), torch.finfo(DTYPE).max)
    save_adapter(adapter, options.out, made.config, base=BASE_MODEL, dtype=DTYPE)
    (options.out / "chat_template.jinja").write_text(dialects.get("phiforge").jinja)
    print(f"{options.out}: {sum(file.stat().st_size for file in options.out.iterdir()) / 1e6:.1f} MB")


def network(name: str) -> Phi3:
    source = open_source(find(name))
    return checkpoint.assemble(source.config, source.tensors, dtype=torch.float32)


if __name__ == "__main__":
    main()
