"""`phiforge doctor`, and the `pull` and `models` verbs, called as main calls them; machine facts from made-up systems."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

from phiforge.cli import doctor
from phiforge.kernels import native
from phiforge.model.config import PRESETS
from phiforge.store.machine import cpu_quota, machine, memory_limit

GB = 10**9


def call(verb: str, *words: str) -> int:
    module = import_module(f"phiforge.cli.{verb}")
    parser = argparse.ArgumentParser()
    module.configure(parser)
    return module.run(parser.parse_args(words))


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("PHIFORGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def quick(monkeypatch):
    """Skip the two seconds of measuring."""
    monkeypatch.setattr(
        doctor,
        "measure",
        lambda device, available: {"memory_bytes": 10 * GB, "matmul_flops": {"fp32": 1e11, "int8": None}},
    )


# --- doctor -------------------------------------------------------------------------------------------------------


def test_doctor_json_is_complete(quick, capsys):
    assert call("doctor", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    cpu = report["devices"][0]
    assert cpu["name"] == "cpu"
    assert [m["name"] for m in cpu["models"]] == ["smollm2-135m-instruct", *PRESETS]
    assert {check["what"]: check["ok"] for check in report["checks"]}["default model"] is False
    kernels = next(check for check in report["checks"] if check["what"] == "kernels")
    assert kernels["ok"] == (native.library() is not None)
    assert (native.variant() or "torch") in kernels["detail"]
    assert report["machine"]["memory_total"] > 0
    assert report["libraries"]["torch"]
    mini = next(m for m in cpu["models"] if m["name"] == "phi-4-mini-instruct")
    assert mini["parameters"] == 3_836_021_760
    assert mini["bits"]["16"]["weights"] == 2 * 3_836_021_760
    assert mini["bits"]["4"]["weights"] == 3_836_021_760 * 9 // 16
    assert mini["kv_4k"] == 4096 * 2 * 32 * 8 * 128 * 2


def test_doctor_for_people(quick, capsys):
    assert call("doctor") == 0
    out = capsys.readouterr().out
    for words in ("processor", "10.0 GB/s", "phi-4-mini-reasoning", "largest model that fits", "an estimate"):
        assert words in out


def test_doctor_measures_within_three_seconds():
    import time

    start = time.monotonic()
    found = doctor.measure("cpu", 8 * 2**30)
    assert time.monotonic() - start < 5  # 3 when nobody else is using the cores
    assert 10**8 < found["memory_bytes"] < 10**13
    assert found["matmul_flops"]["fp32"] > 10**8


def test_doctor_fails_where_nothing_can_be_written(quick, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PHIFORGE_HOME", str(tmp_path / "file" / "home"))
    assert call("doctor") == 1
    assert "cannot be written" in " ".join(capsys.readouterr().out.split())


def test_doctor_reports_a_broken_torch(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert call("doctor", "--json") == 1
    check = next(c for c in json.loads(capsys.readouterr().out)["checks"] if c["what"] == "torch")
    assert not check["ok"]
    assert "ImportError" in check["detail"] or "ModuleNotFoundError" in check["detail"]
    assert call("doctor") == 1


def test_what_fits():
    found = doctor.fit(
        1 * GB, kv_bytes_per_token=100_000, context=100_000, available=23 * GB // 10, bytes_per_second=10 * GB
    )
    assert {bits: width["fits"] for bits, width in found["bits"].items()} == {4: True, 8: True, 16: False, 32: False}
    assert not found["bits"][4]["fits_full_context"]
    assert found["bits"][16]["tokens_per_second"] == 5.0
    for bits in (4, 8, 16):
        most = doctor.largest(bits, 16 * GB)
        assert doctor.fit(most, 100_000, 4096, 16 * GB, None)["bits"][bits]["fits"]
    assert doctor.largest(16, 1000) == 0


# --- machine ------------------------------------------------------------------------------------------------------


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_linux_facts(tmp_path):
    core = "processor\t: {n}\nmodel name\t: Some CPU\nphysical id\t: 0\ncore id\t: {core}\nflags\t: avx2 avx512f amx_int8 fpu\n\n"
    root = tree(
        tmp_path,
        {
            "proc/cpuinfo": "".join(core.format(n=n, core=n // 2) for n in range(8)),
            "proc/meminfo": "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:   8000000 kB\n",
            "proc/self/cgroup": "0::/box\n",
            "sys/fs/cgroup/box/memory.max": "4000000000\n",
            "sys/fs/cgroup/box/memory.current": "3000000000\n",
            "sys/fs/cgroup/box/memory.stat": "anon 5\ninactive_file 2000000000\n",
            "sys/fs/cgroup/box/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/cpu.max": "max 100000\n",
        },
    )
    found = machine(root)
    assert (found.cpu, found.physical_cores, found.logical_cores) == ("Some CPU", 4, 8)
    assert found.instruction_sets == ["AVX2", "AVX-512F", "AMX INT8"]
    assert found.cpu_quota == 1.5
    assert (found.memory_total, found.memory_limit) == (16_384_000_000, 4_000_000_000)
    assert found.memory_available == 3_000_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_arm_and_an_empty_system(tmp_path):
    arm = "processor : 0\nFeatures : fp asimd asimddp i8mm bf16\nCPU implementer : 0x41\nCPU part : 0xd40\n"
    found = machine(
        tree(tmp_path / "arm", {"proc/cpuinfo": arm, "proc/meminfo": "MemTotal: 8 kB\nMemAvailable: 4 kB\n"})
    )
    assert found.instruction_sets == ["NEON", "dotprod", "BF16", "I8MM"]
    assert found.cpu == "ARM implementer 0x41, part 0xd40"
    assert machine(tmp_path / "nothing").memory_total == 0


def test_control_groups_version_1(tmp_path):
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/a/b\n0::/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "200000",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096),
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000",
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "400",
        },
    )
    assert cpu_quota(root) == 2.0
    assert memory_limit(root) == (1000, 600)
    assert memory_limit(tmp_path / "nothing") == (None, None)


# --- models and pull ----------------------------------------------------------------------------------------------


def test_models_family_json_has_every_figure(capsys):
    assert call("models", "--family", "--json") == 0
    presets = {p["name"]: p for p in json.loads(capsys.readouterr().out)}
    assert list(presets) == list(PRESETS)
    assert presets["phi-4"]["parameter_count"] == 14_659_507_200
    assert presets["phi-4-mini-instruct"]["parameter_count"] == 3_836_021_760
    for figure in ("vocab_size", "d_model", "n_layers", "n_heads", "n_kv_heads", "d_ff", "context", "rope"):
        assert all(figure in p for p in presets.values())


def test_models_family_for_people(capsys):
    assert call("models", "--family") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(PRESETS)
    assert "14,659,507,200" in lines[1]
    assert "24/8" in lines[-1]


def test_pull_list_and_remove(tmp_path, capsys):
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "phi3"}')
    (folder / "model.safetensors").write_bytes(b"12345")
    assert call("models") == 0
    assert "No model is here yet" in capsys.readouterr().out
    assert call("pull", str(folder)) == 0
    assert f"tiny: 27 bytes, licence unknown, {folder}" in capsys.readouterr().out
    assert call("pull", str(folder), "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "tiny"
    assert call("models") == 0
    assert str(folder) in capsys.readouterr().out.splitlines()[1]
    assert call("models", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["bytes"] == 27
    assert call("models", "--remove", "tiny") == 0
    assert "its files stay" in capsys.readouterr().out
    assert (folder / "model.safetensors").exists()
    with pytest.raises(ValueError, match="can name only one model"):
        call("pull", "a/b", "c/d", "--name", "x")
