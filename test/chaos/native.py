"""Operations of the chaos harness's attackers that Node.js lacks. Prints one word for each result.

Usage: native.py holes LENGTH OPERATION...   on fd 3, a granted memfd of LENGTH bytes
       native.py nibble SOCKET COUNT HEX... sends the datagrams in HEX, reads one byte of each of COUNT
       answers

An operation is punch, collapse, insert, zero (fallocate), remove, dontneed, upgrade (madvise, mprotect on
a mapping). A result is `worked` or the errno.
"""

import ctypes
import errno
import mmap
import os
import signal
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
# linux/prctl.h: it ends with its parent, which may be killed.
PR_SET_PDEATHSIG = 1
libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
signal.alarm(20)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]

FILE = 3
# linux/falloc.h, asm-generic/mman-common.h
FALLOCATE = {"punch": 0x01 | 0x02, "collapse": 0x08, "zero": 0x10, "insert": 0x20}
MADVISE = {"remove": 9, "dontneed": 4}


def result(status):
    return "worked" if status == 0 else errno.errorcode[ctypes.get_errno()]


def mapped(length, use):
    """Maps the file shared, for writing if its fd allows that, during `use`."""
    for protection in (mmap.PROT_READ | mmap.PROT_WRITE, mmap.PROT_READ):
        address = libc.mmap(None, length, protection, mmap.MAP_SHARED, FILE, 0)
        if address != ctypes.c_void_p(-1).value:
            try:
                return result(use(address))
            finally:
                libc.munmap(address, length)
    return result(-1)


def operate(name, length):
    if name in FALLOCATE:
        return result(libc.fallocate(FILE, FALLOCATE[name], 0, length))
    if name in MADVISE:
        return mapped(length, lambda address: libc.madvise(address, length, MADVISE[name]))
    if name == "upgrade":
        writable = mmap.PROT_READ | mmap.PROT_WRITE
        return mapped(length, lambda address: libc.mprotect(address, length, writable))
    raise ValueError(name)


def nibble(path, count, datagrams):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(2)
        try:
            connection.connect(path)
            for datagram in datagrams:
                connection.send(datagram)
            # The rest of each datagram, and its fds, are lost: the kernel closes them.
            return str(sum(len(connection.recv(1)) for _ in range(count)))
        except OSError as failure:
            return errno.errorcode.get(failure.errno, "timeout")


if sys.argv[1] == "holes":
    print(*[operate(name, int(sys.argv[2])) for name in sys.argv[3:]], flush=True)
else:
    print(nibble(sys.argv[2], int(sys.argv[3]), [bytes.fromhex(text) for text in sys.argv[4:]]), flush=True)
os._exit(0)
