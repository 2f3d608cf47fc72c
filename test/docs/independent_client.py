#!/usr/bin/env python3
"""A client of the handoff socket that shares no code with vkmemd: written from docs/protocol.md and the
schemas.

It uses only Python's standard library. It encodes protobuf by hand, as far as these messages need it:
varints and length-delimited fields, by the field numbers of handoff.proto and memory.proto. It sends one
request at a time.

    independent_client.py SOCKET runs one scenario against a daemon and prints the results as one JSON
    object
"""
import array
import json
import mmap
import os
import socket
import sys

MAX_MESSAGE_BYTES = 65536
MAX_MESSAGE_FDS = 4
KIND_MAPPABLE = 1
ACCESS_READ_WRITE, ACCESS_READ_ONLY = 1, 2
STRENGTHS = {0: None, 1: "ENFORCED", 2: "ADVISORY"}
ID, NAME = 1, 2  # AllocationRef

# Fields of ClientMessage's body, and of ServerMessage's; up to FREE an answer has the field number of its
# request.
HELLO, ALLOCATE, CLAIM, RELEASE, FREE = 10, 11, 12, 13, 14
PUBLISH, CREATE_TICKET, REVOKE_TICKET = 16, 17, 18
ANSWERS = {PUBLISH: 17, CREATE_TICKET: 18, REVOKE_TICKET: 19}
ERROR = 15


def varint(value):
    """A number from 0 to 2**64 - 1 as a varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(*fields):
    """Encodes (number, value) pairs as a message: integers as varints; text, bytes and lists of integers with
    their length.
    """
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
            continue
        if isinstance(value, list):
            value = b"".join(map(varint, value))
        data = value.encode() if isinstance(value, str) else value
        out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def fields(data):
    """Decodes a message as {number: [values]}: integers, and bytes for every length-delimited field."""
    found, at = {}, 0

    def read_varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = read_varint()
        number, wire = key >> 3, key & 7
        if wire == 0:
            value = read_varint()
        elif wire == 2:
            size = read_varint()
            value, at = data[at : at + size], at + size
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
        else:
            raise ValueError(f"wire type {wire}")
        found.setdefault(number, []).append(value)
    return found


def only(found, number, default=0):
    """The value of a field that is not repeated."""
    return found.get(number, [default])[-1]


class Fault(Exception):
    """google.rpc.Status with the ErrorInfo that has the code of the catalogue."""

    def __init__(self, data, sequence):
        status = fields(data)
        super().__init__(only(status, 2, b"").decode())
        self.sequence = sequence
        self.code = None
        for detail in map(fields, status.get(3, [])):
            if only(detail, 1, b"") == b"type.googleapis.com/google.rpc.ErrorInfo":
                self.code = only(fields(only(detail, 2, b"")), 1, b"").decode()


class Grant:
    """One grant of one fd, which its holder closes."""

    def __init__(self, data, fds):
        grant = fields(data)
        self.id = only(grant, 1)
        self.kind = only(grant, 3)
        self.strength = STRENGTHS[only(grant, 5)]
        (self.fd,) = [fds.pop(0) for _ in range(only(grant, 6))]
        self.map_offset = only(grant, 7)
        self.map_size = only(grant, 8)

    def map(self, protection):
        return mmap.mmap(self.fd, self.map_size, mmap.MAP_SHARED, protection, offset=self.map_offset)


class Client:
    """One connection, and so one session: to the socket at `path`, or, without one, the session that this
    process inherited.
    """

    def __init__(self, path=None, greet=True):
        if path is None:
            self.socket = socket.socket(fileno=int(os.environ.pop("VKMEM_SESSION_FD")))
            self.socket.set_inheritable(False)
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
            self.socket.connect(path)
        self.sequence = 0
        if greet:
            welcome, _ = self.ask(HELLO, message((1, 1), (2, "independent client"), (3, int(path is None))))
            self.version = only(welcome, 1)
            self.incarnation = only(welcome, 2, b"").decode()
            self.session = only(welcome, 4)

    def ask(self, body, data):
        """Sends one request; returns the fields and fds of its answer, or raises the Fault of the answer."""
        self.send(body, data)
        return self.answer(body)

    def send(self, body, data):
        self.sequence += 1
        self.socket.send(message((1, self.sequence), (body, data)))

    def answer(self, body):
        answer, fds = self.receive()
        if ERROR in answer:
            raise Fault(only(answer, ERROR), only(answer, 1))
        if only(answer, 1) != self.sequence or only(answer, 2) != len(fds):
            raise ValueError("the answer has another sequence number or other fds than expected")
        return fields(only(answer, ANSWERS.get(body, body), b"")), fds

    def receive(self):
        room = socket.CMSG_SPACE(MAX_MESSAGE_FDS * array.array("i").itemsize)
        data, control, _, _ = self.socket.recvmsg(MAX_MESSAGE_BYTES, room, socket.MSG_CMSG_CLOEXEC)
        if not data:
            raise EOFError("the daemon closed the connection")
        fds = array.array("i")
        for level, kind, rights in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(rights[: len(rights) - len(rights) % fds.itemsize])
        return fields(data), list(fds)

    def allocate(self, size, name):
        """A NAMED allocation of MAPPABLE memory and a grant of it."""
        request = message((1, size), (2, [KIND_MAPPABLE]), (4, name), (5, [KIND_MAPPABLE]), (6, ACCESS_READ_WRITE))
        answer, fds = self.ask(ALLOCATE, request)
        return fields(only(answer, 1)), Grant(only(answer, 2), fds)

    def claim(self, ref, access, by=NAME):
        request = message((1, message((by, ref))), (2, [KIND_MAPPABLE]), (3, access))
        answer, fds = self.ask(CLAIM, request)
        return Grant(only(answer, 2), fds)

    def release(self, grant):
        self.ask(RELEASE, message((1, grant.id)))

    def free(self, name):
        answer, _ = self.ask(FREE, message((1, message((2, name)))))
        return bool(only(answer, 2))


def code_of(request):
    try:
        request()
    except Fault as fault:
        return fault.code
    return None


def story(path):
    owner, reader = Client(path), Client(path)
    allocation, grant = owner.allocate(10_000, "independent")
    seen = {"version": owner.version, "same_incarnation": owner.incarnation == reader.incarnation}
    seen["size"] = only(allocation, 3)
    memory = grant.map(mmap.PROT_READ | mmap.PROT_WRITE)
    seen["zeroed"] = memory[:] == bytes(len(memory))
    memory[4000:4005] = b"bytes"

    claimed = reader.claim("independent", ACCESS_READ_ONLY)
    seen["read_only"] = claimed.strength
    view = claimed.map(mmap.PROT_READ)
    seen["read"] = view[4000:4005].decode()
    try:
        claimed.map(mmap.PROT_READ | mmap.PROT_WRITE)
    except PermissionError:
        seen["write_refused"] = True
    view.close()
    os.close(claimed.fd)
    reader.release(claimed)

    seen["name_taken"] = code_of(lambda: owner.allocate(1, "independent"))
    seen["not_found"] = code_of(lambda: reader.claim("missing", ACCESS_READ_WRITE))
    memory.close()
    os.close(grant.fd)
    seen["freed"] = owner.free("independent")
    seen["dropped_by_free"] = code_of(lambda: owner.release(grant))

    hasty = Client(path, greet=False)
    seen["before_hello"] = code_of(lambda: hasty.free("independent"))
    seen["hung_up"] = hasty.socket.recv(1) == b""
    for client in (owner, reader, hasty):
        client.socket.close()
    return seen


if __name__ == "__main__":
    print(json.dumps(story(sys.argv[1])))
