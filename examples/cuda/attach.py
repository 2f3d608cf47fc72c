#!/usr/bin/env python3
"""Memory of vkmemd in CUDA, by the driver API alone: imported as CUDA's own virtual memory (cuMem...), not by
cuImportExternalMemory. It needs Python's standard library and CUDA's driver, nothing else. From a checkout,
on a host with an NVIDIA GPU and a daemon on it:

    WANTED=name=weights,size=64M,kind=OPAQUE_FD,lifetime=session
    npx vkmemctl exec --allocate $WANTED -- python3 examples/cuda/attach.py weights

It shows, one after the other, and prints a line for each:
  - which GPU the memory is on, and an import at a chosen address
  - the same memory for several GPUs, where there are several
  - sleep and wake: the memory is unmapped, its handle is released, and it is mapped again at the same
    address; a CUDA graph that was captured before is launched before and after
  - a mapping that the GPU can only read

The size is to be a multiple of 2 MiB, the granularity of cuMemMap. Exit codes: 0; 1 the reason is on standard
error; 64 usage.
"""

import ctypes
import json
import os
import socket
import struct
import sys

ADDRESS = 0x700000000000
# Of sizes and addresses that are mapped, in bytes (cuMemGetAllocationGranularity).
GRANULARITY = 2 << 20
WORDS = 1024

# cuda.h.
LOCATION_DEVICE = 1
PROT_READ, PROT_READWRITE = 1, 3
POSIX_FILE_DESCRIPTOR = 1
STREAM_NON_BLOCKING = 1
CAPTURE_THREAD_LOCAL = 1

# handoff.proto and memory.proto.
HELLO, CLAIM, ERROR = 10, 12, 15
KIND_OPAQUE_FD = 2
CHALLENGE, PROOF = 8, 7
SCM_CREDENTIALS = 2


class Fault(Exception):
    """CUDA or the daemon refused something."""


class Cuda:
    """libcuda.so.1. A call raises Fault with its name and CUDA's error."""

    def __init__(self):
        self.library = ctypes.CDLL("libcuda.so.1")

    def name_of(self, result):
        name = ctypes.c_char_p()
        self.library.cuGetErrorName(result, ctypes.byref(name))
        return f"{(name.value or b'unknown error').decode()} ({result})"

    def attempt(self, function, *arguments):
        """Calls a function; returns its result."""
        return getattr(self.library, function)(*arguments)

    def __call__(self, function, *arguments):
        result = self.attempt(function, *arguments)
        if result != 0:
            raise Fault(f"{function}: {self.name_of(result)}")


class Access(ctypes.Structure):
    """CUmemAccessDesc."""

    _fields_ = [("type", ctypes.c_int), ("device", ctypes.c_int), ("flags", ctypes.c_int)]


# Sizes and addresses have 64 bits; ctypes passes plain numbers as 32.
u64 = ctypes.c_uint64
pointer = ctypes.c_void_p


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def message(*fields):
    """Encodes (number, value) pairs: numbers as varints, text and bytes with their length."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def fields(data):
    """Decodes a message: the last value of each field by its number."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                return value

    while at < len(data):
        key = number()
        wire = key & 7
        if wire == 0:
            found[key >> 3] = number()
            continue
        size = number() if wire == 2 else {1: 8, 5: 4}[wire]
        found[key >> 3] = data[at : at + size]
        at += size
    return found


