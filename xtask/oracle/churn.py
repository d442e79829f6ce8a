"""Random sockets, opened and closed as SEED says, in this network namespace.

churn.py SEED COUNT LIVE DIR: opens about COUNT sockets, UNIX ones in DIR, of which at most LIVE stay open at a time; then
prints one JSON object that says which process opened which socket that is still open, and holds them until standard input
ends.
"""

import array
import json
import os
import random
import socket
import struct
import sys

SO_COOKIE = 57
RESET = struct.pack("ii", 1, 0)


def cookie(sock):
    return struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]


class Churn:
    def __init__(self, seed, live, directory):
        self.random = random.Random(seed)
        self.limit = live
        self.live = []
        self.opened = {}
        self.count = 0
        self.children = []
        self.directory = directory
        self.listeners = [self.listener(host) for host in ("127.0.0.1", "::1", "::")]

    def keep(self, sock, how):
        """`how` is None where nobody can know who opened it (no call that a tracer sees)."""
        self.count += 1
        self.live.append(sock)
        self.opened[cookie(sock)] = [os.getpid(), how]

    def listener(self, host):
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.bind((host, 0))
        sock.listen(128)
        self.keep(sock, "listen")
        self.live.remove(sock)
        return sock

    def forget_one(self):
        sock = self.live.pop(self.random.randrange(len(self.live)))
        self.opened.pop(cookie(sock), None)
        if sock.family != socket.AF_UNIX and sock.type == socket.SOCK_STREAM and self.random.random() < 0.2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.close()

    def tcp_pair(self):
        listener = self.random.choice(self.listeners)
        host, port = listener.getsockname()[:2]
        if host == "::":
            host = self.random.choice(["127.0.0.1", "::1", "::ffff:127.0.0.1"])
        client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
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
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        self.keep(sock, "bind")

    def udp(self):
        six = self.random.random() < 0.5
        sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
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

    def step(self):
        # TCP most of all: it has the most ways to go.
        acts = [self.tcp_pair] * 10 + [self.udp] * 4 + [self.unix] * 3
        acts += [self.tcp_refused, self.tcp_listener, self.tcp_bound, self.unix_dgram, self.socketpair]
        if self.random.random() < 0.002:
            acts = [self.child]
        self.random.choice(acts)()
        while len(self.live) > self.limit or (self.live and self.random.random() < 0.55):
            self.forget_one()

    def run(self, count):
        while self.count < count:
            self.step()
        print(json.dumps({"pid": os.getpid(), "children": [pid for pid, _ in self.children], "opened": self.opened}), flush=True)
        sys.stdin.read()
        # All before the first wait: a later child holds copies of the earlier ones' ends.
        for _, ours in self.children:
            ours.close()
        for pid, _ in self.children:
            os.waitpid(pid, 0)


churn = Churn(sys.argv[1], int(sys.argv[3]), sys.argv[4])
churn.run(int(sys.argv[2]))
