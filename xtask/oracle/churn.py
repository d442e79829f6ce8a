"""Random sockets, opened and closed as SEED says, in this network namespace.

churn.py SEED COUNT LIVE DIR: opens about COUNT sockets, UNIX ones in DIR, of which at most LIVE stay open at a time; then
prints one JSON object that says which process opened which socket that is still open, and which network namespaces it made
that nothing but its descriptors keep; and holds all of them until standard input ends.
"""

import array
import ctypes
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys

from odd import Odd, inet_address
from uring import libc

SO_COOKIE = 57
IPPROTO_MPTCP = 262
CLONE_NEWNET = 0x40000000
SOMEBODY = 30000
TCP_SYN_SENT = 2
RESET = struct.pack("ii", 1, 0)


def key(sock):
    """Which socket it is, as oracle.py names it: an MPTCP connection that is accepted has the cookie of its listener."""
    cookie = struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]
    if sock.proto != IPPROTO_MPTCP:
        return str(cookie)
    try:
        peer = sock.getpeername()
    except OSError:
        peer = ("::" if sock.family == socket.AF_INET6 else "0.0.0.0", 0)
    ends = [[*end[:2]] for end in (sock.getsockname(), peer)]
    return json.dumps([cookie, *ends])


def enter(number):
    """Enters the network namespace behind a descriptor."""
    if libc.setns(number, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Churn(Odd):
    def __init__(self, seed, live, directory):
        self.random = random.Random(seed)
        self.limit = live
        self.live = []
        self.keys = {}
        self.opened = {}
        self.count = 0
        self.children = []
        self.namespaces = []
        self.waiting = []
        self.directory = directory
        self.listeners = [self.listener(host) for host in ("127.0.0.1", "::1", "::")]
        self.mptcp_listeners = [self.listener(host, IPPROTO_MPTCP) for host in ("127.0.0.1", "::1")]
        self.full = self.full_listener()
        signal.signal(signal.SIGALRM, lambda *_: None)
        self.begin_odd()

    def keep(self, sock, how):
        """`how` is None where nobody can know who opened it (no call that a tracer sees)."""
        self.count += 1
        self.live.append(sock)
        self.keys[sock] = key(sock)
        self.opened[self.keys[sock]] = [os.getpid(), how]

    def make(self, family, kind=socket.SOCK_STREAM, protocol=0):
        """A socket, now and then of another user: it is the effective one at this moment."""
        somebody = self.random.random() < 0.1
        if somebody:
            os.seteuid(SOMEBODY)
        try:
            return socket.socket(family, kind, protocol)
        finally:
            if somebody:
                os.seteuid(0)

    def full_listener(self):
        """One that has no room for another connection: who connects waits."""
        listener = self.listener("127.0.0.1", backlog=0)
        while True:
            client = socket.socket()
            client.settimeout(0.05)
            try:
                client.connect(listener.getsockname())
            except TimeoutError:
                client.close()
                return listener
            self.keep(client, "connect")
            self.live.remove(client)
            self.waiting.append(client)

    def listener(self, host, protocol=0, backlog=128):
        sock = self.make(socket.AF_INET6 if ":" in host else socket.AF_INET, protocol=protocol)
        sock.bind((host, 0))
        sock.listen(backlog)
        self.keep(sock, "listen")
        self.live.remove(sock)
        return sock

    def forget_one(self):
        sock = self.live.pop(self.random.randrange(len(self.live)))
        self.opened.pop(self.keys.pop(sock), None)
        if sock.family != socket.AF_UNIX and sock.type == socket.SOCK_STREAM and self.random.random() < 0.2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.close()

    def tcp_pair(self, listener=None):
        listener = listener or self.random.choice(self.listeners)
        host, port = listener.getsockname()[:2]
        if host == "::":
            host = self.random.choice(["127.0.0.1", "::1", "::ffff:127.0.0.1"])
        client = self.make(socket.AF_INET6 if ":" in host else socket.AF_INET)
        client.connect((host, port))
        server, _ = listener.accept()
        if self.random.random() < 0.5:
            client.sendall(bytes(self.random.randrange(1, 3000)))
        if self.random.random() < 0.1:
            self.random.choice([client, server]).shutdown(socket.SHUT_WR)
        self.keep(client, "connect")
        self.keep(server, "accept")

    def tcp_refused(self):
        with socket.socket() as sock:
            sock.settimeout(5)
            try:
                sock.connect(("127.0.0.1", 1))
            except OSError:
                pass
        self.count += 1

    def tcp_listener(self):
        host = self.random.choice(["127.0.0.1", "::1", "0.0.0.0", "::"])
        listener = self.listener(host)
        self.live.append(listener)
        self.count -= 1

    def tcp_bound(self):
        sock = self.make(socket.AF_INET)
        sock.bind(("127.0.0.1", 0))
        self.keep(sock, "bind")

    def tcp_interrupted(self):
        """A signal ends connect(2) while it waits; the connection goes on, or is given up."""
        sock = self.make(socket.AF_INET)
        # More than once: the first may come before it waits.
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        # The C library's: Python's would begin again.
        libc.connect(sock.fileno(), inet_address(*self.full.getsockname()), 16)
        signal.setitimer(signal.ITIMER_REAL, 0)
        waits = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_SYN_SENT
        if not waits or self.random.random() < 0.5:
            sock.close()
            self.count += 1
        else:
            self.keep(sock, "connect")

    def tcp_stays_bound(self):
        """Its connection is refused or given up, and what bind(2) gave stays."""
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        if self.random.random() < 0.5:
            try:
                sock.connect(("127.0.0.1", 1))
            except ConnectionRefusedError:
                pass
        else:
            listener = self.listeners[0]
            sock.connect(listener.getsockname())
            listener.accept()[0].close()
            # connect(2) to AF_UNSPEC.
            if libc.connect(sock.fileno(), bytes(16), 16) != 0:
                raise OSError(ctypes.get_errno(), "connect")
        self.keep(sock, "bind")

    def mptcp_pair(self):
        listener = self.random.choice(self.mptcp_listeners)
        client = self.make(listener.family, protocol=IPPROTO_MPTCP)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        if self.random.random() < 0.5:
            client.sendall(bytes(self.random.randrange(1, 3000)))
        self.keep(client, "connect")
        self.keep(server, "accept")

    def udp(self):
        six = self.random.random() < 0.5
        sock = self.make(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        host = "::1" if six else "127.0.0.1"
        what = self.random.randrange(3)
        if what == 0:
            sock.bind((host, 0))
        elif what == 1:
            sock.connect((host, 9))
        else:
            try:
                sock.sendto(b"x", (host, 9))
            except OSError:
                pass
        self.keep(sock, "datagram")

    def unix(self):
        name = f"\0{os.getpid()}-{self.count}"
        if self.random.random() < 0.5:
            name = f"{self.directory}/{os.getpid()}-{self.count}"
        kind = self.random.choice([socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
        listener = socket.socket(socket.AF_UNIX, kind)
        listener.bind(name)
        listener.listen(8)
        client = socket.socket(socket.AF_UNIX, kind)
        client.connect(name)
        server, _ = listener.accept()
        self.keep(listener, "listen")
        self.keep(client, "connect")
        self.keep(server, "accept")

    def unix_dgram(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(f"\0d{os.getpid()}-{self.count}")
        self.keep(sock, "bind")

    def socketpair(self):
        for sock in socket.socketpair():
            self.keep(sock, None)

    def child(self):
        """A child that holds copies of everything open now, and gets one more by SCM_RIGHTS."""
        if len(self.children) >= 4:
            return
        ours, theirs = socket.socketpair()
        passed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        passed.bind(("127.0.0.1", 0))
        pid = os.fork()
        if pid == 0:
            ours.close()
            theirs.recvmsg(1, socket.CMSG_SPACE(4))
            theirs.recv(1)
            os._exit(0)
        theirs.close()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [passed.fileno()]))]
        ours.sendmsg([b"x"], rights)
        self.keep(passed, "datagram")
        self.children.append((pid, ours))

    def elsewhere(self):
        """Sockets in a network namespace that has no process and no name: a descriptor keeps it."""
        if len(self.namespaces) >= 2:
            return
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        if libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        there = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        listener = self.listener("127.0.0.1")
        self.tcp_pair(listener)
        self.udp()
        enter(here)
        os.close(here)
        self.namespaces.append(there)

    def step(self):
        # TCP most of all: it has the most ways to go.
        acts = [self.tcp_pair] * 10 + [self.udp] * 4 + [self.unix] * 3 + [self.mptcp_pair] * 2
        acts += [self.tcp_refused, self.tcp_listener, self.tcp_bound, self.tcp_stays_bound, self.tcp_interrupted]
        acts += [self.unix_dgram, self.socketpair]
        acts += [self.udp_in_vain, self.udp_connected_anew, self.udp_through_io_uring, self.unix_interrupted]
        if self.random.random() < 0.004:
            acts = [self.child, self.elsewhere]
        self.random.choice(acts)()
        while len(self.live) > self.limit or (self.live and self.random.random() < 0.55):
            self.forget_one()

    def run(self, count):
        while self.count < count:
            self.step()
        namespaces = [[os.fstat(fd).st_ino, f"/proc/{os.getpid()}/fd/{fd}"] for fd in self.namespaces]
        print(json.dumps({"opened": self.opened, "namespaces": namespaces}), flush=True)
        sys.stdin.read()
        # All before the first wait: a later child holds copies of the earlier ones' ends.
        for _, ours in self.children:
            ours.close()
        for pid, _ in self.children:
            os.waitpid(pid, 0)


churn = Churn(sys.argv[1], int(sys.argv[3]), sys.argv[4])
churn.run(int(sys.argv[2]))
