"""What schemathesis makes of docs/schema/openapi.json, asked of a live agent on its Unix socket.

run.py DOCUMENT SOCKET SECONDS: prints a table, exits with 1 if an answer is none that the document allows.
An answer has a status and a media type of the document's; JSON lines are valid by the schema; nothing fails on the agent's
side (5xx), and nothing hangs.
"""

import collections
import json
import socket
import sys
import time

import hypothesis
import jsonschema_rs
import requests
import schemathesis
import urllib3
from hypothesis import HealthCheck, Phase, given, settings
from requests.adapters import HTTPAdapter
from schemathesis import GenerationMode

# What an answer may take to begin, seconds.
PATIENCE = 10
# What is read of a stream that does not end, seconds, and of any answer, bytes.
STREAM = 0.05
MOST = 1 << 20

document_path, agent, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])


class Connection(urllib3.connection.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(agent)


class Pool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = Connection


class Adapter(HTTPAdapter):
    def get_connection_with_tls_context(self, request, verify, proxies=None, cert=None):
        return Pool("agent")


session = requests.Session()
session.mount("http://agent", Adapter())
session.trust_env = False

with open(document_path, encoding="utf-8") as file:
    document = json.load(file)
schema = schemathesis.openapi.from_dict(document)
validators = {}


def validator(path, media):
    """Of the lines of that answer."""
    if (path, media) not in validators:
        wanted = document["paths"][path]["get"]["responses"]["200"]["content"][media]["schema"]
        validators[path, media] = jsonschema_rs.validator_for({**wanted, "components": document["components"]})
    return validators[path, media]


def body_of(response, is_endless):
    """What can be read of an answer, and whether that is all."""
    body, deadline = b"", time.monotonic() + (STREAM if is_endless else PATIENCE)
    if is_endless:
        # The next line may not come.
        response.raw._fp.fp.raw._sock.settimeout(STREAM)
    try:
        for piece in response.iter_content(1 << 16):
            body += piece
            if len(body) > MOST or time.monotonic() > deadline:
                return body, False
    except (requests.exceptions.ConnectionError, requests.exceptions.ReadTimeout, TimeoutError):
        if not is_endless:
            raise
        return body, False
    return body, True


def check(path, response, started):
    """What is wrong with an answer, if something is."""
    allowed = document["paths"][path]["get"]["responses"]
    status = str(response.status_code)
    media = response.headers.get("content-type", "")
    if response.status_code >= 500:
        return f"the agent failed: {status}"
    if status not in allowed:
        return f"status {status} is not in the document"
    if media not in allowed[status]["content"]:
        return f"{media!r} is no media type of {status} in the document"
    body, whole = body_of(response, path == "/v1/events" and status == "200")
    if time.monotonic() - started > PATIENCE:
        return "it took too long"
    if "json" not in media:
        return None
    lines = body.split(b"\n")
    if not whole or not lines[-1]:
        # The last one is not whole, or empty.
        lines.pop()
    for line in lines if "ndjson" in media else [body]:
        value = json.loads(line)
        if not validator(path, media).is_valid(value):
            errors = [error.message for error in validator(path, media).iter_errors(value)]
            return f"not valid by the schema: {errors[0]}: {line.decode(errors='replace')}"
    return None


statuses, failures = collections.defaultdict(collections.Counter), []


def try_operation(path, mode, until):
    operation = schema[path]["GET"]
    strategy = operation.as_strategy(generation_mode=mode)

    @settings(
        max_examples=10**6,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(case=strategy)
    def one(case):
        if time.monotonic() > until or sum(failure.startswith(f"{path}:") for failure in failures) >= 5:
            raise KeyboardInterrupt
        words = case.as_transport_kwargs(base_url="http://agent")
        words.setdefault("headers", {})
        # Half of the answers are for people.
        if statuses[path].total() % 2 and path != "/v1/status":
            words["headers"] = {**words["headers"], "accept": "text/plain"}
        started = time.monotonic()
        try:
            response = session.request(**words, stream=True, timeout=PATIENCE)
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
            return
        except requests.exceptions.RequestException as error:
            failures.append(f"{path}: no answer: {error}: {words}")
            return
        with response:
            statuses[path][response.status_code] += 1
            wrong = check(path, response, started)
        if wrong:
            failures.append(f"{path}: {wrong}\n    {response.request.url}")

    try:
        one()
    except (KeyboardInterrupt, hypothesis.errors.HypothesisException):
        pass


modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
paths = sorted(document["paths"])
asked = [path for path in paths if document["paths"][path]["get"]["parameters"]]
for path in paths:
    for mode in modes if path in asked else modes[:1]:
        share = 2 * len(asked) if path in asked else 100
        try_operation(path, mode, time.monotonic() + seconds / share)

print(f"| endpoint | cases | answers | failures |\n| --- | --- | --- | --- |")
for path in paths:
    told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses[path].items()))
    failed = sum(failure.startswith(f"{path}:") for failure in failures)
    print(f"| `{path}` | {statuses[path].total()} | {told} | {failed} |")
for failure in failures:
    print(failure)
silent = [path for path in paths if not statuses[path][200]]
if silent:
    print(f"never answered with 200: {', '.join(silent)}")
sys.exit(1 if failures or silent else 0)