class Session:
    """The session of $VKMEM_SESSION_FD, which `vkmemctl exec` sets (docs/protocol.md)."""

    def __init__(self):
        if "VKMEM_SESSION_FD" not in os.environ:
            raise Fault("no VKMEM_SESSION_FD: start this program by `vkmemctl exec`")
        fd = int(os.environ.pop("VKMEM_SESSION_FD"))
        os.set_inheritable(fd, False)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fd)
        self.sequence = 0
        welcome, _ = self.ask(HELLO, message((1, 1), (2, "CUDA example in Python"), (3, 1)))
        if CHALLENGE in welcome:
            self.prove(welcome[CHALLENGE])

    def ask(self, body, data, control=()):
        """Sends a request; returns the fields of its answer, and the fds. The caller closes these."""
        self.sequence += 1
        self.socket.sendmsg([message((1, self.sequence), (body, data))], control)
        data, fds, _, _ = socket.recv_fds(self.socket, 65536, 4, socket.MSG_CMSG_CLOEXEC)
        answer = fields(data)
        if body in answer:
            return fields(answer[body]), fds
        if ERROR not in answer:
            raise Fault("the daemon closed the connection")
        status = fields(answer[ERROR])
        code = fields(fields(status.get(3, b"")).get(2, b"")).get(1, b"error")
        raise Fault(f"{code.decode()}: {status.get(2, b'').decode()}")

    def prove(self, challenge):
        """Answers a daemon whose kernel has no SO_PEERPIDFD: this process opened the connection."""
        own = struct.pack("iII", os.getpid(), os.geteuid(), os.getegid())
        try:
            self.ask(HELLO, message((PROOF, challenge)), [(socket.SOL_SOCKET, SCM_CREDENTIALS, own)])
        except Fault:
            pass  # Another process opened it, and this one is served without.

    def claim(self, label, uuids):
        """Claims what was allocated for this process as an OPAQUE_FD. Memory of a device that is not among
        the UUIDs is refused with WRONG_DEVICE. Returns the fd, the bytes, and the device's UUID.
        """
        allocations = json.loads(os.environ.get("VKMEM_ALLOCATIONS", "{}"))
        if label not in allocations:
            raise Fault(f"VKMEM_ALLOCATIONS has no {label}")
        reference = message((1, allocations[label]))
        claim = message((1, reference), (2, bytes([KIND_OPAQUE_FD])), *((6, uuid) for uuid in uuids))
        answer, (fd,) = self.ask(CLAIM, claim)
        grant = fields(answer[2])
        return fd, grant[10], grant[16]


class Weights:
    """Memory of the daemon at a reserved address."""

    def __init__(self, cuda, fd, size, device):
        self.cuda, self.fd, self.size, self.device = cuda, fd, size, device
        self.handle = u64()
        address = u64()
        cuda("cuMemAddressReserve", ctypes.byref(address), u64(size), u64(GRANULARITY), u64(ADDRESS), u64(0))
        self.address = address.value
        self.wake()

    def wake(self):
        """Imports the fd and maps it. The fd stays open, so that this can be repeated."""
        cuda = self.cuda
        handle = ctypes.byref(self.handle)
        cuda("cuMemImportFromShareableHandle", handle, pointer(self.fd), POSIX_FILE_DESCRIPTOR)
        cuda("cuMemMap", u64(self.address), u64(self.size), u64(0), self.handle, u64(0))
        self.allow(self.address, [self.device])

    def sleep(self):
        """Unmaps it. The address stays reserved, and the daemon has the bytes."""
        self.cuda("cuMemUnmap", u64(self.address), u64(self.size))
        self.cuda("cuMemRelease", self.handle)

    def allow(self, address, devices, flags=PROT_READWRITE):
        """Gives devices access to a mapping of it."""
        access = (Access * len(devices))(*((LOCATION_DEVICE, device, flags) for device in devices))
        self.cuda("cuMemSetAccess", u64(address), u64(self.size), access, u64(len(devices)))

    def fill(self, address, word):
        self.cuda("cuMemsetD32Async", u64(address), ctypes.c_uint(word), u64(WORDS), None)
        self.cuda("cuCtxSynchronize")

    def expect(self, address, word, what):
        words = (ctypes.c_uint * WORDS)()
        self.cuda("cuMemcpyDtoH_v2", words, u64(address), u64(ctypes.sizeof(words)))
        for at, found in enumerate(words):
            if found != word:
                raise Fault(f"{what}: word {at} is {found:08x}, not {word:08x}")


def device_uuids(cuda):
    count = ctypes.c_int()
    cuda("cuInit", 0)
    cuda("cuDeviceGetCount", ctypes.byref(count))
    uuids = []
    for device in range(count.value):
        uuid = ctypes.create_string_buffer(16)
        cuda("cuDeviceGetUuid", uuid, device)
        uuids.append(uuid.raw)
    return uuids


