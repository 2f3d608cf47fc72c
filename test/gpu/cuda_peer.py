"""A CUDA process beside the daemon: imports the opaque fds that it inherits (from fd 3 on), and writes, reads
and copies there. It communicates only with its parent.

Protocol: one JSON object a line on standard input, {"do": COMMAND, ...}, answered by one line on standard
output, {"ok": {...}} or {"error": "..."}. Offsets and sizes are bytes, times milliseconds, words 32 bits
in the device's byte order. An import is named by its fd. At the end of input it releases everything and
exits with 0.

The n-th stride of a painted range holds the word plus n, so that a misplaced byte is detected.
"""

import hashlib
import json
import os
import socket
import statistics
import sys
import time

try:
    from cuda.bindings import driver as cu
except ImportError:  # cuda-python before 12.3
    from cuda import cuda as cu

DEDICATED = 0x1  # CUDA_EXTERNAL_MEMORY_DEDICATED
DEFAULT_STREAM = 0
POSIX_FD = cu.CUmemAllocationHandleType.CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR
READ_BYTES = 16 << 20
NOISE_BYTES = 64 << 20


class Fault(Exception):
    """CUDA returned an error, or the parent's command was invalid."""


def call(name, *args):
    """Calls the driver; returns the values beside the result code, or None. Raises Fault on an error."""
    result, *values = getattr(cu, name)(*args)
    if int(result) != 0:
        raise Fault(f"{name}: {getattr(result, 'name', result)}")
    return values[0] if values else None


def now_ms():
    return time.perf_counter() * 1000


def uuid_of(device):
    return bytes(call("cuDeviceGetUuid", device).bytes).hex()


class Imported:
    """Memory behind an opaque fd, as external memory. CUDA owns the fd after the import."""

    def __init__(self, fd, size, dedicated):
        self.size = size
        self.pointer = None
        handle = cu.CUDA_EXTERNAL_MEMORY_HANDLE_DESC()
        handle.type = cu.CUexternalMemoryHandleType.CU_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD
        handle.handle.fd = fd
        handle.size = size
        handle.flags = DEDICATED if dedicated else 0
        self.memory = call("cuImportExternalMemory", handle)

    def map(self):
        """Maps all of it as a buffer."""
        view = cu.CUDA_EXTERNAL_MEMORY_BUFFER_DESC()
        view.offset = 0
        view.size = self.size
        self.pointer = int(call("cuExternalMemoryGetMappedBuffer", self.memory, view))

    def describe_image(self, width, height):
        """Maps it as an image of four 8-bit channels; returns CUDA's description of its only level."""
        view = cu.CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC()
        view.offset = 0
        view.numLevels = 1
        view.arrayDesc.Width = width
        view.arrayDesc.Height = height
        view.arrayDesc.Depth = 0
        view.arrayDesc.NumChannels = 4
        view.arrayDesc.Format = cu.CUarray_format.CU_AD_FORMAT_UNSIGNED_INT8
        levels = call("cuExternalMemoryGetMappedMipmappedArray", self.memory, view)
        try:
            level = call("cuArray3DGetDescriptor", call("cuMipmappedArrayGetLevel", levels, 0))
            return {"width": int(level.Width), "height": int(level.Height), "channels": int(level.NumChannels)}
        finally:
            call("cuMipmappedArrayDestroy", levels)

    def close(self):
        if self.pointer is not None:
            call("cuMemFree", self.pointer)
        call("cuDestroyExternalMemory", self.memory)


class Mapped:
    """Memory of CUDA's virtual memory management, mapped."""

    def __init__(self, memory, size, device):
        self.size = size
        self.device = device
        self.memory = memory
        self.pointer = int(call("cuMemAddressReserve", size, 0, 0, 0))
        call("cuMemMap", self.pointer, size, 0, self.memory, 0)

    def protect(self, access):
        """Permits the device to read ('ro'), or to read and write ('rw')."""
        allowed = cu.CUmemAccessDesc()
        allowed.location.type = cu.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
        allowed.location.id = int(self.device)
        flags = cu.CUmemAccess_flags
        allowed.flags = (
            flags.CU_MEM_ACCESS_FLAGS_PROT_READ if access == "ro" else flags.CU_MEM_ACCESS_FLAGS_PROT_READWRITE
        )
        call("cuMemSetAccess", self.pointer, self.size, [allowed], 1)

    def close(self):
        call("cuMemUnmap", self.pointer, self.size)
        call("cuMemAddressFree", self.pointer, self.size)
        call("cuMemRelease", self.memory)


