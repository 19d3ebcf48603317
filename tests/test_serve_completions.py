"""Plain text in and out: `/v1/completions`, tokens, embeddings, as clients and evaluation harnesses use them."""

from __future__ import annotations

import base64
import math
from typing import Any

import httpx
import pytest
import torch

openai = pytest.importorskip("openai")


@pytest.fixture(scope="module")
def client(served: Any) -> Any:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0)


def complete(client: Any, **fields: Any) -> Any:
    return client.completions.create(**{"model": "smollm2-135m-instruct", "temperature": 0, "max_tokens": 8, **fields})


def test_a_text_goes_on(client: Any) -> None:
    answer = complete(client, prompt="One, two, three, four,")
    assert answer.choices[0].text.startswith(" five, six")
    assert answer.usage.completion_tokens == 8
    pieces = list(
        complete(client, prompt="One, two, three, four,", stream=True, stream_options={"include_usage": True})
    )
    assert "".join(p.choices[0].text for p in pieces if p.choices) == answer.choices[0].text
    assert pieces[-1].usage.completion_tokens == 8


def test_several_prompts_and_samples_in_order(client: Any, served: Any) -> None:
    prompts = ["One, two, three,", "A, B, C, D,"]
    ids = [httpx.post(f"{served.url}/tokenize", json={"text": text}).json()["tokens"] for text in prompts]
    by_text, by_ids = complete(client, prompt=prompts, n=2), complete(client, prompt=ids, n=2)
    assert [choice.index for choice in by_text.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in by_text.choices] == [choice.text for choice in by_ids.choices]
    assert by_text.choices[0].text == by_text.choices[1].text
    assert "four" in by_text.choices[0].text
    assert by_text.choices[2].text.startswith(" E, F")
    assert httpx.post(f"{served.url}/detokenize", json={"tokens": ids[0]}).json() == {"text": prompts[0]}


def test_an_echo_weighs_the_prompt(client: Any, served: Any) -> None:
    text = "The capital of France is Paris."
    answer = complete(client, prompt=text, echo=True, logprobs=1, max_tokens=1).choices[0]
    told = answer.logprobs
    assert answer.text.startswith(text)
    assert "".join(told.tokens[:-1]) == text
    assert told.token_logprobs[0] is None
    assert [text[at:].startswith(token) for at, token in zip(told.text_offset, told.tokens[:-1], strict=False)]
    (entry,) = served.server.models.entries.values()
    ids = entry.lm.tokenizer.encode(text)
    with torch.inference_mode():
        logits = entry.lm.network(torch.tensor([ids]))[0].log_softmax(-1)
    for at in range(1, len(ids)):
        # At 4 bits a last digit apart may round an activation the other way.
        assert told.token_logprobs[at] == pytest.approx(float(logits[at - 1, ids[at]]), abs=0.05)
        likeliest = entry.lm.tokenizer.decode([int(logits[at - 1].argmax())])
        assert likeliest in told.top_logprobs[at]
    only = complete(client, prompt=text, echo=True, logprobs=1, max_tokens=0).choices[0]
    assert only.text == text
    assert only.logprobs.token_logprobs == told.token_logprobs[:-1]


def test_an_embedding_is_the_mean_of_the_last_states(client: Any, served: Any) -> None:
    texts = ["A cat sat on the mat.", "A kitten lay on the rug.", "Interest rates rose again in March."]
    made = client.embeddings.create(model="smollm2-135m-instruct", input=texts, encoding_format="float")
    vectors = torch.tensor([each.embedding for each in made.data])
    (entry,) = served.server.models.entries.values()
    ids = entry.lm.tokenizer.encode(texts[0])
    with torch.inference_mode():
        mean = entry.lm.network.hidden(torch.tensor([ids]))[0].mean(0)
    assert torch.allclose(vectors[0], mean / mean.norm(), atol=1e-4)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    raw = httpx.post(f"{served.url}/v1/embeddings", json={"input": texts[0], "encoding_format": "base64"}).json()
    values = torch.frombuffer(bytearray(base64.b64decode(raw["data"][0]["embedding"])), dtype=torch.float32)
    assert torch.allclose(values, vectors[0], atol=1e-5)
    assert math.isclose(float(values.norm()), 1, abs_tol=1e-4)


@pytest.mark.parametrize(
    ("path", "fields", "words"),
    [
        ("/v1/completions", {"prompt": "a", "suffix": "b"}, "suffix"),
        ("/v1/completions", {"prompt": "a", "best_of": 3}, "best_of"),
        ("/v1/completions", {"prompt": []}, "empty"),
        ("/v1/completions", {"prompt": [1, "a"]}, "mixes"),
        ("/v1/completions", {"prompt": [99_999_999]}, "vocabulary"),
        ("/v1/completions", {"prompt": "a", "max_tokens": 0}, "max_tokens"),
        ("/v1/completions", {"prompt": "a", "logprobs": 21}, "logprobs"),
        ("/v1/completions", {}, "prompt"),
        ("/v1/embeddings", {"input": ""}, ""),
        ("/v1/embeddings", {"input": "a", "dimensions": 3}, "dimensions"),
        ("/v1/embeddings", {"input": "word " * 9000}, "8192"),
        ("/tokenize", {}, "text or messages"),
        ("/tokenize", {"messages": [], "tools": []}, "empty"),
        ("/detokenize", {"tokens": [-1]}, "vocabulary"),
    ],
)
def test_what_cannot_be_done_is_refused(served: Any, path: str, fields: dict[str, Any], words: str) -> None:
    answer = httpx.post(served.url + path, json=fields)
    if not words:
        assert answer.status_code == 200  # an empty text has the token that begins texts
        return
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]["message"]
