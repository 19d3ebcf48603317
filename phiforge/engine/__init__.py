"""Generation: requests in, events out. The engine knows tensors and tokens, not chat.

engine = Engine(model, tokenizer.detokenizer)
engine.submit(Request(prompt=[1, 2, 3], n=4, sampling=Sampling(temperature=0.8, seed=7)))
while engine.busy:
    for event in engine.step():
        ...
"""
