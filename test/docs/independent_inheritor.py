#!/usr/bin/env python3
"""A program that is started with a session: the independent client on the inherited socket.

    independent_inheritor.py TEXT writes TEXT to each allocation that was allocated for it, and prints the
    results as JSON
"""
import json
import mmap
import os
import sys

from independent_client import ACCESS_READ_WRITE, ID, Client

inheritor = Client()
seen = {"version": inheritor.version, "session": inheritor.session, "written": []}
text = sys.argv[1].encode()
for label, allocation in json.loads(os.environ["VKMEM_ALLOCATIONS"]).items():
    grant = inheritor.claim(allocation, ACCESS_READ_WRITE, by=ID)
    with grant.map(mmap.PROT_READ | mmap.PROT_WRITE) as memory:
        memory[: len(text)] = text
    os.close(grant.fd)
    inheritor.release(grant)
    seen["written"].append(label)
seen["again"] = "VKMEM_SESSION_FD" in os.environ
inheritor.socket.close()
print(json.dumps(seen))
