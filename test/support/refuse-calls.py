"""Runs a command whose system calls fail, as under a seccomp profile of a container runtime (seccomp(2)).

Usage: refuse-calls.py ERRNO CALL[:OPTION]... -- COMMAND. CALL is a name below; OPTION is that of getsockopt.
"""
import ctypes
import errno
import os
import struct
import sys

NUMBERS = {
    "x86_64": {
        "bind": 49, "close_range": 436, "fallocate": 285, "flock": 73, "getsockopt": 55, "kcmp": 312,
        "memfd_create": 319, "pidfd_getfd": 438, "pidfd_open": 434, "pidfd_send_signal": 424,
    },
    "aarch64": {
        "bind": 200, "close_range": 436, "fallocate": 47, "flock": 32, "getsockopt": 209, "kcmp": 272,
        "memfd_create": 279, "pidfd_getfd": 438, "pidfd_open": 434, "pidfd_send_signal": 424,
    },
}[os.uname().machine]
OPTIONS = {"SO_PEERGROUPS": 59, "SO_PEERPIDFD": 77}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
# Of struct seccomp_data.
NUMBER_AT, THIRD_ARGUMENT_AT = 0, 32


def step(code, yes, no, value):
    return struct.pack("HBBI", code, yes, no, value)


def main():
    _, name, *rest = sys.argv
    end = rest.index("--")
    program = []
    for call in rest[:end]:
        number, _, option = call.partition(":")
        failing = step(RETURN, 0, 0, FAIL | getattr(errno, name))
        program.append(step(LOAD, 0, 0, NUMBER_AT))
        if option:
            program.append(step(EQUAL, 0, 3, NUMBERS[number]))
            program.append(step(LOAD, 0, 0, THIRD_ARGUMENT_AT))
            program.append(step(EQUAL, 0, 1, OPTIONS[option]))
        else:
            program.append(step(EQUAL, 0, 1, NUMBERS[number]))
        program.append(failing)
    program.append(step(RETURN, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(program))
    libc = ctypes.CDLL(None, use_errno=True)
    described = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, FILTER, described, 0, 0):
        sys.exit(os.strerror(ctypes.get_errno()))
    os.execvp(rest[end + 1], rest[end + 1:])


main()
