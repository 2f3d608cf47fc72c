"""Starts many processes that each open a session, claim something, close the socket, and keep running.

Arguments: the handoff socket, the number of processes, and in hexadecimal the two messages that each
sends. Prints one character for each process, in order: '+' where a file descriptor came with the second
answer, '-' otherwise. The processes end with the standard input.
"""

import os
import signal
import socket
import sys


def visit(path, hello, claim):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(path)
        connection.send(hello)
        connection.recv(1 << 16)
        connection.send(claim)
        _, fds, _, _ = socket.recv_fds(connection, 1 << 16, 4)
    for fd in fds:
        os.close(fd)
    return bool(fds)


def depart(path, hello, claim, report):
    try:
        granted = visit(path, hello, claim)
    except OSError:  # refused; the daemon closed the connection
        granted = False
    os.write(report, b"+" if granted else b"-")
    signal.pause()


def main():
    path, count, hello, claim = sys.argv[1:]
    children = []
    outcomes = b""
    for _ in range(int(count)):
        told, report = os.pipe()
        child = os.fork()
        if child == 0:
            depart(path, bytes.fromhex(hello), bytes.fromhex(claim), report)
        children.append(child)
        os.close(report)
        outcomes += os.read(told, 1)
        os.close(told)
    print(outcomes.decode(), flush=True)
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


main()
