"""Datagram and UNIX sockets on their less travelled ways, for churn.py: calls that fail and leave something behind, io_uring,
interrupted calls."""

import os
import signal
import socket
import struct

from uring import Uring, libc

RELEASE = tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2])


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
            self.ring.bind(sock, inet_address("127.0.0.1", 0))
        else:
            host = self.random.choice(["127.0.0.1", "192.0.2.1"])
            self.ring.connect(sock, inet_address(host, 9))
        if sock.getsockname()[1]:
            self.keep(sock, "datagram")

    def unix_interrupted(self):
        """A connect that waits for a place in the queue, and is interrupted; and a second connect of what is connected."""
        listener, first, second = (socket.socket(socket.AF_UNIX) for _ in range(3))
        name = f"\0i{os.getpid()}-{self.count}"
        listener.bind(name)
        listener.listen(0)
        first.connect(name)
        # More than once: the first may come before it waits.
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        # The C library's: Python's would begin again.
        libc.connect(second.fileno(), struct.pack("H", socket.AF_UNIX) + name.encode(), 2 + len(name))
        signal.setitimer(signal.ITIMER_REAL, 0)
        server, _ = listener.accept()
        in_vain(first, lambda sock: sock.connect(name))
        for sock, how in [(listener, "listen"), (first, "connect"), (server, "accept"), (second, None)]:
            self.keep(sock, how)
