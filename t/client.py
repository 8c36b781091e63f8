"""What contrib/tickd.py makes of a server, for t/29-python.t: python3 client.py PLAN

PLAN is a file of JSON: where the server is, where contrib is, and queries with the files that hold the answers they must
have. Says "ok NAME", "not ok NAME: why" or "skip NAME: why" for each thing that it tries, and "done" at the end.
"""

import datetime
import http.client
import http.server
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import tracemalloc
import traceback
import types

import numpy

plan = json.load(open(sys.argv[1]))
sys.dont_write_bytecode = True
sys.path.insert(0, plan["contrib"])
import tickd  # noqa: E402

queries = {q["name"]: q for q in plan["queries"]}
LIMIT = plan["limit"]
QUICK = {"timeout": LIMIT, "backoff": 0.001}
MIB = 1 << 20


def test(name):
    def run(body):
        try:
            body()
            print("ok", name)
        except ModuleNotFoundError as missing:
            print(f"skip {name}: {missing}")
        except Exception:
            print(f"not ok {name}:", " | ".join(traceback.format_exc().split("\n")))
        sys.stdout.flush()

    return run


def same(got, wanted, what="it"):
    assert got == wanted, f"{what}: {got!r}, not {wanted!r}"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def expected(name):
    return read(queries[name]["file"])


def ask(client, name):
    return client.data(**queries[name]["query"])


def right(result, name):
    assert result.body.tobytes() == expected(name), f"{name}: other bytes"
    return result


def refusal(call):
    try:
        call()
    except tickd.Error as error:
        return error
    raise AssertionError("no error")


def wait_for(fact):
    clock = threading.Event()
    for _ in range(int(LIMIT * 100)):
        if fact():
            return
        clock.wait(0.01)
    raise AssertionError("it did not come about")


