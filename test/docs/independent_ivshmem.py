"""A client of an ivshmem socket, written from docs/virtualization.md alone.

Two peers join, ring each other and share memory; one leaves, one breaks the rules. Prints what it saw as JSON.
"""

import array
import json
import mmap
import os
import socket
import struct
import sys

WORD = struct.Struct("<q")
RING = struct.pack("<Q", 1)


class Peer:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        self.socket.connect(path)
        version, _ = self.word()
        self.id, _ = self.word()
        minus_one, memory = self.word()
        self.start = [version, minus_one]
        self.memory = mmap.mmap(memory, os.fstat(memory).st_size)
        os.close(memory)
        self.doorbells = {}

    def word(self):
        """One word and its fd, or None for each at the end of the connection."""
        try:
            bytes_, ancillary, _, _ = self.socket.recvmsg(WORD.size, socket.CMSG_SPACE(4))
        except ConnectionResetError:
            return None, None
        if not bytes_:
            return None, None
        while len(bytes_) < WORD.size:
            bytes_ += self.socket.recv(WORD.size - len(bytes_))
        fds = array.array("i")
        for _, _, data in ancillary:
            fds.frombytes(data)
        return WORD.unpack(bytes_)[0], fds[0] if fds else None

    def complete(self, peer_id, vectors):
        """Reads until all doorbells of the peer are known."""
        while len(self.doorbells.get(peer_id, [])) < vectors:
            id_, fd = self.word()
            self.doorbells.setdefault(id_, []).append(fd)


def main():
    path, vectors = sys.argv[1], int(sys.argv[2])
    seen = {}
    one = Peer(path)
    one.complete(one.id, vectors)
    other = Peer(path)
    other.complete(other.id, vectors)
    seen["start"] = one.start
    seen["known"] = sorted(other.doorbells) == sorted([one.id, other.id])
    one.complete(other.id, vectors)
    seen["size"] = len(one.memory)
    one.memory[:5] = b"hello"
    seen["shared"] = other.memory[:5].decode()
    for _ in range(3):
        os.write(one.doorbells[other.id][vectors - 1], RING)
    own = other.doorbells[other.id]
    seen["rung"] = struct.unpack("<Q", os.read(own[vectors - 1], 8))[0]
    try:
        os.read(own[0], 8)
    except BlockingIOError:
        seen["not_rung"] = True
    other.socket.close()
    left, fd = one.word()
    seen["left"] = left == other.id and fd is None
    one.socket.send(b"x")
    seen["ended"] = one.word() == (None, None)
    seen["still"] = one.memory[:5].decode()
    print(json.dumps(seen))


main()
