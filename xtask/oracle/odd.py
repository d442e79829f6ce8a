"""Datagram and UNIX sockets on their less travelled ways, for churn.py: calls that fail and leave something behind, io_uring,
interrupted calls."""

import ctypes
import mmap
import os
import signal
import socket
import struct

libc = ctypes.CDLL(None, use_errno=True)
RELEASE = tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2])


class Uring:
    """io_uring by its system calls: one request at a time. It fails with OSError where it may not be used."""

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


def inet_address(host, port):
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(host))


def datagram(six=False):
    return socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)


def in_vain(sock, act):
    try:
        act(sock)
    except OSError:
        pass


class Odd:
    """Methods for `Churn`, which has `random`, `keep` and `count`."""

    def begin_odd(self):
        try:
            self.ring = Uring()
        except OSError:
            self.ring = None

    def udp_in_vain(self):
        """Each fails, and the socket has a port all the same."""
        early = [
            lambda sock: sock.send(b"x"),
            lambda sock: sock.sendto(b"x", ("127.0.0.1", 0)),
            lambda sock: sock.sendto(bytes(70000), ("127.0.0.1", 9)),
        ]
        late = [lambda sock: sock.sendto(b"x", ("192.0.2.1", 9)), lambda sock: sock.connect(("192.0.2.1", 9))]
        # Nothing reports the early ones before Linux 6.3.
        act = self.random.choice(late + (early if RELEASE >= (6, 3) else []))
        sock = datagram()
        in_vain(sock, act)
        self.keep(sock, "datagram")

    def udp_connected_anew(self):
        sock = datagram(six=True)
        sock.connect(("::ffff:127.0.0.1", 9))
        if self.random.random() < 0.5:
            in_vain(sock, lambda sock: sock.connect(("2001:db8::1", 9)))
        # What connect(2) chose, AF_UNSPEC takes away again.
        if self.random.random() < 0.5:
            libc.connect(sock.fileno(), bytes(16), 16)
            sock.bind(("::1", 0))
        self.keep(sock, "datagram")

    def udp_through_io_uring(self):
        if not self.ring:
            return
        sock = datagram()
        if RELEASE >= (6, 11) and self.random.random() < 0.5:
            self.ring.with_address(Uring.BIND, sock, inet_address("127.0.0.1", 0))
        else:
            host = self.random.choice(["127.0.0.1", "192.0.2.1"])
            self.ring.with_address(Uring.CONNECT, sock, inet_address(host, 9))
        if sock.getsockname()[1]:
            self.keep(sock, "datagram")

    def unix_interrupted(self):
        """A connect that waits for a place in the queue, and is interrupted; and a second connect of what is connected."""
        listener, first, second = (socket.socket(socket.AF_UNIX) for _ in range(3))
        name = f"\0i{os.getpid()}-{self.count}"
        listener.bind(name)
        listener.listen(0)
        first.connect(name)
        before = signal.signal(signal.SIGALRM, lambda *_: None)
        # More than once: the first may come before it waits.
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        # The C library's: Python's would begin again.
        libc.connect(second.fileno(), struct.pack("H", socket.AF_UNIX) + name.encode(), 2 + len(name))
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        server, _ = listener.accept()
        in_vain(first, lambda sock: sock.connect(name))
        for sock, how in [(listener, "listen"), (first, "connect"), (server, "accept"), (second, None)]:
            self.keep(sock, how)