class Proxy(http.server.ThreadingHTTPServer):
    """Between a client and the server. fault(request) is called before each answer goes on, with a dict of method, target,
    range, status; what it returns is done:

    None          the answer as it is
    (N, reset)    its first N bytes, then the end of the connection, or a reset
    (N, event)    its first N bytes, then nothing more until the event
    "hang up"     not a byte
    "forget"      as if Range and If-Match had not been there
    a dict        another answer: status, and header fields
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, fault=lambda request: None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault, self.requests, self.sockets, self.lock = fault, [], [], threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def ranges(self):
        return [r for r in self.requests if r["range"]]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = LIMIT
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.sockets.append(self.connection)

    def log_message(self, *_):
        pass

    def upstream(self, fields):
        connection = http.client.HTTPConnection("127.0.0.1", plan["port"], timeout=LIMIT)
        connection.request(self.command, self.path, headers=fields)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, response.headers, body

    def do_GET(self):
        fields = {k: v for k, v in self.headers.items() if k != "Host"}
        request = {"method": self.command, "target": self.path, "range": self.headers["Range"],
                   "if-match": self.headers["If-Match"], "if-range": self.headers["If-Range"]}
        status, answer, body = self.upstream(fields)
        request["status"] = status
        with self.server.lock:
            self.server.requests.append(request)
        what = self.server.fault(request)
        if what == "forget":
            status, answer, body = self.upstream({k: v for k, v in fields.items() if k not in ("Range", "If-Match")})
        if isinstance(what, dict):
            status, answer, body = what.pop("status"), {**what, "Content-Length": "2"}, b"no"
        self.send_response_only(status)
        if "Transfer-Encoding" in answer:
            del answer["Transfer-Encoding"]
            answer["Content-Length"] = str(len(body))
        for name, value in answer.items():
            self.send_header(name, value)
        if what == "hang up":
            self.close_connection = True
            return
        self.end_headers()
        if self.command == "HEAD":
            return
        count, then = what if isinstance(what, tuple) else (len(body), None)
        self.wfile.write(body[:count])
        if isinstance(then, threading.Event):
            then.wait(LIMIT)
        if then is not None:
            self.close_connection = True
        if then is True:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    do_HEAD = do_GET


def once(fault, when=lambda request: True):
    """${fault}, for the first request for which ${when} holds."""
    lock, left = threading.Lock(), [fault]

    def decide(request):
        with lock:
            return left.pop() if left and when(request) else None

    return decide


def random_break(dice, size):
    return (int(dice.random() ** 2 * size / 3), dice.random() < 0.5) if dice.random() < 0.7 else None


def is_part(request):
    return bool(request["range"])


direct = tickd.Client(plan["url"], **QUICK)

for name, query in queries.items():
    if query["status"] != 200 or query.get("later"):
        continue

    @test(name)
    def _():
        right(ask(direct, name), name)
        right(ask(tickd.Client(plan["url"], parts=7, part_size=100), name), name)


@test("what is refused")
def _():
    for name, query in queries.items():
        if query["status"] == 200:
            continue
        error = refusal(lambda: ask(direct, name))
        same((error.status, error.parameter), (query["status"], query["parameter"]), name)
        assert error.text and error.text in str(error), error.text
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        error = refusal(tickd.Client(f"http://127.0.0.1:{nobody.getsockname()[1]}", backoff=0.001).status)
        same((error.status, error.parameter), (None, None), "nobody listens")
        same(type(error.__cause__), ConnectionRefusedError)
    for url in ("127.0.0.1:8080", "ftp://127.0.0.1", "http://"):
        try:
            raise AssertionError(f"a client of {url}: {tickd.Client(url)}")
        except ValueError:
            pass


@test("HEAD, then parts at the same time, over connections that are kept")
def _():
    with Proxy() as proxy, tickd.Client(proxy.url, parts=4, part_size=MIB, **QUICK) as client:
        together = threading.Barrier(4, timeout=LIMIT)
        proxy.fault = lambda request: is_part(request) and together.wait() and None
        for _ in range(3):
            proxy.requests.clear()
            right(ask(client, "large"), "large")
            same([r["method"] for r in proxy.requests], ["HEAD"] + ["GET"] * 4, "requests")
            spans = sorted(tuple(map(int, r["range"].removeprefix("bytes=").split("-"))) for r in proxy.ranges())
            same([0] + [last + 1 for _, last in spans], [first for first, _ in spans] + [len(expected("large"))], "parts")
            same({r["status"] for r in proxy.ranges()}, {206}, "status")
            same({r["if-match"] for r in proxy.ranges()}, {direct._head(proxy.requests[0]["target"])[1]}, "If-Match")
        same(len(proxy.sockets), 4, "connections")
        proxy.requests.clear()
        right(ask(client, "several days"), "several days")
        same([(r["method"], r["range"]) for r in proxy.requests], [("HEAD", None), ("GET", None)], "a small answer")
        same(len(proxy.sockets), 4, "connections")


@test("the answer is in memory once")
def _():
    size = len(expected("large"))
    tracemalloc.start()
    result = ask(direct, "large")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size + 3 * MIB, f"{peak} bytes for {size}"
    for name, column in result.columns.items():
        assert numpy.shares_memory(column, result.body) and column.flags.writeable, name


@test("connections that break anywhere")
def _():
    dice = random.Random(plan["seed"])
    size = len(expected("large"))

    for _ in range(3):
        first = once((int(dice.random() * size / 3), False), is_part)
        with Proxy(lambda r: first(r) or random_break(dice, size)) as proxy:
            client = tickd.Client(proxy.url, parts=3, retries=60, timeout=LIMIT, backoff=0)
            right(ask(client, "large"), "large")
            right(ask(client, "several days"), "several days")
            assert len({r["range"] for r in proxy.ranges()}) > 3, f"{len(proxy.requests)} requests"


@test("a part goes on at the byte where it broke off")
def _():
    with Proxy(once((1234567, False), is_part)) as proxy:
        right(ask(tickd.Client(proxy.url, parts=1, **QUICK), "large"), "large")
        last = len(expected("large")) - 1
        same([r["range"] for r in proxy.ranges()], [f"bytes=0-{last}", f"bytes=1234567-{last}"], "ranges")


@test("connections that are closed before an answer")
def _():
    for when in (lambda r: r["method"] == "HEAD", is_part, lambda r: r["method"] == "GET"):
        for name in ("large", "several days"):
            with Proxy(once("hang up", when)) as proxy:
                right(ask(tickd.Client(proxy.url, **QUICK), name), name)


@test("idle connections that the server has closed are no failure")
def _():
    with Proxy() as proxy, tickd.Client(proxy.url, retries=0, timeout=LIMIT) as client:
        for turn in range(3):
            right(ask(client, "large"), "large")
            assert len(proxy.sockets) > turn, "there are new ones"
            for one in proxy.sockets:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


@test("a server that is busy")
def _():
    for status in (408, 429, 503):
        for when in (lambda r: r["method"] == "HEAD", is_part, lambda r: r["method"] == "GET"):
            for name in ("large", "several days"):
                # With such a back-off, only a Retry-After that is heeded ends in time.
                with Proxy(once({"status": status, "Retry-After": "0"}, when)) as proxy:
                    right(ask(tickd.Client(proxy.url, timeout=LIMIT, backoff=10 * LIMIT), name), name)
    with Proxy(lambda r: {"status": 503}) as proxy:
        error = refusal(tickd.Client(proxy.url, retries=2, backoff=0).status)
        same((error.status, error.text, len(proxy.requests)), (503, "Service Unavailable", 3), "it stays busy")
    with Proxy(lambda r: {"status": 503, "Retry-After": "3600"}) as proxy:
        error = refusal(lambda: ask(tickd.Client(proxy.url), "large"))
        same((error.status, error.retry_after, len(proxy.requests)), (503, 3600, 1), "for too long")
    with Proxy(lambda r: is_part(r) and {"status": 403} or None) as proxy:
        same(refusal(lambda: ask(tickd.Client(proxy.url), "large")).status, 403, "a part that is refused")


@test("something between that does not heed Range")
def _():
    with Proxy(lambda r: "forget") as proxy:
        right(ask(tickd.Client(proxy.url, **QUICK), "large"), "large")


def carry_out(steps):
    for how, source, target in steps:
        if how == "rename":
            os.rename(source, target)
        else:
            with open(source, "rb") as more, open(target, "ab") as file:
                file.write(more.read())


def changing(name, count, parts):
    """Each of the first ${count} HEADs is followed by a change, before its answer goes on."""
    left = list(queries[name]["changes"])

    def fault(request):
        if request["method"] == "HEAD" and left:
            carry_out(left.pop(0))

    with Proxy(fault) as proxy:
        right(ask(tickd.Client(proxy.url, parts=parts, part_size=100_000, **QUICK), name), name)
        same(left, [], "changes")
        heads = [r for r in proxy.requests if r["method"] == "HEAD"]
        assert 412 in [r["status"] for r in proxy.ranges()], "a part was refused"
        return len(heads), [r for r in proxy.requests if r["method"] == "GET" and not r["range"]]


@test("data that is replaced between HEAD and the parts")
def _():
    heads, whole = changing("replaced", 1, 3)
    same((heads, len(whole)), (2, 0), "begun anew")


@test("today's data that grows between HEAD and the parts")
def _():
    heads, whole = changing("grows", 1, 3)
    same((heads, len(whole)), (2, 0), "begun anew")


@test("data that always grows comes in one piece")
def _():
    heads, whole = changing("always grows", 3, 2)
    same((heads, len(whole)), (3, 1), "asked for")


@test("columns")
def _():
    query = queries["several days"]["query"]
    result = ask(direct, "several days")
    same(list(result.columns), query["columns"].split(","), "names")
    same(len(result), result.meta["columns"][0]["num_records"], "rows")
    assert "BTC-USD" in repr(result), repr(result)
    for column in result.meta["columns"]:
        start = len(result.body) - sum(c["data_length"] for c in result.meta["columns"]) + column["offset"]
        letter = {"u32": "I", "u64": "Q", "f32": "f"}[column["type"]]
        values = struct.unpack_from(f"<{column['num_records']}{letter}", expected("several days"), start)
        same(tuple(result[column["name"]].tolist()), values, column["name"])
    odd = ask(direct, "narrow columns first")
    same((len(odd) % 2, odd["id"].flags.aligned), (1, True), "alignment")
    same(odd["id"].tolist(), ask(direct, "wide columns first")["id"].tolist(), "id")
    result = ask(direct, "wide columns first")
    assert all(numpy.shares_memory(c, result.body) for c in result.columns.values()), "all are views"
    raw = ask(direct, "every type")
    same({n: str(c.dtype) for n, c in raw.columns.items()},
         {"bytes16": "|V16", "u64": "uint64", "i64": "int64", "f64": "float64", "u32": "uint32", "i32": "int32", "f32": "float32",
          "u16": "uint16", "i16": "int16", "u8": "uint8", "i8": "int8", "bytes3": "|V3"}, "types")
    same(len(ask(direct, "no rows")), 0, "no rows")
    for cut in (1, 63, 64, 200, len(expected("several days")) - 1):
        refusal(lambda: tickd.Result(expected("several days")[:cut]))
    refusal(lambda: tickd.Result(expected("several days") + b"x"))


@test("times")
def _():
    import pandas

    start, end = queries["a stretch of seconds"]["query"]["start"], queries["a stretch of seconds"]["query"]["end"]
    utc, zone = datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    for made in (
        numpy.int64, lambda t: datetime.datetime.fromtimestamp(t, utc), lambda t: datetime.datetime.fromtimestamp(t, zone),
        lambda t: datetime.datetime.fromtimestamp(t, utc).replace(tzinfo=None), lambda t: numpy.datetime64(t, "s"),
        lambda t: numpy.datetime64(t * 10**9, "ns"), lambda t: pandas.Timestamp(t, unit="s"),
        lambda t: pandas.Timestamp(t, unit="s", tz="America/New_York"), lambda t: datetime.datetime.fromtimestamp(t, utc).isoformat(),
    ):
        right(direct.data(**{**queries["a stretch of seconds"]["query"], "start": made(start), "end": made(end)}), "a stretch of seconds")
    for made in (datetime.date.fromisoformat, numpy.datetime64, str):
        right(direct.data(**{**queries["a day"]["query"], "start": made("2025-01-02"), "end": made("2025-01-02")}), "a day")
    nanos = queries["with nanoseconds"]["query"]
    for made in (pandas.Timestamp, lambda t: numpy.datetime64(t.removesuffix("Z")), str):
        right(direct.data(**{**nanos, "start": made(nanos["start"]), "end": made(nanos["end"])}), "with nanoseconds")


@test("pandas")
def _():
    import pandas

    result = ask(direct, "several days")
    frame = result.pandas()
    same(str(frame.index.dtype), "datetime64[ns, UTC]", "index")
    same(frame.index.name, "time", "its name")
    same(frame.index.asi8.tolist(), (result["time"].astype("i8") * 10**9 + result["nanos"]).tolist(), "its values")
    same({n: str(t) for n, t in frame.dtypes.items()}, {"price": "float32", "id": "uint64"}, "columns")
    for name in frame:
        assert (frame[name].to_numpy() == result[name]).all(), name
        assert numpy.shares_memory(frame[name].to_numpy(), result[name]), f"{name} is a copy"
    same(len(frame.loc["2025-01-02"]), 200, "rows of a day")
    same(int(frame["id"].resample("1D").count().max()), 200, "of all days")
    plain = result.pandas(index=False)
    same(list(plain), ["time", "nanos", "price", "id"], "without an index")
    same(str(plain.dtypes["time"]), "uint32", "time")
    same(type(ask(direct, "without time").pandas().index), pandas.RangeIndex, "without time")
    empty = ask(direct, "no rows").pandas()
    same((len(empty), str(empty.index.dtype)), (0, "datetime64[ns, UTC]"), "no rows")
    every = ask(direct, "every type").pandas()
    same(every["bytes16"].tolist(), ask(direct, "every type")["bytes16"].tolist(), "bytes")
    same({type(b) for b in every["bytes16"]} | {type(b) for b in every["bytes3"]}, {bytes}, "as bytes")
    mean = frame["price"].mean()
    frame["price"] += 1
    assert abs(frame["price"].mean() - mean - 1) < 1e-3, "it can be written to"


@test("polars")
def _():
    import polars

    result = ask(direct, "several days")
    frame = result.polars()
    same(frame.schema["time"], polars.Datetime("ns", "UTC"), "time")
    same(frame["time"].to_physical().to_list(), (result["time"].astype("i8") * 10**9 + result["nanos"]).tolist(), "its values")
    same(frame["id"].to_list(), result["id"].tolist(), "id")
    same(result.polars(times=False).columns, list(result.columns), "as they are")
    same(ask(direct, "every type").polars()["bytes16"].to_list(), ask(direct, "every type")["bytes16"].tolist(), "bytes")


@test("pyarrow")
def _():
    import pyarrow

    result = ask(direct, "several days")
    table = result.arrow()
    same(table.schema.field("time").type, pyarrow.timestamp("ns", tz="UTC"), "time")
    same(table["time"].cast("int64").to_pylist(), (result["time"].astype("i8") * 10**9 + result["nanos"]).tolist(), "its values")
    same(table["id"].to_pylist(), result["id"].tolist(), "id")
    same(result.arrow(times=False).column_names, list(result.columns), "as they are")
    same(ask(direct, "every type").arrow()["bytes16"].to_pylist(), ask(direct, "every type")["bytes16"].tolist(), "bytes")


@test("what polars and pyarrow are given")
def _():
    # Stand-ins that say what they were called with.
    class Column:
        def __init__(self, values, kind=None):
            self.values, self.kind = values, kind

        def cast(self, kind):
            return Column(self.values, kind)

    class Frame:
        def __init__(self, columns):
            self.data = columns

        def with_columns(self, expression):
            return Frame({**self.data, "zone": expression})

    zone = types.SimpleNamespace(replace_time_zone=lambda z: z)
    stand_ins = {
        "polars": types.SimpleNamespace(DataFrame=Frame, col=lambda name: types.SimpleNamespace(dt=zone)),
        "pyarrow": types.SimpleNamespace(array=Column, table=dict, binary=lambda n: n, timestamp=lambda unit, tz: (unit, tz)),
    }
    kept = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    try:
        result, every = ask(direct, "several days"), ask(direct, "every type")
        times = (result["time"].astype("i8") * 10**9 + result["nanos"]).tolist()
        frame, table = result.polars().data, result.arrow()
        same((list(frame), frame["zone"]), (["time", "price", "id", "zone"], "UTC"), "polars")
        same((list(table), table["time"].kind), (["time", "price", "id"], ("ns", "UTC")), "pyarrow")
        for values in (frame["time"], table["time"].values):
            same((str(values.dtype), values.view("i8").tolist()), ("datetime64[ns]", times), "time")
        for values in (frame["id"], table["id"].values):
            assert numpy.shares_memory(values, result.body), "a copy"
        same(list(result.polars(times=False).data), list(result.columns), "polars, as they are")
        same(list(result.arrow(times=False)), list(result.columns), "pyarrow, as they are")
        same(every.polars().data["bytes3"], every["bytes3"].tolist(), "bytes for polars")
        same((every.arrow()["bytes3"].values, every.arrow()["bytes3"].kind), (every["bytes3"].tolist(), 3), "bytes for pyarrow")
    finally:
        for name, module in kept.items():
            sys.modules.pop(name)
            if module:
                sys.modules[name] = module


@test("the other endpoints")
def _():
    same(direct.symbols()["exchanges"]["lab"], ["ALL"], "symbols")
    same(direct.symbols(exchange="lab")["symbols"], ["ALL"], "of an exchange")
    same(direct.symbols(details=True)["details"]["lab"]["ALL"]["types"], ["T"], "details")
    assert "details" not in direct.symbols(), "without details"
    same(direct.search("btc usd")[0]["normalized_id"], "BTC/USD", "search")
    same(direct.search("nothing+like that&q=x"), [], "search, nothing")
    assert "coinbase" in [e["name"] if "name" in e else e["exchange"] for e in direct.status()["exchanges"]], "status"
    coverage = direct.coverage(symbol="BTC-USD", type="MD")
    same([d["day"] for d in coverage["days"]], ["2025-01-01", "2025-01-02", "2025-01-04"], "coverage")
    same(refusal(lambda: direct.coverage(symbol="NONE", type="MD")).parameter, "symbol", "coverage of nothing")


@test("save and load")
def _():
    with tempfile.TemporaryDirectory() as there:
        path = f"{there}/answer"
        for name in ("large", "several days", "no rows"):
            direct.save(path, **queries[name]["query"])
            same(os.listdir(there), ["answer"], "what is left")
            result = right(tickd.load(path), name)
        result = tickd.load(path)
        direct.save(path, **queries["several days"]["query"])
        result = tickd.load(path)
        result["price"][0] = -1
        assert read(path) == expected("several days"), "the file stays as it is"
        same(refusal(lambda: direct.save(f"{there}/no", symbol="NONE", type="MD", columns="time", start=0, end=1)).parameter, "symbol", "save")
        dice = random.Random(plan["seed"] + 1)
        size = len(expected("large"))
        with Proxy(lambda r: random_break(dice, size)) as proxy:
            tickd.Client(proxy.url, retries=60, timeout=LIMIT, backoff=0).save(path, **queries["large"]["query"])
        assert read(path) == expected("large"), "other bytes"


@test("without numpy")
def _():
    def run(what, path):
        script = f"""if True:
            import sys
            sys.modules["numpy"] = None
            sys.path.insert(0, {plan["contrib"]!r})
            import tickd
            with tickd.Client({plan["url"]!r}) as client:
                {what}"""
        command = [sys.executable, "-B", "-c", script, path, json.dumps(queries["large"]["query"])]
        run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
        return run.returncode, run.stdout, run.stderr.strip().split("\n")[-1]

    with tempfile.TemporaryDirectory() as there:
        path = f"{there}/answer"
        same(run("import json; client.save(sys.argv[1], **json.loads(sys.argv[2]))", path), (0, "", ""), "save")
        assert read(path) == expected("large"), "other bytes"
        same(run('print(client.symbols(exchange="lab")["symbols"])', path), (0, "['ALL']\n", ""), "symbols")
        for rows in ("import json; client.data(**json.loads(sys.argv[2]))", "tickd.load(sys.argv[1])"):
            status, _, last = run(rows, path)
            assert status == 1 and last.startswith("ModuleNotFoundError") and "numpy" in last, last


@test("the program says in a line what is wrong")
def _():
    with tempfile.TemporaryDirectory() as there, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        query = [f"{k}={v}" for k, v in queries["several days"]["query"].items()]
        for url, arguments, line in (
            (plan["url"], ["symbol=NONE", *(q for q in query if not q.startswith("symbol="))], "404: there is no symbol 'NONE' in coinbase"),
            (plan["url"], ["nonsense=1", *query], "400: there is no parameter 'nonsense'"),
            (closed, query, f"{closed}: Connection refused"),
            ("127.0.0.1:8080", query, "127.0.0.1:8080 is no URL such as http://127.0.0.1:8080"),
            ("ftp://127.0.0.1", query, "this is no URL of a server: ftp://127.0.0.1"),
            (f"{plan['url']}/a b?", query, plan["url"]),
        ):
            command = [sys.executable, "-B", f"{plan['contrib']}/tickd.py", url, *arguments, "-o", f"{there}/answer"]
            run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
            assert run.returncode == 1 and run.stderr.startswith(f"tickd.py: {line}"), run.stderr
            same((run.stderr.count("\n"), run.stdout), (1, ""), run.stderr)
        command[2:4] = [f"{plan['contrib']}/tickd.py", plan["url"]]
        command[-1] = f"{there}/nowhere/answer"
        run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
        same((run.returncode, run.stderr.count("\n"), "nowhere" in run.stderr), (1, 1, True), run.stderr)


@test("what will not pass is not tried again")
def _():
    def find_nobody(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    client = tickd.Client("http://nobody.invalid", backoff=0, retries=10**9)
    find, socket.getaddrinfo = socket.getaddrinfo, find_nobody
    try:
        same(refusal(client.symbols).text, "http://nobody.invalid: no such name")
    finally:
        socket.getaddrinfo = find


@test("the program goes on where it was stopped")
def _():
    with tempfile.TemporaryDirectory() as there:
        path = f"{there}/answer"
        command = [sys.executable, "-B", f"{plan['contrib']}/tickd.py"]
        parameters = [f"{k}={v}" for k, v in queries["large"]["query"].items()]
        for name, sig in (("large", signal.SIGKILL), ("large", signal.SIGINT)):
            stopped = threading.Event()
            with Proxy(lambda request: (3 * MIB + 5, stopped)) as proxy:
                child = subprocess.Popen([*command, proxy.url, *parameters, "-o", path], stderr=subprocess.DEVNULL)
                wait_for(lambda: os.path.exists(f"{path}.part") and os.path.getsize(f"{path}.part") >= 2 * MIB)
                child.send_signal(sig)
                same(child.wait(LIMIT), -9 if sig == signal.SIGKILL else 130, "exit status")
                stopped.set()
                have = os.path.getsize(f"{path}.part")
                assert not os.path.exists(path), "it is not there yet"
                proxy.fault = lambda request: None
                proxy.requests.clear()
                tickd.Client(proxy.url, **QUICK)._save(path, queries[name]["target"])
                same([(r["range"], r["status"]) for r in proxy.requests], [(f"bytes={have - 1}-", 206)], "requests")
            assert read(path) == expected(name), "other bytes"
            same(os.listdir(there), ["answer"], "what is left")
            os.remove(path)
        # What is there of another answer does not count; nor does what nobody knows.
        for tag in ('"another"', ""):
            with open(f"{path}.part", "wb") as part, open(f"{path}.part.etag", "w") as note:
                part.write(b"x" * (len(expected("several days")) + 5000))
                note.write(tag)
            direct._save(path, queries["several days"]["target"])
            assert read(path) == expected("several days"), "other bytes"
        # There is more than there ever was, by the same tag.
        with Proxy() as proxy:
            with open(f"{path}.part", "wb") as part, open(f"{path}.part.etag", "w") as note:
                part.write(b"x" * (len(expected("several days")) + 5000))
                note.write(direct._head(queries["several days"]["target"])[1])
            tickd.Client(proxy.url, **QUICK)._save(path, queries["several days"]["target"])
            same([r["status"] for r in proxy.requests], [416, 200], "requests")
            assert read(path) == expected("several days"), "other bytes"
        # All of it was there.
        os.rename(path, f"{path}.part")
        with open(f"{path}.part.etag", "w") as note:
            note.write(direct._head(queries["several days"]["target"])[1])
        subprocess.run([*command, f"{plan['url']}{queries['several days']['target']}", "-o", path], check=True, timeout=LIMIT)
        assert read(path) == expected("several days"), "other bytes"
        run = subprocess.run([*command, plan["url"], "symbol=NONE", *parameters[1:], "-o", path], capture_output=True, text=True, timeout=LIMIT)
        same((run.returncode, run.stderr.startswith("tickd.py: 4")), (1, True), run.stderr)


print("done")
