"""Churn, then quiet, then the agent's table against the kernel's own tables.

oracle.py SOCKTRACE SEED SOCKETS VARIANT: makes three network namespaces, opens and closes about SOCKETS sockets in them
and in some without a name by churn.py, and compares what the agent's table holds (`/v1/table`) with truth.py: identity, kind, state, endpoints,
uid; who opened each socket with what churn.py knows; all who hold each, as the agent answers `ss -p`, with /proc. Prints
each difference; exit 1 if any.

VARIANT: plain; mid (the agent starts during the churn); ring (a ring of 4 KiB); stop (the agent is stopped for five
seconds during the churn); kill (it is killed and started again during the churn).
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WORKERS = 6
VARIANTS = ("plain", "mid", "ring", "stop", "kill")
# How long the table may take to become right after the churn ended: a loss is told and repaired within a second, and
# the ends of UNIX sockets are found within a second.
PATIENCE = 15


STATES = dict(enumerate("ESTAB SYN-SENT SYN-RECV FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT UNCONN CLOSE-WAIT LAST-ACK LISTEN CLOSING".split(), 1))

# An endpoint that is not there is left out of the JSON.
NOWHERE = {"inet": ["0.0.0.0", 0], "inet6": ["::", 0]}


class Agent:
    def __init__(self, binary, path, *options):
        self.path = path
        self.command = [binary, "agent", "--socket", path, *options]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "agent ready" in line:
                return
        sys.exit("the agent did not start")

    def ask(self, path):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.path)
        connection.request("GET", path, headers={"Accept": "application/x-ndjson"})
        answer = connection.getresponse()
        body = answer.read().decode()
        if answer.status != 200:
            sys.exit(f"{path}: {answer.status} {body}")
        return [json.loads(line) for line in body.splitlines()]

    def end(self):
        self.process.terminate()
        self.process.wait()


class Namespaces:
    def __init__(self):
        self.names = [f"socktrace-oracle-{os.getpid()}-{n}" for n in range(3)]
        for name in self.names:
            subprocess.run(["ip", "netns", "add", name], check=True)
            subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        self.paths = {os.stat(path).st_ino: path for path in (f"/run/netns/{name}" for name in self.names)}

    def inside(self, path, *command):
        return ["nsenter", f"--net={path}", sys.executable, *command]

    def remove(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], check=False)


def truth(namespaces):
    rows = {}
    for inode, path in namespaces.paths.items():
        output = subprocess.run(namespaces.inside(path, f"{HERE}/truth.py"), check=True, capture_output=True, text=True)
        for line in output.stdout.splitlines():
            row = json.loads(line)
            row["netns"] = inode
            rows[key(row, row.get("local"), row.get("peer"))] = row
    return rows


def rarities(namespaces):
    """How many there are of the sockets that are easily missed."""
    rows = truth(namespaces).values()
    named = [os.stat(path).st_ino for path in namespaces.paths.values() if path.startswith("/run/netns/")]
    return ", ".join(
        f"{sum(map(holds, rows))} {what}"
        for what, holds in {
            "MPTCP": lambda row: row["proto"] == "mptcp",
            "SYN-SENT": lambda row: STATES[row["state"]] == "SYN-SENT",
            "bound only": lambda row: row["proto"] == "tcp" and STATES[row["state"]] == "UNCONN",
            "of another user": lambda row: row.get("uid", 0) != 0,
            "in namespaces without a name": lambda row: row["netns"] not in named,
        }.items()
    )


def key(row, local, peer):
    """Which socket it is: the cookie alone says it of all but MPTCP, where an accepted one has its listener's."""
    return json.dumps([row["cookie"], local, peer]) if "mptcp" in (row.get("proto"), row.get("netid")) else str(row["cookie"])


def key_of(row):
    return key(row, known(row, "local"), known(row, "peer"))


def holders(agent):
    """Who holds each socket, as `ss -p` through the agent says."""
    rows = agent.ask("/v1/sockets?tables=tcp,udp,unix,mptcp&states=all&show=numeric,processes,netns&all_netns=1")
    return {key_of(row): sorted({process["pid"] for process in row["processes"]}) for row in rows}


def endpoint(row, side):
    return [row.get(f"{side}_addr"), row.get(f"{side}_port")]


def known(row, side):
    return endpoint(row, side) if row.get(f"{side}_addr") else NOWHERE.get(row["family"])


