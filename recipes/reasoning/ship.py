"""Make the shipped adapter of what was trained: `python recipes/reasoning/ship.py runs/reasoning/1/1-sft/adapter`.

Whatever the stages were, and however many recipes, what ships is the difference of the layers to the base's, at one rank.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from phiforge.chat import dialects
from phiforge.lm.sources import open_source
from phiforge.model import checkpoint
from phiforge.model.lora import difference
from phiforge.model.peft import save_adapter
from phiforge.model.phi3 import Phi3
from phiforge.store.catalogue import SHIPPED
from phiforge.store.models import find


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="what was trained: an adapter's folder, or a whole model's")
    parser.add_argument("--base", default="smollm2-135m-instruct")
    parser.add_argument("--out", type=Path, default=SHIPPED / "phiforge-135m-reasoning")
    parser.add_argument("--rank", type=int, default=64)
    options = parser.parse_args()
    made = opened(options.model)
    adapter = difference(made, opened(options.base), options.rank)
    save_adapter(adapter, options.out, made.config, base=options.base, dtype=torch.bfloat16)
    (options.out / "chat_template.jinja").write_text(dialects.get("phiforge").jinja)
    print(f"{options.out}: {sum(file.stat().st_size for file in options.out.iterdir()) / 1e6:.1f} MB")


def opened(name: str) -> Phi3:
    source = open_source(find(name))
    return checkpoint.assemble(source.config, source.tensors, dtype=torch.float32)


if __name__ == "__main__":
    main()
