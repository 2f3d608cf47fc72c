"""Tries to change memory that it may only read: file descriptor 3, a memfd that is open for reading.

Usage: attacks.py PID...

Every attack is tried through the fd itself, through the file reopened under /proc, and through the memory
of the processes PID, which have the file mapped. Prints a JSON object: the result of each attack (`done`,
or the errno), and in `changed` the attacks after which the bytes differed.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import re
import sys

FD = 3
F_ADD_SEALS, F_SEAL_WRITE = 1033, 8
PUNCH_HOLE, ZERO_RANGE, COLLAPSE_RANGE, KEEP_SIZE = 2, 16, 8, 1
MADV_REMOVE = 9
PROT_READ, PROT_WRITE, MAP_SHARED = 1, 2, 1

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.mprotect.argtypes = libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
libc.splice.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint]
size = os.fstat(FD).st_size
inode = os.fstat(FD).st_ino


def check(result):
    if result in (-1, ctypes.c_void_p(-1).value):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def view(fd):
    return check(libc.mmap(None, size, PROT_READ, MAP_SHARED, fd, 0))


def poke(path, address):
    """Writes into the memory of a process through /proc, where the kernel ignores page protection if it can."""
    memory = os.open(path, os.O_RDWR)
    try:
        os.pwrite(memory, bytes([os.pread(FD, 1, 0)[0] ^ 0xFF]), address)
    finally:
        os.close(memory)


def through_map(fd):
    with mmap.mmap(fd, size) as mapping:
        mapping[0] = mapping[0] ^ 0xFF


def spliced(fd):
    out, into = os.pipe()
    os.write(into, b"\x55" * 16)
    check(libc.splice(out, None, fd, None, 16, 0))


def sent(fd):
    with open(sys.argv[0], "rb") as source:
        os.sendfile(fd, source.fileno(), 0, 16)


def unprotected(fd):
    address = view(fd)
    check(libc.mprotect(address, size, PROT_READ | PROT_WRITE))
    ctypes.memset(address, 0x33, 1)


WAYS = {
    "write": lambda fd: os.pwrite(fd, b"\x77", 1),
    "map": through_map,
    "mprotect": unprotected,
    "own memory": lambda fd: poke("/proc/self/mem", view(fd)),
    "remove": lambda fd: check(libc.madvise(view(fd), size, MADV_REMOVE)),
    "punch": lambda fd: check(libc.fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 0, size)),
    "zero": lambda fd: check(libc.fallocate(fd, ZERO_RANGE, 0, size)),
    "collapse": lambda fd: check(libc.fallocate(fd, COLLAPSE_RANGE, 0, 4096)),
    "shrink": lambda fd: os.ftruncate(fd, 0),
    "grow": lambda fd: os.ftruncate(fd, size * 2),
    "splice": spliced,
    "sendfile": sent,
    "seal": lambda fd: fcntl.fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE),
    "chmod": lambda fd: os.fchmod(fd, 0o666),
    "chown": lambda fd: os.fchown(fd, os.getuid(), os.getgid()),
}


def files_of(pid):
    """The same file in the fds and the mappings of another process."""
    found = []
    for folder in ("fd", "map_files"):
        path = f"/proc/{pid}/{folder}"
        for name in os.listdir(path):
            try:
                if os.stat(f"{path}/{name}").st_ino == inode:
                    found.append(f"{path}/{name}")
            except OSError:
                pass
    if not found:
        raise OSError(errno.ENOENT, "not there")
    return found[0]


def mapped_by(pid):
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-\S+ rw-s \S+ \S+ (\d+) ", line)
            if match and int(match[2]) == inode:
                return int(match[1], 16)
    raise OSError(errno.ENOENT, "not mapped")


results = {}
changed = []


def attempt(name, work):
    before = os.pread(FD, size, 0)
    try:
        work()
        results[name] = "done"
    except (OSError, ValueError) as failure:
        results[name] = errno.errorcode.get(getattr(failure, "errno", None), str(failure))
    if os.pread(FD, size, 0) != before:
        changed.append(name)


for name, way in WAYS.items():
    attempt(name, lambda: way(FD))
files = {"self": lambda: "/proc/self/fd/3"}
files.update({f"process {at}": (lambda pid: lambda: files_of(pid))(pid) for at, pid in enumerate(sys.argv[1:])})
for whose, path in files.items():
    again = None
    try:
        again = os.open(path(), os.O_RDWR)
        results[f"reopen {whose}"] = "done"
    except OSError as failure:
        results[f"reopen {whose}"] = errno.errorcode[failure.errno]
    for name, way in WAYS.items() if again is not None else ():
        attempt(f"{name} {whose}", lambda: way(again))
for at, pid in enumerate(sys.argv[1:]):
    attempt(f"memory of process {at}", lambda: poke(f"/proc/{pid}/mem", mapped_by(pid)))
print(json.dumps({"results": results, "changed": changed}))
