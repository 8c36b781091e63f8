#!/usr/bin/env python3
"""A client of tickd in one file, for Python 3.11.

Rows are arrays of numpy, and frames or tables of pandas, polars and pyarrow for those who ask for them. What is saved to a
file, and all that is not rows, needs none of these.

    import tickd

    client = tickd.Client("http://127.0.0.1:8080")
    result = client.data(symbol="BTC-USD", type="TRADES", columns=["time", "price"], end="2099-12-31", tail=1000)
    result["price"].mean()          # numpy arrays
    result.pandas()                 # a DataFrame, by time; likewise result.polars(), result.arrow()
    result.meta["rows_in_range"]

    client.save("all.bin", symbol="BTC-USD", type="TRADES", columns="time,price", start="1970-01-01", end="2099-12-31")
    tickd.load("all.bin").pandas()

    client.symbols(), client.search("btc usd"), client.status(), client.coverage(symbol="BTC-USD", type="MD")

As a program it downloads an answer to a file, and goes on with one that was broken off:

    python3 tickd.py http://127.0.0.1:8080 symbol=BTC-USD type=TRADES columns=time,price \\
        start=1970-01-01 end=2099-12-31 -o all.bin

What may pass (a connection that breaks, a server that is busy) is tried again; what does not is raised as tickd.Error.
tickd-http(7) says which parameters there are, and what is answered.
"""

import argparse
import concurrent.futures
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import socket
import ssl
import sys
import threading
import urllib.parse

__all__ = ["Client", "Error", "Result", "load"]

PIECE = 256 * 1024  # the bytes read at a time, of which some may have to come again when a connection breaks
PASSING = {408, 429, 502, 503, 504}  # the statuses that another try may not get


class Error(Exception):
    """What tickd refused, or what kept it from answering.

    status       of the answer, or None if there was none that can be used
    text         what it says in "error"
    parameter    the parameter at fault, or None
    retry_after  the seconds that it wants to be left alone, or None
    """

    def __init__(self, status, text, parameter=None, retry_after=None):
        super().__init__(text if status is None else f"{status}: {text}")
        self.status, self.text, self.parameter, self.retry_after = status, text, parameter, retry_after


class Result:
    """The rows of an answer.

    columns  {name: numpy array} in the order asked for, all of one length: views of body, but for those that begin there
             where records of their size are not aligned. Those are copies; if wider columns are asked for first, there
             are none. A column of bytesN has the dtype VN.
    meta     the first line of the answer, as a dict
    body     the whole answer, as an array of bytes

    result["price"] is a column, len(result) the number of rows.
    """

    def __init__(self, body):
        """${body}: an answer of /api/data, in anything that has a buffer."""
        import numpy

        self.body = numpy.frombuffer(body, "u1")
        line = _first_line(self.body)
        self.meta = json.loads(line)
        self.columns = {}
        end = len(line)
        for column in self.meta["columns"]:
            first, end = end, end + column["data_length"]
            if end > len(self.body):
                break
            kind = "V" if column["type"].startswith("bytes") else "<" + column["type"][0]
            array = self.body[first:end].view(f"{kind}{column['record_size']}")
            self.columns[column["name"]] = numpy.require(array, requirements="A")
        if end != len(self.body):
            raise Error(None, f"the answer has {len(self.body)} bytes, which is not what its first line says")

    def __getitem__(self, name):
        return self.columns[name]

    def __len__(self):
        return self.meta["columns"][0]["num_records"]

    def __repr__(self):
        series = "/".join(self.meta[level] for level in ("exchange", "symbol", "type"))
        return f"<tickd.Result {series}: {len(self)} rows of {', '.join(self.columns)}>"

    def pandas(self, index=True):
        """A pandas.DataFrame that shares the memory of the columns. With ${index}, its index is time in UTC (with the
        nanoseconds, if nanos was asked for, too)."""
        import numpy
        import pandas

        columns = self._values(index)
        times = columns.pop("time", None) if index else None
        by = None if times is None else pandas.DatetimeIndex(times, tz="UTC", name="time")
        columns = {name: numpy.array(c, object) if isinstance(c, list) else c for name, c in columns.items()}
        return pandas.DataFrame(columns, index=by, copy=False)

    def polars(self, times=True):
        """A polars.DataFrame. With ${times}, time is a Datetime in UTC (with the nanoseconds, likewise)."""
        import polars

        frame = polars.DataFrame(self._values(times))
        if times and "time" in self.columns:
            frame = frame.with_columns(polars.col("time").dt.replace_time_zone("UTC"))
        return frame

    def arrow(self, times=True):
        """A pyarrow.Table. With ${times}, time is a timestamp in UTC (with the nanoseconds, likewise)."""
        import pyarrow

        columns = {}
        for name, values in self._values(times).items():
            kind = pyarrow.binary(self.columns[name].itemsize) if isinstance(values, list) else None
            columns[name] = pyarrow.array(values, kind)
        if times and "time" in columns:
            columns["time"] = columns["time"].cast(pyarrow.timestamp("ns", tz="UTC"))
        return pyarrow.table(columns)

    def _values(self, times):
        """The columns, those of bytesN as lists of bytes; with ${times}, time and nanos are one, of datetime64[ns]."""
        columns = {name: c.tolist() if c.dtype.kind == "V" else c for name, c in self.columns.items()}
        if times and "time" in columns:
            nanoseconds = columns["time"].astype("i8") * 1_000_000_000
            if "nanos" in columns:
                nanoseconds += columns.pop("nanos")
            columns["time"] = nanoseconds.view("M8[ns]")
        return columns


