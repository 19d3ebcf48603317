"""The walls between sandboxed code and the machine, each put up by itself, so that one that is missing is known.

Loaded by path inside the sandbox, before any module of ours can be imported: standard library only.
"""

# pyright: basic

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import struct
import sys
import sysconfig

libc = ctypes.CDLL(None, use_errno=True)

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_SET_PDEATHSIG = 4, 24, 38, 1
SCRATCH = "/box"
DEVICES = ("null", "zero", "full", "random", "urandom")


def call(name: str, *args: object) -> int:
    """A C library call. Raises OSError where it fails."""
    result = getattr(libc, name)(*args)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    call("unshare", flags)


def new_user() -> None:
    """A user namespace of one's own, for a caller who isn't root: there one may mount."""
    uid, gid = os.getuid(), os.getgid()
    unshare(NEWUSER)
    with contextlib.suppress(OSError):
        _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"65534 {uid} 1")
    _write("/proc/self/gid_map", f"65534 {gid} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    c = [ctypes.c_char_p(each.encode()) if each is not None else None for each in (source, target, kind, data)]
    call("mount", c[0], c[1], c[2], ctypes.c_ulong(flags), c[3])


def readable() -> list[str]:
    """The folders that Python needs: itself, its library, its packages, the C library."""
    paths = {sys.base_prefix, *sysconfig.get_paths().values(), "/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache"}
    paths |= {path for path in sys.path if path.endswith(("site-packages", "dist-packages"))}
    paths |= {os.path.realpath(sys.executable)}
    kept = sorted({os.path.abspath(path) for path in paths if os.path.exists(path)})
    return [path for path in kept if not any(path != other and path.startswith(f"{other}/") for other in kept)]


def new_root(folder: str) -> None:
    """A root with nothing in it but what `readable` names, read-only, a few devices, and a place for the scratch folder.

    /tmp is the scratch folder too, unless Python itself lies there.

    `folder` is an empty folder to build it on. In a mount namespace of one's own. Raises OSError.
    """
    _mount(None, "/", None, _REC | _PRIVATE)
    _mount("tmpfs", folder, "tmpfs", _NOSUID | _NODEV, "size=1m,mode=755")
    for path in readable():
        target = folder + path
        if os.path.islink(path):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(os.readlink(path), target)
            continue
        if os.path.isdir(path):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
        _mount(path, target, None, _BIND | _REC)
        _mount(None, target, None, _BIND | _REMOUNT | _RDONLY | _NOSUID | _NODEV | _locked_flags(target))
    os.makedirs(f"{folder}/dev", exist_ok=True)
    for device in DEVICES:
        target = f"{folder}/dev/{device}"
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
        _mount(f"/dev/{device}", target, None, _BIND)
    for name in (SCRATCH.strip("/"), ".old", "proc"):
        os.makedirs(f"{folder}/{name}")
    if not os.path.exists(f"{folder}/tmp"):
        os.symlink(SCRATCH, f"{folder}/tmp")
    os.chdir(folder)
    call("pivot_root", b".", b".old")
    os.chdir("/")
    call("umount2", b"/.old", _DETACH)
    os.rmdir("/.old")
    _mount(None, "/", None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)


def _locked_flags(path: str) -> int:
    """Flags that the mount has and an ordinary user may not take away."""
    flags = os.statvfs(path).f_flag
    return (flags & os.ST_NOEXEC and _NOEXEC) | (flags & getattr(os, "ST_NOATIME", 0) and 1024)


def new_scratch(megabytes: int) -> None:
    """An empty scratch folder of limited size. In a mount namespace of one's own."""
    _mount("tmpfs", SCRATCH, "tmpfs", _NOSUID | _NODEV, f"size={megabytes}m,nr_inodes=4096,mode=1777")


def become_nobody(uid: int) -> None:
    """Give up every privilege for good."""
    if os.getuid() == 0 and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = struct.pack("=Ii", 0x20080522, 0)
    libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(bytes(24)))
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def die_with_parent() -> None:
    if sys.platform == "linux":
        libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)


def limit(seconds: int, memory_mb: int, processes: int, files: int, file_mb: int) -> None:
    """What one process may use. Raises OSError or ValueError where a limit can't be set."""
    wanted = {
        "RLIMIT_CPU": seconds,
        "RLIMIT_AS": memory_mb * 2**20,
        "RLIMIT_NPROC": processes,
        "RLIMIT_NOFILE": files,
        "RLIMIT_FSIZE": file_mb * 2**20,
        "RLIMIT_CORE": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_MEMLOCK": 0,
    }
    for name, value in wanted.items():
        if hasattr(resource, name):
            if sys.platform == "darwin" and name == "RLIMIT_AS":
                continue  # macOS refuses it
            most = resource.getrlimit(getattr(resource, name))[1]
            value = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(getattr(resource, name), (value, value + (name == "RLIMIT_CPU")))


# --- Landlock: the file system's walls where one may not mount, and a second row where one may ----------------------

_READ = 1 | 4 | 8  # execute, read file, read folder
_ALL_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_TCP = 3  # bind and connect
_SCOPE = 3  # abstract sockets and signals stay inside


def landlock(read: list[str], write: str) -> None:
    """Only these paths can be read, only this folder can be written, no TCP. Raises OSError where there is no Landlock."""
    abi = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if abi < 1:
        raise OSError("this kernel has no Landlock")
    everything = _ALL_BY_ABI[min(abi, 5)]
    attributes = struct.pack("=QQQ", everything, _TCP if abi >= 4 else 0, _SCOPE if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = call("syscall", _CREATE_RULESET, ctypes.c_char_p(attributes), size, 0)
    devices = [f"/dev/{name}" for name in DEVICES]
    for path, access in [*((path, _READ) for path in read), (write, everything), *((path, 2 | 4) for path in devices)]:
        if not os.path.exists(path):
            continue
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not os.path.isdir(path):
            access &= 1 | 2 | 4 | (1 << 14 if abi >= 3 else 0)
        rule = struct.pack("=Qi", access, opened)
        call("syscall", _ADD_RULE, ruleset, 1, ctypes.c_char_p(rule), 0)
        os.close(opened)
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call("syscall", _RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
