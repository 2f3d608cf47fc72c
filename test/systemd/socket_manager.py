"""Listens on sockets, and passes them to a program that it starts on command, as a service manager does: from
fd 3 on, with $LISTEN_PID, $LISTEN_FDS and $LISTEN_FDNAMES. It still listens when the program has ended.

Usage: socket_manager.py JSON, of {"sockets": [{"name", "type", "path"}], "command": [...], "environment":
{...}}. A type is seqpacket or stream; idle is a stream that does not listen; dgram is a datagram socket;
file is no socket. Each line on its standard input starts the program once. It prints `started PID` and
`ended STATUS`, negative for a signal. When its standard input ends, the program and it end.
"""

import json
import os
import signal
import socket
import sys
import threading

FIRST = 3
TYPES = {
    "seqpacket": socket.SOCK_SEQPACKET,
    "stream": socket.SOCK_STREAM,
    "idle": socket.SOCK_STREAM,
    "dgram": socket.SOCK_DGRAM,
}


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def opened(wanted):
    if wanted["type"] == "file":
        return os.open("/dev/null", os.O_RDONLY)
    made = socket.socket(socket.AF_UNIX, TYPES[wanted["type"]])
    made.bind(wanted["path"])
    os.chmod(wanted["path"], 0o660)
    if wanted["type"] in ("seqpacket", "stream"):
        made.listen(64)
    return made.detach()


def become(told, fds):
    # Away from the numbers that the fds must get.
    high = [os.dup2(fd, 200 + index) for index, fd in enumerate(fds)]
    for index, fd in enumerate(high):
        os.dup2(fd, FIRST + index, inheritable=True)
    os.closerange(FIRST + len(high), 300)
    names = ":".join(wanted["name"] for wanted in told["sockets"])
    passed = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names}
    os.execvpe(told["command"][0], told["command"], {**passed, **told["environment"]})


def wait(pid):
    _, status = os.waitpid(pid, 0)
    running.discard(pid)
    say("ended", os.waitstatus_to_exitcode(status))


running = set()
told = json.loads(sys.argv[1])
fds = [opened(wanted) for wanted in told["sockets"]]
say("listening")
for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            become(told, fds)
        finally:
            os._exit(127)
    running.add(pid)
    say("started", pid)
    threading.Thread(target=wait, args=(pid,)).start()
for pid in list(running):
    os.kill(pid, signal.SIGTERM)
