"""The library builds, is refused when stale, shares torch's threads, and every variant is right where it can be run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from phiforge.kernels import build, native

HERE = Path(__file__).parent
CXX = shutil.which("g++") or shutil.which("c++") or "c++"
CROSS = "aarch64-linux-gnu-g++"
X86 = build.variants().get("avx2")

needs_library = pytest.mark.skipif(native.library() is None, reason="no library here")


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)} here")


def check(folder: Path, variant: str, *options: str, compiler: str = CXX, run: tuple[str, ...] = ()) -> None:
    """Build kernels_check.cpp for a variant, and run it."""
    program = folder / f"check-{variant}"
    sources = [HERE / "kernels_check.cpp", build.SOURCES / "linear.cpp", build.SOURCES / "dispatch.cpp"]
    command = [compiler, *build.COMMON, "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", *options]
    command += [f"-DPHIFORGE_VARIANT={variant}", '-DPHIFORGE_SOURCE=""', '-DPHIFORGE_VARIANTS=""']
    subprocess.run([*command, "-fexceptions", "-frtti", *map(str, sources), "-o", str(program)], check=True)
    done = subprocess.run([*run, str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def runs(variant: str) -> bool:
    library = native.library()
    return library is not None and bool(library.phiforge_runs(variant.encode()))


@needs(CXX)
def test_generic_code_is_exact(tmp_path: Path) -> None:
    check(tmp_path, "generic", *(["-DCHECK_UNFUSED"] if X86 else []))


@needs(CXX)
@pytest.mark.skipif(not runs("avx2"), reason="no AVX2 here")
@pytest.mark.parametrize("sanitizer", ["", "address,undefined", "thread"])
def test_avx2_is_exact(tmp_path: Path, sanitizer: str) -> None:
    sanitize = [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all"] if sanitizer else []
    check(tmp_path, "avx2", *(X86 or []), *sanitize)


@needs(CXX)
@pytest.mark.skipif(not runs("avx2") or not Path("/usr/include/simde").exists(), reason="no AVX2 or no SIMDe here")
def test_avx512_is_exact_in_simulation(tmp_path: Path) -> None:
    check(tmp_path, "avx512vnni", "-DPHIFORGE_SIMDE", *(X86 or []))


@needs(CXX)
@pytest.mark.skipif(not runs("avx512vnni"), reason="no AVX-512 VNNI here")
def test_avx512_is_exact(tmp_path: Path) -> None:
    check(tmp_path, "avx512vnni", *build.variants()["avx512vnni"])


@needs(CROSS, "qemu-aarch64")
@pytest.mark.parametrize("variant", ["neon", "generic"])
def test_aarch64_is_exact_under_emulation(tmp_path: Path, variant: str) -> None:
    options = build.variants("aarch64")[variant]
    check(tmp_path, variant, *options, "-static", compiler=CROSS, run=("qemu-aarch64", "-cpu", "max"))


@needs("c++")
def test_a_build_is_loaded_and_knows_its_sources(tmp_path: Path) -> None:
    target = build.build(tmp_path / build.LIBRARY.name)
    assert [file.name for file in tmp_path.iterdir()] == [target.name]
    assert native._text(native._load(target).phiforge_source) == build.source_hash()


def test_without_a_compiler_there_is_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "/no/such/compiler -O3")
    with pytest.raises(build.BuildFailed, match="'/no/such/compiler', which is not a program"):
        build.build(tmp_path / "x.so")
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.BuildFailed, match="install one"):
        build.build(tmp_path / "x.so")


@needs("false")
def test_a_failing_compiler_leaves_the_old_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = tmp_path / "x.so"
    target.write_bytes(b"old")
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(build.BuildFailed, match="`false "):
        build.build(target)
    assert target.read_bytes() == b"old"


@needs_library
def test_stale_and_foreign_libraries_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.so"
    foreign.write_bytes(b"\x7fELF of another world")
    with pytest.raises(native._Unusable, match="no library of ours"):
        native._load(foreign)
    monkeypatch.setattr(build, "source_hash", lambda: "0123")
    with pytest.raises(native._Unusable, match="other sources"):
        native._load(build.LIBRARY)
    monkeypatch.delenv(native.SETTING, raising=False)
    with pytest.warns(UserWarning, match="other sources"):
        assert native._open.__wrapped__() == (None, None, native._open.__wrapped__()[2])


@needs_library
def test_a_variant_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.SETTING, "sse9")
    with pytest.raises(ValueError, match=r"PHIFORGE_KERNELS=sse9: .* generic and off"):
        native._open.__wrapped__()


@needs_library
def test_threads_are_those_of_torch() -> None:
    """One OpenMP runtime in the process, no thread beyond torch's own, and the number that torch was told."""
    program = """if True:
        import os, torch
        from phiforge.kernels import native
        from phiforge.kernels.formats import quantize
        from phiforge.kernels.linear import product
        threads = lambda: len(os.listdir('/proc/self/task'))
        torch.set_num_threads(3)
        x, packed = torch.randn(64, 256), quantize(torch.randn(2048, 256), 'int8')
        x @ torch.randn(256, 2048)
        torch.randn(3_000_000).exp()
        torchs = threads()
        product(x, packed)
        assert native.describe()['shared_threads'] and threads() == torchs, (native.describe(), threads(), torchs)
        runtimes = {line.split()[-1] for line in open('/proc/self/maps') if 'omp' in line.split('/')[-1]}
        assert len(runtimes) == 1, runtimes
    """
    if not Path("/proc/self/maps").exists():
        pytest.skip("no /proc here")
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


@needs_library
def test_describe_names_what_runs() -> None:
    found = native.describe()
    assert found["variant"] in build.variants()
    assert found["why"] is None
    assert str(found["library"]).endswith(build.LIBRARY.name)