def context_of(cuda, device):
    context = pointer()
    cuda("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    return context


def share_with_peers(cuda, weights, count):
    def reaches(device):
        reached = ctypes.c_int()
        cuda("cuDeviceCanAccessPeer", ctypes.byref(reached), device, weights.device)
        return bool(reached.value)

    devices = [device for device in range(count) if device == weights.device or reaches(device)]
    weights.allow(weights.address, devices)
    own = context_of(cuda, weights.device)
    for device in devices:
        cuda("cuCtxSetCurrent", context_of(cuda, device))
        weights.fill(weights.address, 0x9E000000 + device)
        cuda("cuCtxSetCurrent", own)
        weights.expect(weights.address, 0x9E000000 + device, "what a GPU wrote")
    print(f"{len(devices)} of {count} GPUs write it at the same address")


def capture(cuda, weights, stream, word):
    """A graph that fills the beginning of the memory with a word and copies that to its middle."""
    graph, executable = pointer(), pointer()
    middle = weights.address + weights.size // 2
    cuda("cuStreamBeginCapture_v2", stream, CAPTURE_THREAD_LOCAL)
    cuda("cuMemsetD32Async", u64(weights.address), ctypes.c_uint(word), u64(WORDS), stream)
    cuda("cuMemcpyDtoDAsync_v2", u64(middle), u64(weights.address), u64(WORDS * 4), stream)
    cuda("cuStreamEndCapture", stream, ctypes.byref(graph))
    cuda("cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, u64(0))
    cuda("cuGraphDestroy", graph)
    return executable


def launch(cuda, weights, graph, stream, word):
    middle = weights.address + weights.size // 2
    weights.fill(weights.address, 0)
    weights.fill(middle, 0)
    cuda("cuGraphLaunch", graph, stream)
    cuda("cuStreamSynchronize", stream)
    weights.expect(weights.address, word, "the graph's memset")
    weights.expect(middle, word, "the graph's copy")


def sleep_and_wake(cuda, weights):
    stream, word = pointer(), 0x6A9B0001
    quarter = weights.address + weights.size // 4
    cuda("cuStreamCreate", ctypes.byref(stream), STREAM_NON_BLOCKING)
    graph = capture(cuda, weights, stream, word)
    weights.fill(quarter, 0xCA11AB1E)
    launch(cuda, weights, graph, stream, word)
    weights.sleep()
    weights.wake()
    weights.expect(quarter, 0xCA11AB1E, "the bytes after waking")
    launch(cuda, weights, graph, stream, word)
    cuda("cuGraphExecDestroy", graph)
    cuda("cuStreamDestroy_v2", stream)
    print("slept and woke at the same address: the bytes and a graph captured before are valid")


def map_read_only(cuda, weights):
    """Maps the same memory a second time, for reading. The write that is refused can leave the context
    unusable, so this is the last step.
    """
    address = u64()
    weights.fill(weights.address, 0x0BADCAFE)
    cuda("cuMemAddressReserve", ctypes.byref(address), u64(weights.size), u64(GRANULARITY), u64(0), u64(0))
    cuda("cuMemMap", address, u64(weights.size), u64(0), weights.handle, u64(0))
    weights.allow(address.value, [weights.device], PROT_READ)
    weights.expect(address.value, 0x0BADCAFE, "the read-only mapping")
    result = cuda.attempt("cuMemsetD32Async", address, ctypes.c_uint(0), u64(WORDS), None)
    if result == 0:
        result = cuda.attempt("cuCtxSynchronize")
    if result == 0:
        raise Fault("a write through the read-only mapping was not refused")
    print(f"read-only mapping: reads are right, a write is refused: {cuda.name_of(result)}")


def main():
    if len(sys.argv) != 2:
        print(f"Usage: {sys.argv[0]} LABEL", file=sys.stderr)
        return 64
    sys.stdout.reconfigure(line_buffering=True)
    try:
        cuda = Cuda()
        uuids = device_uuids(cuda)
        fd, size, uuid = Session().claim(sys.argv[1], uuids)
        device = uuids.index(uuid)
        cuda("cuCtxSetCurrent", context_of(cuda, device))
        weights = Weights(cuda, fd, size, device)
        print(f"{size >> 20} MiB of GPU {device} at {weights.address:#x}")
        if len(uuids) > 1:
            share_with_peers(cuda, weights, len(uuids))
        sleep_and_wake(cuda, weights)
        map_read_only(cuda, weights)
    except (Fault, OSError) as fault:
        print(fault, file=sys.stderr)
        return 1
    # The end of the process unmaps everything and ends the session.
    return 0


if __name__ == "__main__":
    sys.exit(main())
