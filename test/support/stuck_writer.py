"""Writes to the memfd that is its file descriptor 3. The write never ends, because its bytes come from a FUSE
file that is not served. Operations that need the lock of the memfd's inode, such as sealing, wait
meanwhile.

Usage: stuck_writer.py, in a mount namespace of its own. Prints `stuck` when the write is stuck, or `none
REASON` where the machine has no such file. Ends the write when its standard input ends.
"""

import ctypes
import os
import struct
import sys
import tempfile
import threading
import time

INIT = 26
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]


def say(*words):
    print(*words, flush=True)


def serve(device):
    """One file, which can be opened; reads of it are never answered."""
    while True:
        request = os.read(device, 1 << 18)
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        attributes = struct.pack("<6Q10I", 2, 65536, 128, 0, 0, 0, 0, 0, 0, 0o100666, 1, 0, 0, 0, 4096, 0)
        answers = {
            INIT: struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 0, 0, 0, 65536, 1, 0, 0, 0),
            1: struct.pack("<QQQQII", 2, 0, 0, 0, 0, 0) + attributes,
            3: struct.pack("<QII", 0, 0, 0)
            + (attributes if node == 2 else attributes.replace(struct.pack("<I", 0o100666), struct.pack("<I", 0o40755))),
            14: struct.pack("<QII", 1, 0, 0),
        }
        if opcode in answers:
            os.write(device, struct.pack("<IiQ", 16 + len(answers[opcode]), 0, unique) + answers[opcode])


folder = tempfile.mkdtemp()
try:
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"stuck", folder.encode(), b"fuse", 0, options) != 0:
        raise OSError(ctypes.get_errno(), "mount")
except OSError as failure:
    os.rmdir(folder)
    say("none", failure)
    sys.exit()
if os.fork() > 0:
    # The server: when it ends and its device is closed, the write ends too.
    threading.Thread(target=serve, args=[device], daemon=True).start()
    os.close(3)
    sys.stdin.read()
    libc.umount2(folder.encode(), 2)
    os.rmdir(folder)
    os._exit(0)
os.close(device)
file = os.open(os.path.join(folder, "file"), os.O_RDONLY)
page = libc.mmap(None, 4096, 1, 1, file, 0)
writing = threading.Thread(target=libc.write, args=[3, page, 4096])
writing.start()
time.sleep(0.5)
say("stuck" if writing.is_alive() else "none the write ended")
writing.join()
os._exit(0)
