"""What the kernel says of the sockets of this network namespace: sock_diag and /proc, read without any of socktrace.

Prints one JSON object for each socket. Run it inside the namespace.
"""

import json
import os
import socket
import struct
import sys

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
TCP_STATES_LISTED = 0x3FFE & ~(1 << 3) & ~(1 << 6)  # all but SYN-RECV and TIME-WAIT
IPPROTO_MPTCP = 262
INET_DIAG_REQ_PROTOCOL = 3
UNIX_DIAG_NAME, UNIX_DIAG_PEER = 0, 2


def dump(request):
    """The payloads of a multipart answer; None if the kernel reports that it was interrupted."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as netlink:
        netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        netlink.send(struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, DUMP, 1, 0) + request)
        rows = []
        while True:
            data = netlink.recv(1 << 20)
            while data:
                length, kind, flags, _, _ = struct.unpack_from("=IHHII", data)
                if flags & 0x10:
                    return None
                if kind == 3:
                    return rows
                if kind == 2:
                    errno = -struct.unpack_from("=i", data, 16)[0]
                    if errno in (2, 22):  # no such handler in this kernel
                        return rows
                    raise OSError(errno, os.strerror(errno))
                rows.append(data[16:length])
                data = data[(length + 3) & ~3 :]


def whole(request):
    for _ in range(20):
        rows = dump(request)
        if rows is not None:
            return rows
    sys.exit("the kernel interrupted every dump")


def attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind, data[4:length]
        data = data[(length + 3) & ~3 :]


def inet(family, protocol, proto):
    # A number of more than eight bits goes in an attribute, whatever stands there.
    request = struct.pack("=BBBxI", family, min(protocol, 255), 0, TCP_STATES_LISTED) + bytes(48)
    if protocol > 255:
        request += struct.pack("=HHI", 8, INET_DIAG_REQ_PROTOCOL, protocol)
    for row in whole(request):
        _, state, timer, _ = struct.unpack_from("=BBBB", row)
        if timer == 3:  # a TIME-WAIT mini-socket, whatever state it shows: not in the table
            continue
        if proto == "mptcp" and state == 7:  # it has ended and is listed until it is closed, as no TCP socket is
            continue
        sport, dport = struct.unpack_from("!HH", row, 4)
        size = 4 if family == socket.AF_INET else 16
        source = socket.inet_ntop(family, row[8 : 8 + size])
        target = socket.inet_ntop(family, row[24 : 24 + size])
        ifindex, low, high, _, _, _, uid, inode = struct.unpack_from("=IIIIIIII", row, 40)
        yield {
            "proto": proto,
            "family": "inet" if family == socket.AF_INET else "inet6",
            "state": 7 if state == 13 else state,
            "local": [source, sport],
            "peer": [target, dport],
            "ifindex": ifindex,
            "cookie": high << 32 | low,
            "uid": uid,
            "inode": inode,
        }


def unix():
    show = 1 | 4  # UDIAG_SHOW_NAME, UDIAG_SHOW_PEER
    request = struct.pack("=BBxxIIIII", socket.AF_UNIX, 0, 0xFFFFFFFF, 0, show, 0xFFFFFFFF, 0xFFFFFFFF)
    for row in whole(request):
        _, _, state, _, inode, low, high = struct.unpack_from("=BBBBIII", row)
        found = dict(attributes(row[16:]))
        yield {
            "proto": "unix",
            "family": "unix",
            "state": state,
            "name": found.get(UNIX_DIAG_NAME, b"").hex(),
            "cookie": high << 32 | low,
            "inode": inode,
        }


def holders():
    """Processes by inode of the socket that they hold."""
    held = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                link = os.readlink(f"/proc/{pid}/fd/{fd}")
                if link.startswith("socket:["):
                    held.setdefault(int(link[8:-1]), set()).add(int(pid))
        except OSError:
            continue
    return held


def main():
    held = holders()
    tables = [(socket.IPPROTO_TCP, "tcp"), (IPPROTO_MPTCP, "mptcp"), (socket.IPPROTO_UDP, "udp")]
    rows = [row for protocol, proto in tables for family in (2, 10) for row in inet(family, protocol, proto)]
    for row in rows + list(unix()):
        row["holders"] = sorted(held.get(row["inode"], ()))
        print(json.dumps(row))


main()
