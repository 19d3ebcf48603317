"""Generation: requests in, events out. The engine knows tensors and tokens, not chat.

engine = Engine(model, tokenizer)
engine.submit(Request(prompt=[1, 2, 3], n=4, sampling=Sampling(temperature=0.8, seed=7)))
while engine.busy:
    for event in engine.step(): ...
"""

from phiforge.engine.engine import Engine
from phiforge.engine.request import Event, Finished, Request, Sampling, Token

__all__ = ["Engine", "Event", "Finished", "Request", "Sampling", "Token"]