def differences(agent, namespaces, opened, certain):
    kernel = truth(namespaces)
    table = {key_of(row): row for row in agent.ask("/v1/table") if row["netns"] in namespaces.paths}
    # A namespace has sockets of its own that no hook tells of (the kernel's); sock_diag shows none of them.
    for cookie in sorted(kernel.keys() - table.keys()):
        yield f"missing from the table: {kernel[cookie]}"
    for cookie in sorted(table.keys() - kernel.keys()):
        yield f"a ghost in the table: {table[cookie]}"
    held = holders(agent)
    mptcp = {ends(row) for row in kernel.values() if row["proto"] == "mptcp"}
    for cookie in sorted(kernel.keys()):
        if held.get(cookie) != kernel[cookie]["holders"]:
            yield f"{cookie}: held by {kernel[cookie]['holders']}, ss says {held.get(cookie)}: {kernel[cookie]}"
    for cookie in sorted(kernel.keys() & table.keys()):
        is_mptcp = ends(kernel[cookie]) in mptcp
        yield from row_differences(cookie, kernel[cookie], table[cookie], opened.get(cookie), certain, is_mptcp)


def ends(row):
    """Of an MPTCP connection and its first subflow they are the same."""
    return json.dumps([row["netns"], row.get("local"), row.get("peer")])


def row_differences(cookie, kernel, table, opener, certain, is_mptcp):
    expected = {**kernel, "state": STATES[kernel["state"]]}
    for fact in ("proto", "family", "netns", "state"):
        if table.get(fact) != expected[fact]:
            yield f"{cookie}: {fact} is {expected[fact]}, the table says {table.get(fact)}: {table}"
    if kernel["proto"] != "unix":
        for side in ("local", "peer"):
            if known(table, side) != kernel[side]:
                yield f"{cookie}: {side} is {kernel[side]}, the table says {endpoint(table, side)}: {table}"
        if table.get("uid") != kernel["uid"]:
            yield f"{cookie}: uid is {kernel['uid']}, the table says {table.get('uid')}"
    if table.get("inode") not in (0, None, kernel["inode"]):
        yield f"{cookie}: inode is {kernel['inode']}, the table says {table['inode']}"
    if opener and opener[1] is not None:
        pid = table.get("pid")
        exact = table.get("attribution") == "exact"
        if (exact or certain) and pid != opener[0]:
            yield f"{cookie}: opened by {opener[0]} ({opener[1]}), the table says {pid} ({table.get('attribution')})"
    # That an MPTCP connection has been closed by its process and lingers is not seen.
    lingers = is_mptcp and not kernel["holders"]
    if table.get("attribution") == "holder" and table["pid"] not in kernel["holders"] and not lingers:
        yield f"{cookie}: held by {kernel['holders']}, the table says {table['pid']}"


def run(binary, seed, sockets, variant):
    with tempfile.TemporaryDirectory(prefix="socktrace-oracle-") as directory:
        return run_in(directory, binary, seed, sockets, variant)


def run_in(directory, binary, seed, sockets, variant):
    namespaces = Namespaces()
    path = f"{directory}/agent.sock"
    options = ["--ring-size", "4096"] if variant == "ring" else []
    agent = None if variant == "mid" else Agent(binary, path, *options)
    share = max(1, sockets // WORKERS)
    live = min(2000, max(100, share // 5))
    workers = []
    try:
        for n in range(WORKERS):
            home = list(namespaces.paths.values())[n % 3]
            command = namespaces.inside(home, f"{HERE}/churn.py", f"{seed}-{n}", str(share), str(live), directory)
            workers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        time.sleep(min(2.0, sockets / 50000))  # into the middle of the churn
        if variant == "mid":
            agent = Agent(binary, path)
        elif variant == "stop":
            agent.process.send_signal(signal.SIGSTOP)
            time.sleep(5)
            agent.process.send_signal(signal.SIGCONT)
        elif variant == "kill":
            agent.process.kill()
            agent.process.wait()
            agent.start()
        opened = {}
        for worker in workers:
            done = json.loads(worker.stdout.readline())
            opened |= done["opened"]
            namespaces.paths |= done["namespaces"]
        certain = variant == "plain"
        deadline = time.monotonic() + PATIENCE
        while True:
            found = list(differences(agent, namespaces, opened, certain))
            if not found or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        status = agent.ask("/v1/status")[0]
        print(
            f"seed {seed} {variant}: {sockets} sockets churned, {len(opened)} open at the end "
            f"({rarities(namespaces)}), "
            f"{status['events_seen']} events, {status['events_lost']} lost, {status['resyncs']} resyncs: "
            f"{len(found)} differences",
            flush=True,
        )
        for difference in found[:50]:
            print(f"  {difference}")
        return not found
    finally:
        for worker in workers:
            worker.stdin.close()
        for worker in workers:
            worker.wait()
        if agent:
            agent.end()
        namespaces.remove()


def main():
    binary, seed, sockets, variant = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    if variant not in VARIANTS:
        sys.exit(f"{variant}: expected one of {', '.join(VARIANTS)}")
    sys.exit(0 if run(binary, seed, sockets, variant) else 1)


main()
