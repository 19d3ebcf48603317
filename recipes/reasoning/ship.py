"""Make the shipped adapter of what was trained: `python recipes/reasoning/ship.py recipes/reasoning/train.toml --stages 2`.

Whatever the stages were, what ships is the difference of the layers to the base's, at one rank.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from phiforge.chat import dialects
from phiforge.model.lora import difference
from phiforge.model.peft import save_adapter
from phiforge.store.catalogue import SHIPPED
from phiforge.train import run
from phiforge.train.recipe import read_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--stages", type=int, required=True, help="how many of its stages to take")
    parser.add_argument("--out", type=Path, default=SHIPPED / "phiforge-135m-reasoning")
    parser.add_argument("--rank", type=int, default=32)
    options = parser.parse_args()
    recipe = read_recipe(options.recipe)
    start, made = (run.network(recipe, stages) for stages in (0, options.stages))
    adapter = difference(made, start, options.rank)
    save_adapter(adapter, options.out, made.config, base=recipe.start.model, dtype=torch.bfloat16)
    (options.out / "chat_template.jinja").write_text(dialects.get(recipe.start.format).jinja)
    print(f"{options.out}: {sum(file.stat().st_size for file in options.out.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
