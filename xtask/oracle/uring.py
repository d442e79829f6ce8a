"""io_uring by its system calls, for the oracle and for the actors of the tests."""

import ctypes
import mmap
import struct

libc = ctypes.CDLL(None, use_errno=True)


class Uring:
    """One request at a time. Making one fails with OSError where io_uring may not be used."""

    ACCEPT, CONNECT, BIND, LISTEN = 13, 16, 56, 57

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.fd = libc.syscall(425, 4, params)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "io_uring_setup")
        words = struct.unpack("30I", params.raw)
        self.sq, self.cq = words[10:20], words[20:30]
        size = max(self.sq[6] + 4 * words[0], self.cq[5] + 16 * words[1])
        self.rings = mmap.mmap(self.fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self.entries = mmap.mmap(self.fd, 64 * words[0], mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0x10000000)

    def word(self, at, value=None):
        if value is not None:
            struct.pack_into("I", self.rings, at, value)
        return struct.unpack_from("I", self.rings, at)[0]

    def run(self, operation, fd, address=0, length=0, offset=0):
        """What it came to: 0 or a descriptor, or the negative error."""
        tail = self.word(self.sq[1])
        index = tail & self.word(self.sq[2])
        struct.pack_into("BBHiQQIIQ24x", self.entries, 64 * index, operation, 0, 0, fd, offset, address, length, 0, 0)
        self.word(self.sq[6] + 4 * index, index)
        self.word(self.sq[1], tail + 1)
        if libc.syscall(426, self.fd, 1, 1, 1, None, 0) < 0:
            raise OSError(ctypes.get_errno(), "io_uring_enter")
        head = self.word(self.cq[0])
        at = self.cq[5] + 16 * (head & self.word(self.cq[2])) + 8
        self.word(self.cq[0], head + 1)
        return struct.unpack_from("i", self.rings, at)[0]

    def with_address(self, operation, sock, address):
        buffer = ctypes.create_string_buffer(address, len(address))
        return self.run(operation, sock.fileno(), ctypes.addressof(buffer), 0, len(address))

    def connect(self, sock, address):
        return self.with_address(self.CONNECT, sock, address)

    def bind(self, sock, address):
        return self.with_address(self.BIND, sock, address)

    def listen(self, sock, backlog):
        return self.run(self.LISTEN, sock.fileno(), 0, backlog)

    def accept(self, sock):
        return self.run(self.ACCEPT, sock.fileno())
