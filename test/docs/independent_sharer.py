#!/usr/bin/env python3
"""Tickets, write locks and publishing with the independent client, written from docs/protocol.md alone.

    independent_sharer.py SOCKET runs one scenario against a daemon and prints the results as one JSON
    object
"""
import json
import mmap
import os
import sys

from independent_client import (ACCESS_READ_ONLY, ACCESS_READ_WRITE, ALLOCATE, CLAIM, CREATE_TICKET, KIND_MAPPABLE,
                                NAME, PUBLISH, REVOKE_TICKET, Client, Grant, code_of, fields, message, only)

SHARING_EXCLUSIVE = 3


def allocate(client, name, *more):
    client.ask(ALLOCATE, message((1, 4096), (2, [KIND_MAPPABLE]), (4, name), *more))


def ref(name):
    return (1, message((NAME, name)))


def with_ticket(client, secret, *more):
    answer, fds = client.ask(CLAIM, message((4, secret), *more))
    return Grant(only(answer, 2), fds)


def create_ticket(client, name, *more):
    """Its secret, and its id."""
    answer, _ = client.ask(CREATE_TICKET, message(ref(name), *more))
    return only(answer, 1).decode(), only(fields(only(answer, 2)), 1).decode()


def tickets(owner, other):
    allocate(owner, "shown", (14, 1))
    grant = owner.claim("shown", ACCESS_READ_WRITE)
    view = grant.map(mmap.PROT_READ | mmap.PROT_WRITE)
    view[:4] = b"seen"
    secret, _ = create_ticket(owner, "shown")
    seen = {"more_than_it_gives": code_of(lambda: with_ticket(other, secret, (3, ACCESS_READ_WRITE)))}
    claimed = with_ticket(other, secret)
    seen["by_ticket"] = claimed.map(mmap.PROT_READ)[:4].decode()
    seen["used_up"] = code_of(lambda: with_ticket(other, secret))
    revoked, ticket = create_ticket(owner, "shown", (4, 5), (5, 60))
    owner.ask(REVOKE_TICKET, message((1, ticket)))
    seen["revoked"] = code_of(lambda: with_ticket(other, revoked))
    seen["revoked_twice"] = code_of(lambda: owner.ask(REVOKE_TICKET, message((1, ticket))))
    for client, each in (owner, grant), (other, claimed):
        os.close(each.fd)
        client.release(each)
    return seen, view


def publishing(owner, view):
    answer, _ = owner.ask(PUBLISH, message(ref("shown")))
    seen = {"published": bool(only(fields(only(answer, 1)), 21))}
    seen["to_write"] = code_of(lambda: owner.claim("shown", ACCESS_READ_WRITE))
    grant = owner.claim("shown", ACCESS_READ_ONLY)
    seen["strength"] = grant.strength
    view[:4] = b"late"
    seen["old_view"] = grant.map(mmap.PROT_READ)[:4].decode()
    os.close(grant.fd)
    owner.free("shown")
    return seen


def turns(owner, other):
    allocate(owner, "turns", (13, SHARING_EXCLUSIVE))
    first = owner.claim("turns", ACCESS_READ_WRITE)
    seen = {"refused": code_of(lambda: other.claim("turns", ACCESS_READ_WRITE))}
    request = message(ref("turns"), (2, [KIND_MAPPABLE]), (3, ACCESS_READ_WRITE))
    seen["waited_in_vain"] = code_of(lambda: other.ask(CLAIM, request + message((5, 20))))
    other.send(CLAIM, request + message((5, 60_000)))
    os.close(first.fd)
    owner.release(first)
    answer, fds = other.answer(CLAIM)
    second = Grant(only(answer, 2), fds)
    seen["granted_in_turn"] = second.kind == KIND_MAPPABLE
    seen["unpublishable"] = code_of(lambda: owner.ask(PUBLISH, message(ref("turns"))))
    os.close(second.fd)
    owner.free("turns")
    return seen


if __name__ == "__main__":
    owner, other = Client(sys.argv[1]), Client(sys.argv[1])
    told, view = tickets(owner, other)
    told |= publishing(owner, view) | turns(owner, other)
    view.close()
    for client in (owner, other):
        client.socket.close()
    print(json.dumps(told))