class Semaphore:
    """A semaphore behind an opaque fd. CUDA owns the fd after the import."""

    def __init__(self, fd, timeline):
        types = cu.CUexternalSemaphoreHandleType
        handle = cu.CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC()
        handle.type = (
            types.CU_EXTERNAL_SEMAPHORE_HANDLE_TYPE_TIMELINE_SEMAPHORE_FD
            if timeline
            else types.CU_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD
        )
        handle.handle.fd = fd
        handle.flags = 0
        self.semaphore = call("cuImportExternalSemaphore", handle)

    def signal(self, value):
        """Enqueued: it is signalled after the work before it."""
        params = cu.CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS()
        params.params.fence.value = value
        call("cuSignalExternalSemaphoresAsync", [self.semaphore], [params], 1, DEFAULT_STREAM)

    def wait(self, value):
        """Enqueued: the work after it waits."""
        params = cu.CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS()
        params.params.fence.value = value
        call("cuWaitExternalSemaphoresAsync", [self.semaphore], [params], 1, DEFAULT_STREAM)

    def close(self):
        call("cuDestroyExternalSemaphore", self.semaphore)


class Peer:
    def __init__(self):
        self.device = None
        self.imports = {}
        self.semaphores = {}

    def open(self, uuid):
        """Selects the device with this UUID (32 hex digits), and creates its context."""
        call("cuInit", 0)
        devices = [call("cuDeviceGet", index) for index in range(call("cuDeviceGetCount"))]
        match = [device for device in devices if uuid_of(device) == uuid]
        if not match:
            raise Fault(f"CUDA has no device {uuid}, only {[uuid_of(device) for device in devices]}")
        call("cuCtxSetCurrent", call("cuDevicePrimaryCtxRetain", match[0]))
        self.device = match[0]
        return {"driver": int(call("cuDriverGetVersion"))}

    def adopt(self, fd, size, dedicated=False, mapped=True):
        """Imports fd, and maps it as a buffer unless requested otherwise."""
        begun = now_ms()
        imported = self.imports[fd] = Imported(fd, size, dedicated)
        between = now_ms()
        if mapped:
            imported.map()
        return {"importMs": between - begun, "mapMs": now_ms() - between}

    def map(self, fd, size, access="rw"):
        """Imports fd by CUDA's virtual memory management, and maps it for this access."""
        begun = now_ms()
        memory = call("cuMemImportFromShareableHandle", fd, POSIX_FD)
        mapped = self.imports[fd] = Mapped(memory, size, self.device)
        mapped.protect(access)
        return {"mapMs": now_ms() - begun}

    def create(self, fd, size):
        """Creates memory of CUDA's own, maps it, and sends an fd of it through the socket fd."""
        wanted = cu.CUmemAllocationProp()
        wanted.type = cu.CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
        wanted.requestedHandleTypes = POSIX_FD
        wanted.location.type = cu.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
        wanted.location.id = int(self.device)
        memory = call("cuMemCreate", size, wanted, 0)
        mapped = self.imports[fd] = Mapped(memory, size, self.device)
        mapped.protect("rw")
        exported = int(call("cuMemExportToShareableHandle", memory, POSIX_FD, 0))
        with socket.socket(fileno=os.dup(fd)) as parent:
            socket.send_fds(parent, [b"memory"], [exported])
        os.close(exported)
        return {}

    def protect(self, fd, access):
        """Changes the access of what map() mapped."""
        self.imports[fd].protect(access)
        return {}

    def image(self, fd, width, height):
        return self.imports[fd].describe_image(width, height)

    def range(self, fd, offset, size):
        """The address of a range, after checking that it is inside."""
        imported = self.imports[fd]
        if imported.pointer is None or offset < 0 or size < 1 or offset + size > imported.size:
            raise Fault(f"nothing is mapped at {offset} for {size} bytes of {imported.size}")
        return imported.pointer + offset

    def paint(self, fd, offset, size, stride, word):
        at = self.range(fd, offset, size)
        for index, start in enumerate(range(0, size, stride)):
            words = min(stride, size - start) // 4
            call("cuMemsetD32Async", at + start, word + index, words, DEFAULT_STREAM)
        call("cuCtxSynchronize")
        return {}

    def check(self, fd, offset, size, stride, word):
        """The number of strides that differ from what paint() wrote with the same arguments."""
        at = self.range(fd, offset, size)
        wrong = 0
        for index, start in enumerate(range(0, size, stride)):
            length = min(stride, size - start)
            data = bytearray(length)
            call("cuMemcpyDtoH", data, at + start, length)
            wrong += data != (word + index).to_bytes(4, sys.byteorder) * (length // 4)
        return {"wrong": wrong}

    def digest(self, fd, offset, size):
        at = self.range(fd, offset, size)
        digest = hashlib.sha256()
        for start in range(0, size, READ_BYTES):
            data = bytearray(min(READ_BYTES, size - start))
            call("cuMemcpyDtoH", data, at + start, len(data))
            digest.update(data)
        return {"sha256": digest.hexdigest()}

    def work(self, fd, offset, size, forMs):
        """Writes a range and reads it back for this long. `lastMs` is the end of the last round, since 1970."""
        rounds, wrong = 0, 0
        end = now_ms() + forMs
        while now_ms() < end:
            self.paint(fd, offset, size, size, rounds + 1)
            wrong += self.check(fd, offset, size, size, rounds + 1)["wrong"]
            rounds += 1
        return {"rounds": rounds, "wrong": wrong, "lastMs": time.time() * 1000}

    def bandwidth(self, fd, runs, copies):
        """Copies half of an import onto its other half, and the same within CUDA's own memory, alternately:
        the median time of one copy, over this many runs of this many copies.
        """
        half = self.imports[fd].size // 2
        native = int(call("cuMemAlloc", 2 * half))
        try:
            # Data that is not random may be compressed in transit, in memory that the driver made
            # compressible.
            noise = os.urandom(min(NOISE_BYTES, half))
            for start in range(0, half, len(noise)):
                for at in (self.range(fd, 0, 2 * half), native):
                    call("cuMemcpyHtoD", at + start, noise, min(len(noise), half - start))
            places = {"imported": self.range(fd, 0, 2 * half), "native": native}
            times = {name: [] for name in places}
            for run in range(runs + 1):
                for name, at in places.items():
                    call("cuCtxSynchronize")
                    begun = now_ms()
                    for _ in range(copies):
                        call("cuMemcpyDtoDAsync", at + half, at, half, DEFAULT_STREAM)
                    call("cuCtxSynchronize")
                    if run > 0:  # the first only warms up
                        times[name].append((now_ms() - begun) / copies)
            return {f"{name}Ms": statistics.median(taken) for name, taken in times.items()}
        finally:
            call("cuMemFree", native)

    def semaphore(self, fd, timeline=True):
        """Imports fd as a semaphore."""
        self.semaphores[fd] = Semaphore(fd, timeline)
        return {}

    def signal(self, fd, value):
        """Signals by the stream, and returns when that is done."""
        self.semaphores[fd].signal(value)
        call("cuCtxSynchronize")
        return {}

    def wait(self, fd, value):
        """Waits by the stream, and returns when the value was there."""
        self.semaphores[fd].wait(value)
        call("cuCtxSynchronize")
        return {}

    def turns(self, fd, semaphore, offset, size, rounds, first, step, expected, word):
        """Takes turns with another user of the memory fd. In round r it waits for the value first + r * step, keeps a
        copy of the range, writes word + r to it, and signals the next value. All of it is enqueued, and ordered by
        the semaphore alone. Returns how many of the copies do not have expected + r in every word.
        """
        at = self.range(fd, offset, size)
        own = self.semaphores[semaphore]
        copies = int(call("cuMemAlloc", rounds * size))
        try:
            begun = now_ms()
            for index in range(rounds):
                own.wait(first + index * step)
                call("cuMemcpyDtoDAsync", copies + index * size, at, size, DEFAULT_STREAM)
                call("cuMemsetD32Async", at, word + index, size // 4, DEFAULT_STREAM)
                own.signal(first + index * step + 1)
            call("cuCtxSynchronize")
            took = now_ms() - begun
            data = bytearray(rounds * size)
            call("cuMemcpyDtoH", data, copies, len(data))
            wrong = 0
            for index in range(rounds):
                right = (expected + index).to_bytes(4, sys.byteorder) * (size // 4)
                wrong += data[index * size : (index + 1) * size] != right
            return {"wrong": wrong, "ms": took}
        finally:
            call("cuMemFree", copies)

    def close(self, fd):
        self.imports.pop(fd).close()
        return {}

    def end(self):
        for semaphore in self.semaphores.values():
            semaphore.close()
        self.semaphores = {}
        for fd in list(self.imports):
            self.close(fd)
        if self.device is not None:
            call("cuDevicePrimaryCtxRelease", self.device)


COMMANDS = ["open", "adopt", "map", "create", "protect", "image", "paint", "check", "digest", "work", "bandwidth", "close"]
COMMANDS += ["semaphore", "signal", "wait", "turns"]


def main():
    peer = Peer()
    for line in sys.stdin:
        request = json.loads(line)
        command = request.pop("do")
        try:
            if command not in COMMANDS:
                raise Fault(f"no command {command}")
            answer = {"ok": getattr(peer, command)(**request)}
        except Fault as fault:
            answer = {"error": str(fault)}
        print(json.dumps(answer), flush=True)
    peer.end()


if __name__ == "__main__":
    main()
