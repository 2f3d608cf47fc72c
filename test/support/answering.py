"""Answers the challenge of a daemon in ways in which no client should, each on a connection of its own.

Usage: answering.py UID SOCKET HELLO CASE..., where HELLO is a ClientMessage in hexadecimal. Acts as the user. Prints a JSON object: for each
case what the daemon answered in turn: "welcome", "challenge" (a welcome with one), "error", "end", "refused" (the
kernel refused the message). A case is a word of CASES.
"""
import json
import os
import socket
import struct
import sys

UID, PATH, HELLO = int(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3])
OTHER_UID = 65533
WELCOME, ERROR, CHALLENGE = 10, 15, 8
SCM_CREDENTIALS = 2


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """The fields of a message: numbers to values."""
    found, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            found[tag >> 3], at = varint(data, at)
        elif tag & 7 == 2:
            size, at = varint(data, at)
            found[tag >> 3], at = data[at:at + size], at + size
        else:
            raise ValueError(f"wire type {tag & 7}")
    return found


def proof(sequence, challenge):
    hello = bytes([7 << 3 | 2, len(challenge)]) + challenge
    return bytes([1 << 3, sequence, 10 << 3 | 2, len(hello)]) + hello


class Connection:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(PATH)
        self.answers = []
        self.challenge = b""
        self.sequence = 1

    def hello(self):
        self.socket.send(HELLO)
        self.receive()
        return self

    def receive(self):
        try:
            message = fields(self.socket.recv(65536))
        except ConnectionError:
            message = {}
        welcome = fields(message.get(WELCOME, b""))
        if CHALLENGE in welcome:
            self.challenge = welcome[CHALLENGE]
        if WELCOME in message:
            self.answers.append("challenge" if CHALLENGE in welcome else "welcome")
        else:
            self.answers.append("error" if ERROR in message else "end")

    def answer(self, pid=0, uid=None, challenge=None):
        """Sends the proof; with credentials if there is a pid."""
        self.sequence += 1
        data = proof(self.sequence, self.challenge if challenge is None else challenge)
        named = struct.pack("iII", pid, os.geteuid() if uid is None else uid, os.getegid())
        control = [(socket.SOL_SOCKET, SCM_CREDENTIALS, named)] if pid else []
        try:
            self.socket.sendmsg([data], control)
        except PermissionError:
            self.answers.append("refused")
            return
        self.receive()

    def in_child(self, work):
        """Runs the work in a child, which has a copy of the socket, and takes over what it saw."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            work()
            os.write(writer, json.dumps([self.answers, self.sequence]).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as seen:
            self.answers, self.sequence = json.load(seen)
        os.waitpid(child, 0)


def own(connection):
    connection.answer(os.getpid())


def child_then_own(connection):
    connection.in_child(lambda: connection.answer(os.getpid()))
    own(connection)


def child_names_parent(connection):
    parent = os.getpid()
    connection.in_child(lambda: connection.answer(parent))


def bare_then_own(connection):
    connection.answer()
    own(connection)


def replayed(connection):
    other = Connection().hello()
    connection.answer(os.getpid(), challenge=other.challenge)
    connection.receive()


def short(connection):
    connection.answer(os.getpid(), challenge=connection.challenge[:15])
    connection.receive()


def twice(connection):
    own(connection)
    own(connection)
    connection.receive()


def other_user(connection):
    connection.answer(os.getpid(), uid=OTHER_UID)
    own(connection)


CASES = {
    "own": own,
    "child, then own": child_then_own,
    "child names parent": child_names_parent,
    "bare, then own": bare_then_own,
    "replayed": replayed,
    "short": short,
    "twice": twice,
    "other user, then own": other_user,
}


def main():
    if UID != os.geteuid():
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
    seen = {}
    for case in sys.argv[4:]:
        if case == "before Hello":
            connection = Connection()
            connection.sequence = 0
            connection.answer(os.getpid(), challenge=bytes(16))
            connection.receive()
        else:
            connection = Connection().hello()
            CASES[case](connection)
        seen[case] = connection.answers
    print(json.dumps(seen))


main()
