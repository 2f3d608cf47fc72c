"""A client that sends files whose close() blocks, over the daemon's sockets, in datagrams that the test
supplies.

Usage: hostile_fds.py lingering|fuse SOCKET COUNT stay|leave HEX...

`lingering` is a TCP socket of the loopback device with a full buffer and an SO_LINGER of ten minutes; it
lingers until this program ends. `fuse` is a file in a FUSE file system that this program serves; it
answers only its own requests. It is mounted in the current mount namespace, so run the program in a mount
namespace of its own. COUNT connections each send the datagrams in HEX, the last one with such a file,
without waiting for an answer; `leave` closes the connections at once.

Prints `ready`, and sends when a line arrives; then prints `sent`, or `refused ERRNO`; then each answer, in
hex, or `over`. Ends when its standard input ends. Where the machine has no such file it prints `none
REASON`.
"""

import array
import ctypes
import errno
import os
import socket
import struct
import sys
import tempfile
import threading


def lingering():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    sender = socket.create_connection(listener.getsockname())
    receiver, _ = listener.accept()
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
    sender.setblocking(False)
    try:
        while True:
            sender.send(b"x" * 65536)
    except BlockingIOError:
        pass
    kept.append(receiver)
    return sender.detach()


class FileSystem(threading.Thread):
    """One file, `file`, of 64 KiB, and its folder. Requests of other processes are read and not answered."""

    FORGET, GETATTR, OPEN, STATFS, RELEASE, FLUSH, INIT, LOOKUP, BATCH_FORGET = 2, 3, 14, 17, 18, 25, 26, 1, 42

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"hostile", folder.encode(), b"fuse", 0, options) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        self.start()

    def run(self):
        while True:
            request = os.read(self.device, 1 << 18)
            _, opcode, unique, node, _, _, pid, _ = struct.unpack_from("<IIQQIIII", request)
            if opcode in (self.FORGET, self.BATCH_FORGET) or pid not in (0, os.getpid()):
                continue
            error, data = self.answer(opcode, node, request[40:])
            os.write(self.device, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)

    def answer(self, opcode, node, arguments):
        if opcode == self.INIT:
            return 0, struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 0, 0, 0, 65536, 1, 0, 0, 0)
        if opcode == self.LOOKUP:
            if arguments.split(b"\0")[0] != b"file":
                return errno.ENOENT, b""
            return 0, struct.pack("<QQQQII", 2, 0, 0, 0, 0, 0) + self.attributes(2)
        if opcode == self.GETATTR:
            return 0, struct.pack("<QII", 0, 0, 0) + self.attributes(node)
        if opcode == self.OPEN:
            return 0, struct.pack("<QII", 1, 0, 0)
        if opcode in (self.FLUSH, self.RELEASE):
            return 0, b""
        return errno.ENOSYS, b""

    def attributes(self, node):
        mode = 0o40755 if node == 1 else 0o100666
        return struct.pack("<6Q10I", node, 65536, 128, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def fuse():
    folder = tempfile.mkdtemp()
    try:
        FileSystem(folder)
        return os.open(os.path.join(folder, "file"), os.O_RDWR)
    finally:
        kept.append(folder)


def send(kind, file, datagrams):
    connection = socket.socket(socket.AF_UNIX, kind)
    connection.connect(sys.argv[2])
    for datagram in datagrams[:-1]:
        connection.send(datagram)
    rights = array.array("i", [file])
    connection.sendmsg(datagrams[-1:], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    return connection


def say(*words):
    print(*words, flush=True)


kept = []
datagrams = [bytes.fromhex(text) for text in sys.argv[5:]]
kind = socket.SOCK_STREAM if sys.argv[2].endswith("control.sock") else socket.SOCK_SEQPACKET
try:
    files = [globals()[sys.argv[1]]() for _ in range(int(sys.argv[3]))]
except OSError as failure:
    say("none", failure)
    os._exit(0)
say("ready")
sys.stdin.readline()
try:
    connections = [send(kind, file, datagrams) for file in files]
except OSError as failure:
    say("refused", errno.errorcode[failure.errno])
    os._exit(0)
if sys.argv[4] == "leave":
    for connection in connections:
        connection.close()
for file in files:
    os.close(file)
say("sent")
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
if sys.argv[4] == "stay":
    for connection in connections:
        while answer := connection.recv(65536):
            say(answer.hex())
        say("over")
threading.Event().wait()