class Client:
    """Asks one server. Several threads may use it at once; its connections stay open until close(), or the end of a with.

    url        of the server, with the path that goes before /api, if any
    parts      so many connections fetch a large answer
    part_size  and this is the least number of bytes that is left to one of them
    timeout    seconds until a connection must be made, and that it may be silent
    retries    how often in a row something is tried again
    backoff    the seconds before that, doubled each time; a Retry-After takes their place
    patience   but if that says more seconds than these, it is not waited for
    restarts   how often an answer in parts is begun anew because the data changed; then it is asked for in one
    headers    header fields for each request, such as {"Authorization": "Bearer ..."}
    """

    def __init__(self, url="http://127.0.0.1:8080", *, parts=4, part_size=1 << 20, timeout=30, retries=5, backoff=0.1,
                 patience=60, restarts=3, headers=()):
        there = urllib.parse.urlsplit(url)
        if there.scheme not in ("http", "https") or not there.hostname:
            raise ValueError(f"this is no URL of a server: {url}")
        kind = http.client.HTTPSConnection if there.scheme == "https" else http.client.HTTPConnection
        self._connect = lambda: kind(there.hostname, there.port, timeout=timeout)
        self._path = there.path.rstrip("/")
        self._url = url
        self._headers = {"User-Agent": "tickd.py", **dict(headers)}
        self._idle = []
        self.parts, self.part_size, self.restarts = parts, part_size, restarts
        self.retries, self.backoff, self.patience = retries, backoff, patience

    def data(self, *, symbol, type, columns, start=None, end=None, **more):
        """The rows of a range of time, as a Result.

        columns     a list, or text with commas
        start, end  both included: seconds as an int, text as in tickd-http(7), date (as end: the whole day), datetime,
                    numpy.datetime64, pandas.Timestamp. Without a zone they are in UTC. One on a whole second means,
                    as end, all of that second.
        more        exchange, limit, tail, max_points, downsample, missing: as in tickd-http(7); None counts as absent
        """
        return Result(self._download(_query(symbol=symbol, type=type, columns=columns, start=start, end=end, **more)))

    def save(self, path, **query):
        """Write the answer to a query, with the keywords of data(), to a file, for load(). While it comes it is PATH.part
        (and its tag PATH.part.etag): whoever asks for the same at the same path, now or later, goes on from there."""
        self._save(path, _query(**query))

    def symbols(self, exchange=None, details=False):
        """What is on disk: {"symbols": [...], "exchanges": {...}}, and "details" if wanted."""
        return self._json("/api/symbols", exchange=exchange, details=1 if details else None)

    def search(self, q):
        """The symbols that fit ${q}: a list of dicts, the best first."""
        return self._json("/api/symbol-search", q=q)["results"]

    def status(self):
        """When the exchanges' files were last written to."""
        return self._json("/api/status")

    def coverage(self, *, symbol, type, exchange=None):
        """The columns and days of a series."""
        return self._json("/api/coverage", symbol=symbol, type=type, exchange=exchange)

    def close(self):
        while self._idle:
            self._idle.pop().close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _json(self, path, **query):
        return json.loads(self._whole(_target(path, query)))

    def _download(self, target):
        """The body of ${target}, in one buffer that its parts come into side by side."""
        import numpy  # whose buffers are not filled with zeros first

        for _ in range(self.restarts):
            length, tag = self._head(target)
            parts = min(self.parts, length // self.part_size)
            if not tag or not parts:
                break
            body = numpy.empty(length, "u1")
            try:
                self._fill(target, tag, memoryview(body), parts)
                return body
            except Error as error:
                if error.status != 412:
                    raise
        return self._whole(target)

    def _head(self, target):
        """(length, tag), or (0, None) if ${target} cannot be had in parts or is an error, which only a GET explains."""
        retry = _Retry(self)
        while True:
            with retry:
                try:
                    with self._request("HEAD", target) as response:
                        response.read()
                        if response.headers["Accept-Ranges"] != "bytes":
                            return 0, None
                        return int(response.headers["Content-Length"] or 0), response.headers["ETag"]
                except Error as error:
                    if error.status in PASSING:
                        raise
                    return 0, None

    def _fill(self, target, tag, view, parts):
        step = -(-len(view) // parts)
        stop = threading.Event()

        with concurrent.futures.ThreadPoolExecutor(parts) as pool:
            try:
                list(pool.map(lambda at: self._part(target, tag, view[at : at + step], at, stop), range(0, len(view), step)))
            finally:
                stop.set()

    def _part(self, target, tag, view, first, stop):
        """Fill ${view} with the bytes of the answer with this ${tag} from ${first} on; what came before a connection
        broke does not come again. An Error 412 if the answer is another one by now. ${stop} ends it early."""
        retry = _Retry(self, stop)
        while view and not stop.is_set():
            fields = {"If-Match": tag, "Range": f"bytes={first}-{first + len(view) - 1}"}
            with retry, self._request("GET", target, fields) as response:
                if response.status != 206 or response.headers["ETag"] != tag or response.length != len(view):
                    raise Error(412, "something between here and tickd does not heed If-Match and Range")
                for count in _read(response, view):
                    view, first = view[count:], first + count
                    retry.renew()
                    if stop.is_set():
                        break

    def _whole(self, target):
        """The body of ${target}, of any endpoint, in one."""
        retry = _Retry(self)
        while True:
            with retry, self._request("GET", target) as response:
                if response.length is None:
                    return bytearray(response.read())
                body = bytearray(response.length)
                for _ in _read(response, memoryview(body)):
                    pass
                return body

    def _save(self, path, target):
        """At no moment are there bytes in PATH.part of another answer than that with the tag in PATH.part.etag."""
        part, note = pathlib.Path(f"{path}.part"), pathlib.Path(f"{path}.part.etag")
        tag = note.read_text() if note.exists() else ""
        with open(part, "r+b" if part.exists() else "w+b") as file:
            have = file.seek(0, os.SEEK_END) if tag else 0
            for at, tag, piece in self._pieces(target, have, tag):
                file.seek(at)
                file.truncate()
                if at == 0:
                    note.write_text(tag)
                file.write(piece)
        part.replace(path)
        note.unlink()

    def _pieces(self, target, have, tag):
        """Yields (position, tag of the answer, bytes) until ${target} is there. Of the answer with this ${tag}, ${have}
        bytes are there already; if there is another one by now, it comes from position 0 on."""
        retry = _Retry(self)
        while True:
            # The last byte comes again: so there is always one left to ask for.
            fields = {"Range": f"bytes={have - 1}-", "If-Range": tag} if have and tag else {}
            with retry, self._request("GET", target, fields, {416} if fields else ()) as response:
                if response.status == 416:  # there is more than there ever was
                    have = 0
                    continue
                resumed = response.status == 206
                have, tag = (have - 1, tag) if resumed else (0, response.headers["ETag"] or "")
                while piece := response.read(PIECE):
                    yield have, tag, piece
                    have += len(piece)
                    if resumed:
                        retry.renew()
                if response.length:
                    raise http.client.IncompleteRead(b"", response.length)
                return

    @contextlib.contextmanager
    def _request(self, method, target, fields=(), heeded=()):
        """A response, or an Error if its status is 400 or more and none of the ${heeded}. Its connection is kept for
        others if it was read to its end."""
        connection, response = self._send(method, self._path + target, {**self._headers, **dict(fields)})
        try:
            error = _error(response) if response.status >= 400 and response.status not in heeded else None
            if not error:
                yield response
        except BaseException:
            connection.close()
            raise
        if response.isclosed() and connection.sock:
            self._idle.append(connection)
        else:
            connection.close()
        if error:
            raise error

    def _send(self, method, target, fields):
        while True:
            try:
                connection, used = self._idle.pop(), True
            except IndexError:
                connection, used = self._connect(), False
            try:
                connection.request(method, target, headers=fields)
                return connection, connection.getresponse()
            except BaseException as error:
                connection.close()
                # The server may close what was idle for long: no failure.
                if not used or not isinstance(error, (ConnectionError, http.client.BadStatusLine)):
                    raise


class _Retry:
    """As a context: what fails in it, and may pass, is waited for and forgotten, until a client's retries are used up.
    Then ${stop} is set for others that it concerns; it ends their waiting, too."""

    def __init__(self, client, stop=None):
        self._client, self._stop = client, stop or threading.Event()
        self.renew()

    def renew(self):
        self._left, self._wait = self._client.retries, self._client.backoff

    def __enter__(self):
        return self

    def __exit__(self, _, error, __):
        refused = isinstance(error, Error)
        if not refused and not isinstance(error, (OSError, http.client.HTTPException)):
            return False
        wait = self._wait if not refused or error.retry_after is None else error.retry_after
        if not self._left or wait > self._client.patience or not _may_pass(error):
            self._stop.set()
            if refused:
                return False
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Error(None, f"{self._client._url}: {said}") from error
        self._left, self._wait = self._left - 1, self._wait * 2
        self._stop.wait(wait)
        return True


def _may_pass(error):
    if isinstance(error, Error):
        return error.status in PASSING
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN
    return not isinstance(error, (ssl.SSLCertVerificationError, http.client.InvalidURL))


def load(path):
    """The Result in a file that Client.save wrote: mapped, not read; what is changed in it does not reach the file."""
    import numpy

    return Result(numpy.memmap(path, "u1", "c"))


def _read(response, view):
    """Fill ${view}; yields the number of bytes of each piece."""
    while view:
        count = response.readinto(view[:PIECE])
        if not count:
            raise http.client.IncompleteRead(b"", len(view))
        view = view[count:]
        yield count


def _error(response):
    body = response.read()
    seconds = response.headers["Retry-After"] or ""
    try:
        said = json.loads(body)
        text, parameter = said["error"], said.get("parameter")
    except (ValueError, LookupError, TypeError):  # the words of something else
        text, parameter = response.reason, None
    return Error(response.status, text, parameter, int(seconds) if seconds.isdecimal() else None)


def _first_line(body):
    size = 4096
    while True:
        line, newline, _ = body[:size].tobytes().partition(b"\n")
        if newline:
            return line + newline
        if size >= len(body):
            raise Error(None, "this is no answer of /api/data: it has no first line")
        size *= 2


def _query(*, columns, start=None, end=None, **more):
    # With its length said in its head, an answer is read into a buffer of its size.
    columns = columns if isinstance(columns, str) else ",".join(columns)
    more.update(columns=columns, start=_time(start), end=_time(end), framing="length")
    return _target("/api/data", more)


def _target(path, query):
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urllib.parse.urlencode(given, safe=',:', quote_via=urllib.parse.quote)}"


def _time(when):
    """${when} as tickd-http(7) wants it."""
    numpy = sys.modules.get("numpy")  # nobody has one of its times without it
    if numpy and isinstance(when, numpy.datetime64):
        if when.dtype == "M8[D]":
            return str(when)
        return str(when.astype("M8[ns]")).removesuffix(".000000000") + "Z"
    if isinstance(when, datetime.datetime):  # as a pandas.Timestamp is
        utc = datetime.timezone.utc
        return (when.astimezone(utc) if when.tzinfo else when.replace(tzinfo=utc)).isoformat()
    return when.isoformat() if isinstance(when, datetime.date) else when


def main():
    parser = argparse.ArgumentParser(description="Download an answer of tickd, or go on with one that was broken off.")
    parser.add_argument("url", metavar="URL", help="of the server, or of a query")
    parser.add_argument("parameters", metavar="NAME=VALUE", nargs="*", help="of the query, beside those in the URL")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="FILE.part is what came so far")
    options = parser.parse_args()
    there = urllib.parse.urlsplit(options.url)
    if not there.netloc:
        sys.exit(f"tickd.py: {options.url} is no URL such as http://127.0.0.1:8080")
    path = there.path if there.path.strip("/") else "/api/data"
    query = urllib.parse.parse_qsl(there.query, keep_blank_values=True)
    query += [parameter.partition("=")[::2] for parameter in options.parameters]
    try:
        with Client(f"{there.scheme}://{there.netloc}") as client:
            client._save(options.output, f"{path}?{urllib.parse.urlencode(query, quote_via=urllib.parse.quote)}")
    except (Error, OSError, ValueError) as error:
        sys.exit(f"tickd.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
