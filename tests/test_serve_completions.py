"""Plain text in and out: `/v1/completions`, tokens, embeddings, as clients and evaluation harnesses use them."""

from __future__ import annotations

import base64
import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
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
    (scored,) = entry.lm.score_ids([(ids[:1], ids[1:])])
    assert told.token_logprobs[1 : len(ids)] == pytest.approx(scored.logprobs, abs=1e-4)
    # At 4 bits a last digit apart may round an activation the other way, so that single tokens differ by more.
    apart = [abs(told.token_logprobs[at] - float(logits[at - 1, ids[at]])) for at in range(1, len(ids))]
    assert sum(apart) / len(apart) < 0.05
    for at in range(1, len(ids)):
        likeliest = entry.lm.tokenizer.decode([int(logits[at - 1].argmax())])
        assert likeliest in told.top_logprobs[at]
    only = complete(client, prompt=text, echo=True, logprobs=1, max_tokens=0).choices[0]
    assert only.text == text
    assert only.logprobs.token_logprobs == told.token_logprobs[:-1]


def test_bytes_of_characters_are_weighed_one_by_one(client: Any, served: Any) -> None:
    """Most tokens of this text are no whole characters: they must not be taken for each other, nor count as letters."""
    text = "雨が降る 🪿🫠🧌 Ελλάδα ខ្មែរ ok"
    told = complete(client, prompt=text, echo=True, logprobs=1, max_tokens=0).choices[0].logprobs
    (entry,) = served.server.models.entries.values()
    ids = entry.lm.tokenizer.encode(text)
    (scored,) = entry.lm.score_ids([(ids[:1], ids[1:])])
    assert not all(scored.greedy)
    pairs = zip(told.token_logprobs[1:], told.top_logprobs[1:], strict=True)
    assert [logprob == max(top.values()) for logprob, top in pairs] == list(scored.greedy)  # as lm-eval looks at it
    assert told.tokens[-1] == " ok"
    assert told.text_offset[-1] == text.index(" ok")
    first = text[0].encode()
    spelled = "".join(token.removeprefix("bytes:") for token in told.tokens[: told.text_offset.index(1)])
    assert spelled in (text[0], "".join(f"\\x{byte:02x}" for byte in first))


def test_a_stream_counts_its_letters_from_the_echo_on(client: Any) -> None:
    asked = {"prompt": "The sky is", "echo": True, "logprobs": 2, "max_tokens": 6}
    whole = complete(client, **asked).choices[0]
    pieces = [piece.choices[0] for piece in complete(client, **asked, stream=True)]
    assert "".join(piece.text for piece in pieces) == whole.text
    told = [piece.logprobs for piece in pieces if piece.logprobs]
    for name in ("tokens", "token_logprobs", "text_offset"):
        assert [each for piece in told for each in getattr(piece, name)] == getattr(whole.logprobs, name)
    places = zip(whole.logprobs.text_offset, whole.logprobs.tokens, strict=True)
    assert all(whole.text[at:].startswith(token) for at, token in places)


def test_a_chosen_token_is_among_the_likeliest_it_is_told_with(client: Any) -> None:
    told = complete(client, prompt="Once", logprobs=1, max_tokens=20, temperature=1.5, seed=1).choices[0].logprobs
    assert all(
        top[token] == p for token, p, top in zip(told.tokens, told.token_logprobs, told.top_logprobs, strict=True)
    )
    assert any(len(top) == 2 for top in told.top_logprobs)


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
        ("/v1/completions", {"prompt": [[1]] * 2049}, "2048"),
        ("/v1/completions", {"prompt": [[1]] * 17, "n": 128}, "16"),
        ("/v1/completions", {"prompt": "a", "max_tokens": 0}, "max_tokens"),
        ("/v1/completions", {"prompt": "a", "logprobs": 21}, "logprobs"),
        ("/v1/completions", {}, "prompt"),
        ("/v1/embeddings", {"input": ""}, ""),
        ("/v1/embeddings", {"input": "a", "dimensions": 3}, "dimensions"),
        ("/v1/embeddings", {"input": "word " * 9000}, "8192"),
        ("/v1/embeddings", {"input": [[1]] * 2049}, "2048"),
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


LM_EVAL = os.environ.get("PHIFORGE_TEST_LM_EVAL")  # a Python that has lm_eval, in a venv of its own


@pytest.mark.slow
def test_lm_eval_measures_us(served: Any, tmp_path: Path) -> None:
    """EleutherAI's harness through both of its endpoints, its sums beside ours. `pip install 'lm-eval[api]'`."""
    if LM_EVAL is None and importlib.util.find_spec("lm_eval") is None:
        pytest.skip("lm_eval is not here: name a Python that has it in PHIFORGE_TEST_LM_EVAL")
    items = [
        ("One, two, three, four,", " five"),
        ("The capital of France is", " Paris"),
        ("Am Fluss stehen", " Bäume 🌧️"),
    ]
    lines = [json.dumps({"given": given, "end": end}) for given, end in items]
    (tmp_path / "items.jsonl").write_text("\n".join(lines))
    task = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "items.jsonl")}},
        "test_split": "test",
        "doc_to_text": "{{given}}",
        "doc_to_target": "{{end}}",
    }
    weighed = {"task": "weighed", "output_type": "loglikelihood", "metric_list": [{"metric": "acc"}], **task}
    written = {"task": "written", "output_type": "generate_until", "metric_list": [{"metric": "exact_match"}], **task}
    written["generation_kwargs"] = {"until": ["\n"], "max_gen_toks": 4, "temperature": 0}
    for each in (weighed, written):
        (tmp_path / f"{each['task']}.yaml").write_text(json.dumps(each))  # JSON is YAML

    def run(model: str, tasks: str, path: str, *more: str) -> dict[str, list[Any]]:
        args = f"model=smollm2-135m-instruct,base_url={served.url}{path},num_concurrent=4"
        if model == "local-completions":
            args += f",tokenizer={tmp_path / 'tokenizer'}"
        words = ["--model", model, "--tasks", tasks, "--include_path", str(tmp_path), "--model_args", args, *more]
        out = tmp_path / model
        offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "OPENAI_API_KEY": "none"}
        done = subprocess.run(
            [LM_EVAL or sys.executable, "-m", "lm_eval", "run", *words, "--log_samples", "--output_path", str(out)],
            env={**os.environ, **offline},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        samples = {task: next(out.rglob(f"samples_{task}_*.jsonl")) for task in tasks.split(",")}
        return {
            t: [json.loads(line)["resps"][0][0] for line in f.read_text().splitlines()] for t, f in samples.items()
        }

    httpx.post(f"{served.url}/tokenize", json={"text": "loads the model"}, timeout=120)
    (entry,) = served.server.models.entries.values()
    entry.lm.tokenizer.save(tmp_path / "tokenizer")
    found = run("local-completions", "weighed,written", "/v1/completions")
    for (total, greedy), scored in zip(found["weighed"], entry.lm.score(items), strict=True):
        assert float(total) == pytest.approx(scored.total, abs=0.05)
        assert greedy == str(all(scored.greedy))
    assert found["written"][0].startswith(" five")
    chats = run("local-chat-completions", "written", "/v1/chat/completions", "--apply_chat_template")
    assert all(chats["written"])
