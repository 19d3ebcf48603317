# ruff: noqa: E501 — hostile code reads best on its line
"""Escapes and exhaustion: what hostile code tries in the sandbox, and the wall that holds it."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from phiforge.verify import sandbox
from phiforge.verify.sandbox import Limits, Sandbox, SandboxError

SMALL = Limits(seconds=2.0, memory_mb=256, processes=16, files=32, scratch_mb=8, output_kb=32)


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


def stands(box: Sandbox, *names: str) -> None:
    missing = [name for name in names if not box.walls.get(name)]
    if missing:
        pytest.skip(f"this kernel lets no wall of {', '.join(missing)} be built")


def test_a_program_runs(box: Sandbox) -> None:
    outcome = box.run(
        "import sys\nprint(sys.stdin.read()[::-1])\nprint(open('a/b.txt').read())", stdin="abc", files={"a/b.txt": "x"}
    )
    assert (outcome.status, outcome.stdout, outcome.exit_code) == ("ok", "cba\nx\n", 0)
    failed = box.run("def f():\n    return 1 / 0\nf()")
    assert failed.status == "error"
    assert failed.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "zygote" not in failed.stderr
    assert box.run("import sys; sys.exit(3)").exit_code == 3
    assert box.run("print(len(input()))", stdin="x" * 500_000).stdout == "500000\n"


def test_numpy_works_where_it_is_installed(box: Sandbox) -> None:
    assert box.run("import numpy; print(numpy.arange(4).sum())", limits=Limits(memory_mb=1024)).stdout == "6\n"


# --- reading and writing --------------------------------------------------------------------------------------------

READS = {
    "passwords": "print(open('/etc/shadow').read())",
    "users": "print(open('/etc/passwd').read())",
    "home": "import os; print(os.listdir(os.path.expanduser('~root')))\nprint(open('/root/.bashrc').read())",
    "the repository": "print(open({repository!r}).read())",
    "the caller's environment": "print(open('/proc/%d/environ' % {pid}, 'rb').read())",
    "the caller's memory": "print(open('/proc/%d/mem' % {pid}, 'rb').read(10))",
    "own process folder": "print(open('/proc/self/status').read())",
    "kernel": "print(open('/sys/kernel/notes', 'rb').read(), open('/proc/kcore', 'rb').read(1))",
    "disks": "import os; print(os.open('/dev/vda', os.O_RDONLY))",
    "a way out by dots": "print(open('/tmp/../../../../../../etc/shadow').read())",
    "a way out by link": "import os; os.symlink('/etc/shadow', 'x'); print(open('x').read())",
    "a way out by a folder's handle": "import os; fd = os.open('/', os.O_RDONLY); os.fchdir(fd); print(open('../../etc/shadow').read())",
    "open files of the caller": "import os\nfor fd in range(3, 64):\n    try:\n        os.fstat(fd)\n    except OSError:\n        continue\n    raise SystemExit('open: %d' % fd)\nraise PermissionError",
}


@pytest.mark.parametrize("what", READS)
def test_nothing_of_the_machine_can_be_read(box: Sandbox, what: str) -> None:
    stands(box, "file system")
    code = READS[what].format(repository=str(Path(__file__).resolve()), pid=os.getpid())
    outcome = box.run(code, limits=SMALL)
    assert outcome.status == "error", outcome
    assert any(
        error in outcome.stderr for error in ("FileNotFoundError", "PermissionError", "NotADirectoryError", "KeyError")
    )
    assert outcome.stdout == ""


WRITES = {
    "the root": "open('/evil', 'w').write('x')",
    "the library": "import os; open(os.__file__, 'a').write('evil')",
    "a device": "import os; os.mknod('/tmp/disk', 0o60666, os.makedev(254, 0))",
    "shared memory": "open('/dev/shm/x', 'w').write('x')",
    "a remount": "import ctypes; libc = ctypes.CDLL(None, use_errno=True); r = libc.mount(None, b'/', None, 32 | 4096, None)\nif r: raise PermissionError(ctypes.get_errno())",
    "its rights": "import os; os.setuid(0)",
    "its groups": "import os; os.setgroups([0])",
    "its host's name": "import socket; socket.sethostname('evil')",
    "the clock": "import time; time.clock_settime(time.CLOCK_REALTIME, 0)",
    "its limits": "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
}


@pytest.mark.parametrize("what", WRITES)
def test_nothing_of_the_machine_can_be_changed(box: Sandbox, what: str) -> None:
    stands(box, "file system", "privileges", "system calls")
    outcome = box.run(WRITES[what], limits=SMALL)
    assert outcome.status == "error", outcome
    assert any(error in outcome.stderr for error in ("PermissionError", "FileNotFoundError", "OSError", "ValueError"))


def test_one_run_leaves_nothing_to_the_next(box: Sandbox) -> None:
    box.run("open('left', 'w').write('x'); import builtins, math; builtins.left = 1; math.pi = 3", limits=SMALL)
    outcome = box.run(
        "import os, builtins, math; print(os.listdir(), hasattr(builtins, 'left'), math.pi)", limits=SMALL
    )
    assert outcome.stdout == "[] False 3.141592653589793\n"


def test_no_secret_in_the_environment(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    with Sandbox() as fresh:
        outcome = fresh.run("import os; print(dict(os.environ))")
    assert "hunter2" not in outcome.stdout
    assert "HOME" in outcome.stdout


# --- the network --------------------------------------------------------------------------------------------------------

NETWORK = {
    "a connection out": "import socket; socket.create_connection(('1.1.1.1', 53), 1)",
    "the caller's own port": "import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
    "a listener": "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()",
    "a name": "import socket; socket.getaddrinfo('example.com', 80)",
    "a datagram": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "a raw socket": "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "a local socket": "import socket; socket.socket(socket.AF_UNIX).connect('/run/docker.sock')",
    "the kernel by netlink": "import socket; socket.socket(16, socket.SOCK_RAW, 0)",
    "the web": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}', timeout=1)",
}


@pytest.mark.parametrize("what", NETWORK)
def test_there_is_no_network(box: Sandbox, what: str) -> None:
    stands(box, "network", "system calls")
    with socket.create_server(("127.0.0.1", 0)) as server:
        outcome = box.run(NETWORK[what].format(port=server.getsockname()[1]), limits=SMALL)
    assert outcome.status == "error", outcome
    assert any(error in outcome.stderr for error in ("PermissionError", "gaierror", "URLError"))


# --- other processes and the kernel ----------------------------------------------------------------------------------------

_CALL = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nr = libc.syscall({number}, {arguments})\nraise SystemExit(0 if r != -1 else ctypes.get_errno())"
CALLS = {
    "ptrace": (101, "16, {pid}, 0, 0"),
    "process_vm_readv": (310, "{pid}, 0, 0, 0, 0, 0"),
    "unshare": (272, "0x10000000"),
    "setns": (308, "0, 0"),
    "chroot": (161, "b'/tmp'"),
    "bpf": (321, "0, 0, 0"),
    "io_uring_setup": (425, "1, 0"),
    "perf_event_open": (298, "0, 0, -1, -1, 0"),
    "keyctl": (250, "0, 0"),
    "userfaultfd": (323, "0"),
    "open_by_handle_at": (304, "0, 0, 0"),
    "kexec_load": (246, "0, 0, 0, 0"),
    "clone into a new user namespace": (56, "0x10000011, 0, 0, 0, 0"),
}


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
def test_calls_that_reach_out_are_refused(box: Sandbox, what: str) -> None:
    stands(box, "system calls")
    number, arguments = CALLS[what]
    outcome = box.run(_CALL.format(number=number, arguments=arguments.format(pid=os.getpid())), limits=SMALL)
    assert outcome.exit_code == 1, outcome  # EPERM


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x32 is a table of x86-64")
def test_the_other_table_of_calls_kills(box: Sandbox) -> None:
    stands(box, "system calls")
    assert box.run(_CALL.format(number=0x40000000 + 39, arguments="0"), limits=SMALL).status == "killed"


def test_no_process_outside_can_be_signalled(box: Sandbox) -> None:
    stands(box, "processes")
    code = f"import os, signal\nfor pid in (1, {os.getpid()}, {box._process.pid}, os.getppid(), -1):\n    try:\n        os.kill(pid, signal.SIGKILL)\n    except OSError as e:\n        print(e.errno)"
    box.run(code, limits=SMALL)
    assert box._process.poll() is None
    assert box.run("print(1)").stdout == "1\n"


def test_a_daemon_does_not_survive(box: Sandbox, tmp_path: Path) -> None:
    stands(box, "processes")
    daemon = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        for fd in (0, 1, 2): os.close(fd)\n        while True: time.sleep(0.1)\n    os._exit(0)\nprint('left')"
    before = len([p for p in Path("/proc").iterdir() if p.name.isdigit()])
    assert box.run(daemon, limits=SMALL).stdout == "left\n"
    time.sleep(0.3)
    assert len([p for p in Path("/proc").iterdir() if p.name.isdigit()]) <= before + 3
    threads = box.run("import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()", limits=SMALL)
    assert threads.seconds < 10


# --- exhaustion ------------------------------------------------------------------------------------------------------------

EXHAUSTING = {
    "processor": ("while True: pass", {"timeout"}),
    "time": ("import time; time.sleep(60)", {"timeout"}),
    "time, deaf": ("import signal, time\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\ntime.sleep(60)", {"timeout"}),
    "memory": ("x = []\nwhile True: x.append(bytearray(10**7))", {"memory", "error"}),
    "memory at once": ("x = bytearray(10**11)", {"memory"}),
    "memory by many": ("import os\nfor i in range(200):\n    try:\n        if os.fork() == 0:\n            x = bytearray(10**8)\n            while True: pass\n    except OSError: pass\nwhile True: pass", {"timeout"}),
    "processes": ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", {"timeout"}),
    "threads": ("import threading, time\nwhile True:\n    try: threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n    except RuntimeError: pass", {"timeout", "killed", "memory"}),
    "zombies": ("import os, time\nwhile True:\n    try:\n        if os.fork() == 0: os._exit(0)\n    except OSError: pass", {"timeout"}),
    "output": ("while True: print('x' * 1000)", {"output"}),
    "errors": ("import sys\nwhile True: print('x' * 1000, file=sys.stderr)", {"output"}),
    "disk": ("f = open('big', 'wb')\nwhile True: f.write(bytes(10**6)); f.flush()", {"error", "killed"}),
    "files": ("i = 0\nwhile True:\n    open(f'f{i}', 'w').close(); i += 1", {"error"}),
    "open files": ("x = []\nwhile True: x.append(open('/dev/null'))", {"error"}),
    "depth": ("def f(): return f()\nf()", {"error"}),
    "depth of C": ("import sys; sys.setrecursionlimit(10**9)\ndef f(): return f()\nf()", {"killed", "error", "memory", "timeout"}),
    "a regular expression": ("import re; re.match('(a+)+$', 'a' * 64 + 'b')", {"timeout"}),
    "a packed bomb": ("import zlib\nd = zlib.compress(bytes(10**8))\nx = [zlib.decompress(d) for _ in range(100)]", {"memory", "error", "timeout"}),
    "a large number": ("x = 9 ** (9 ** 9)", {"timeout", "memory"}),
    "a core dump": ("import os; os.abort()", {"killed"}),
}  # fmt: skip


@pytest.mark.parametrize("what", EXHAUSTING)
def test_what_it_may_use_is_limited(box: Sandbox, what: str) -> None:
    code, expected = EXHAUSTING[what]
    started = time.monotonic()
    outcome = box.run(code, limits=SMALL)
    assert outcome.status in expected, outcome
    assert time.monotonic() - started < 8
    assert len(outcome.stdout) <= 33_000
    assert box.run("print('well')", limits=SMALL).stdout == "well\n"


# --- the sandbox itself ---------------------------------------------------------------------------------------------------


def test_a_wall_that_is_missing_is_said() -> None:
    with pytest.raises(SandboxError, match="no wall of moat"):
        Sandbox(require=("moat",))
    with pytest.raises(SandboxError, match="no wall of moat"):
        sandbox.run("print(1)", require=["moat"])
    assert sandbox.walls()["limits"]


def test_a_sandbox_that_broke_is_replaced(box: Sandbox) -> None:
    assert box._process is not None
    box._process.kill()
    box._process.wait()
    assert box.run("print(1)").status == "killed"
    assert box.run("print(1)").stdout == "1\n"


def test_files_outside_the_scratch_folder_are_refused(box: Sandbox) -> None:
    outcome = box.run("print(1)", files={"../../etc/x": "x"})
    assert outcome.status != "ok"
    assert "lies outside" in outcome.stderr


def test_many_run_side_by_side() -> None:
    outcomes = sandbox.run_many([f"print({i})" for i in range(20)])
    assert [outcome.stdout for outcome in outcomes] == [f"{i}\n" for i in range(20)]


@pytest.mark.skipif(os.geteuid() != 0, reason="root can try being an ordinary user; an ordinary user is one already")
def test_an_ordinary_user_has_walls_too(tmp_path: Path) -> None:
    """The same in a process that gave up being root, as far as it can read our interpreter at all."""
    import subprocess
    import sys

    code = "from phiforge.verify import sandbox; print(sandbox.walls()); print(sandbox.run('print(6 * 7)').stdout)"
    drop = f"import os; os.setgid(65534); os.setuid(65534); os.environ['HOME'] = '/tmp'; exec({code!r})"
    done = subprocess.run([sys.executable, "-c", drop], capture_output=True, text=True, check=False, cwd="/")
    if "PermissionError" in done.stderr or "No module named" in done.stderr:
        pytest.skip("an ordinary user can't read this installation")
    assert "42" in done.stdout, done.stderr


def test_a_sandbox_outlives_the_thread_that_started_it() -> None:
    import threading

    boxes: list[Sandbox] = []
    thread = threading.Thread(target=lambda: boxes.append(Sandbox()))
    thread.start()
    thread.join()
    with boxes[0] as box:
        assert box.run("print(1)").stdout == "1\n"


def test_a_sandbox_ends_with_its_caller() -> None:
    import subprocess
    import sys

    code = "from phiforge.verify import sandbox; b = sandbox.Sandbox(); print(b._process.pid, flush=True); import os; os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    deadline = time.monotonic() + 5
    while (
        Path(f"/proc/{pid}/stat").exists()
        and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    stat = Path(f"/proc/{pid}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"
