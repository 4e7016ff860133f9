"""Frames of lattice RPC v1, after docs/protocol.md."""

import struct

from .values import Reader

STATUSES = ("ok unavailable not-found type-mismatch denied overloaded draining deadline cancelled trapped lost "
            "bad-frame unsupported gone").split()

REPLY, ACCEPT, BEAT, CANCEL, CHUNK, ABORT, CREDIT, STOP, PULSE = range(2, 11)
LAYOUTS = {ACCEPT: "B", BEAT: "B", CANCEL: "", CHUNK: "BBI", ABORT: "BI", CREDIT: "BQ", STOP: "B", PULSE: "BI"}
OPEN = (b"", False)  # the head of a stream that has not begun


def body(heads, value, total):
    """`total` is set where the value follows in chunks."""
    heads = b"".join(struct.pack("<BI", is_all, len(data)) + data for data, is_all in heads)
    return (struct.pack("<I", total) if total else b"") + heads + (b"" if total else value)


def read_body(reader, flags, streams):
    total = reader.unpack("I")[0] if flags & 1 else None
    heads = []
    for _ in range(streams):
        is_all, length = reader.unpack("BI")
        heads.append((reader.take(length), is_all == 1))
    return heads, reader.data, total


def request(type_hash, call, budget_ms, source, params, *, credit=0, link="default", revision=0, fence=None, heads=(), total=None):
    """`fence` is set where the caller is a singleton."""
    flags = bool(total) | (0 if fence is None else 8)
    fixed = struct.pack("<BBBB8s16sIIQ", 1, 1, flags, len(heads), type_hash, call, budget_ms, credit, revision)
    link = "" if link == "default" else link
    names = b"".join(bytes([len(name)]) + name.encode() for name in (source, link))
    return fixed + names + (b"" if fence is None else struct.pack("<Q", fence)) + body(heads, params, total)


def read_request(data):
    reader = Reader(data)
    names = "version kind flags streams type_hash call budget_ms credit revision".split()
    found = dict(zip(names, reader.unpack("BBBB8s16sIIQ")))
    if (found["version"], found["kind"]) != (1, 1):
        raise ValueError("not a request of version 1")
    found["source"], found["link"] = (reader.take(reader.take(1)[0]).decode() for _ in range(2))
    found["link"] = found["link"] or "default"
    found["trace"] = reader.take(25) if found["flags"] & 2 else None
    found["fence"] = reader.unpack("Q")[0] if found["flags"] & 8 else None
    found["heads"], found["params"], found["total"] = read_body(reader, found["flags"], found["streams"])
    return found


def reply(results, *, heads=(), total=None):
    return struct.pack("<BBBBBB", 1, REPLY, bool(total), len(heads), 0, 0) + body(heads, results, total)


def failed(status, message):
    return struct.pack("<BBBBBB", 1, REPLY, 0, 0, STATUSES.index(status), 0) + message.encode()[:4096]


def read_reply(data):
    """Status, heads, results (or a message), and bytes of the results where they follow."""
    reader = Reader(data)
    _, _, flags, streams, status, _load = reader.unpack("BBBBBB")
    return STATUSES[status], *read_body(reader, flags, streams)


def frame(kind, *fields, data=b""):
    return struct.pack("<BB" + LAYOUTS[kind], 1, kind, *fields) + data


def read_frame(data):
    """Kind, fields, and what follows them."""
    reader = Reader(data)
    version, kind = reader.unpack("BB")
    if version != 1 or kind not in LAYOUTS:
        raise ValueError(f"frame of version {version} and kind {kind}")
    return kind, reader.unpack(LAYOUTS[kind]), reader.data
