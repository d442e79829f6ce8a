"""An actor in Python: it runs each line that it reads, and answers it with a line that begins with `@`.

A line break within what is run comes as the byte 0x1e. The answer is "done", what `answer` was set to, or the number of an
error. What xtask/oracle/uring.py has comes before.
"""

from socket import *
import array, ctypes, errno, fcntl, json, mmap, os, signal, socket, struct, sys, time

SO_COOKIE, SO_BINDTODEVICE = 57, 25
CLONE_NEWNET = 0x40000000
# Only now: what was run on the way to this program (a shell that looks up its user's name, say) may have opened sockets.
if libc.unshare(CLONE_NEWNET) != 0:
    raise OSError(ctypes.get_errno(), "unshare(2)")
NETNS = os.open("/proc/self/ns/net", os.O_RDONLY)
# Every socket that is to stay open.
S = []


def make(family=AF_INET, kind=SOCK_DGRAM, proto=0):
    S.append(socket.socket(family, kind, proto))
    return S[-1]


def cookie(sock):
    return struct.unpack("Q", sock.getsockopt(SOL_SOCKET, SO_COOKIE, 8))[0]


def inode(sock):
    return os.fstat(sock.fileno()).st_ino


def error_of(act, *arguments):
    """The name of the error that it fails with, "" if it does not."""
    try:
        act(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return ""


def result(value):
    return "" if value >= 0 else errno.errorcode[-value]


def name_of(name):
    """`struct sockaddr_un` with that name and no more."""
    name = name.encode("latin1") if isinstance(name, str) else name
    return struct.pack("H", AF_UNIX) + name


def address_of(host, port):
    """`struct sockaddr_in` or `sockaddr_in6`."""
    if ":" in host:
        return struct.pack("=H", AF_INET6) + struct.pack("!HI16sI", port, 0, inet_pton(AF_INET6, host), 0)
    return struct.pack("=H", AF_INET) + struct.pack("!H4s8x", port, inet_aton(host))


def call(function, sock, address):
    """bind or connect of the C library, which take any address; 0, or the negative error."""
    return 0 if function(sock.fileno(), address, len(address)) == 0 else -ctypes.get_errno()


def dissolve(sock):
    """connect(2) to AF_UNSPEC."""
    return call(libc.connect, sock, bytes(16))


class Int80:
    """32-bit system calls, which any process can make."""

    CODE = bytes.fromhex("5389f889f34189c989d14489ca4489c6cd8048985bc3")
    BIND, CONNECT, LISTEN, ACCEPT, SENDTO = 361, 362, 363, 364, 369

    def __init__(self):
        low = 0x40  # MAP_32BIT
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | low
        self.page = mmap.mmap(-1, 8192, flags, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self.page[: len(self.CODE)] = self.CODE
        self.at = ctypes.addressof(ctypes.c_char.from_buffer(self.page))
        self.call = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_long] * 5)(self.at)

    def with_address(self, number, sock, address):
        self.page[4096 : 4096 + len(address)] = address
        return self.call(number, sock.fileno(), self.at + 4096, len(address), 0)

    def connect(self, sock, address):
        return self.with_address(self.CONNECT, sock, address)

    def bind(self, sock, address):
        return self.with_address(self.BIND, sock, address)

    def listen(self, sock, backlog):
        return self.call(self.LISTEN, sock.fileno(), backlog, 0, 0)

    def accept(self, sock):
        return self.call(self.ACCEPT, sock.fileno(), 0, 0, 0)


STATES = "? ESTAB SYN-SENT SYN-RECV FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT UNCONN CLOSE-WAIT LAST-ACK LISTEN CLOSING".split()


def end(word):
    digits, port = word.split(":")
    raw = b"".join(struct.pack("=I", int(digits[n : n + 8], 16)) for n in range(0, len(digits), 8))
    text = inet_ntop(AF_INET if len(raw) == 4 else AF_INET6, raw)
    if raw[:12] == bytes(10) + b"\xff\xff":
        text = "::ffff:" + inet_ntoa(raw[12:])
    return text, int(port, 16)


def truth():
    """What /proc/net shows in this thread's namespace, by inode number; without TIME-WAIT and the kernel's own."""
    rows = {}
    for name in ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6"):
        try:
            lines = open(f"/proc/thread-self/net/{name}").read().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            words = line.split()
            local, peer, state, uid, inode = end(words[1]), end(words[2]), int(words[3], 16), words[7], int(words[9])
            if inode:
                other = "none" if peer[1] == 0 and peer[0] in ("0.0.0.0", "::") else "%s %d" % peer
                rows[inode] = f"{name.rstrip('6')} {STATES[state]} {local[0]} {local[1]} {other} uid {uid}"
    for line in open("/proc/thread-self/net/unix", encoding="latin1", newline="\n").read().split("\n")[1:]:
        words = line.split(None, 7)
        if len(words) > 6 and words[6] != "0":
            state = "LISTEN" if int(words[3], 16) & 0x10000 else {1: "UNCONN", 3: "ESTAB"}[int(words[5], 16)]
            rows[int(words[6])] = f"unix {state} {line.split(words[6] + ' ', 1)[1] if len(words) > 7 else 'none'}"
    return json.dumps(rows)


def raise_loopback():
    SIOCSIFFLAGS, IFF_UP = 0x8914, 1
    with socket.socket(AF_INET, SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def main():
    raise_loopback()
    open("/proc/self/comm", "w").write(os.environ["ACTOR_NAME"])
    print("@ready", flush=True)
    for line in sys.stdin:
        scope = globals()
        scope["answer"] = "done"
        try:
            exec(line.rstrip("\n").replace("\x1e", "\n"), scope)
        except OSError as error:
            scope["answer"] = f"error {error.errno}"
        print(f"@{scope['answer']}", flush=True)


main()
