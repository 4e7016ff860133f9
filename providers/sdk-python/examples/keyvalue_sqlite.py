"""wasi:keyvalue, both drafts, in a file of SQLite. It keeps what it has acknowledged; one process at a time may use a file.

    python3 keyvalue_sqlite.py --id default/store/store
"""

import json
import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from wicker_provider import Err, Provider, run  # noqa: E402

WIT = pathlib.Path(__file__).resolve().parents[3] / "wit"
DRAFTS = ["0.2.0-draft", "0.2.0-draft2"]
PAGE = 1000


class Store(Provider):
    def __init__(self):
        super().__init__(*(WIT / f"wasi-keyvalue-{draft}/keyvalue.wit" for draft in DRAFTS))

    async def start(self, config, data_dir):
        self.db = sqlite3.connect(data_dir / config.get("file", "values.db"), isolation_level=None)
        self.db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE IF NOT EXISTS value (at INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT, name TEXT, data BLOB,"
            " UNIQUE (bucket, name));"
        )

    async def stop(self):
        self.db.close()

    def found(self, bucket, name):
        """Its version, and what is there; 0 and nothing."""
        row = self.db.execute("SELECT at, data FROM value WHERE bucket = ? AND name = ?", (bucket, name)).fetchone()
        return row or (0, None)

    def put(self, bucket, name, data):
        # Every write has a number of its own, which is the version.
        self.db.execute("REPLACE INTO value (bucket, name, data) VALUES (?, ?, ?)", (bucket, name, data))


store = Store()


def allowed(link, token):
    """The bucket that a handle, or a name, stands for: whoever calls may have made it up."""
    bucket = token.decode() if isinstance(token, bytes) else token
    buckets = link.list("buckets")
    if buckets and bucket not in buckets:
        raise Err("access-denied")
    return bucket


def other(text):
    return Err(("other", text))


def page(draft, cursor):
    try:
        return int(cursor or 0)
    except ValueError:
        raise other(f"`{cursor}` is no cursor")


for draft in DRAFTS:
    served = f"wasi:keyvalue/store@{draft}"

    @store.serve(served, "open")
    async def open_bucket(link, name):
        return allowed(link, name).encode()

    @store.serve(served, "[method]bucket.get")
    async def get(link, bucket, name):
        return store.found(allowed(link, bucket), name)[1]

    @store.serve(served, "[method]bucket.set")
    async def set_value(link, bucket, name, data):
        store.put(allowed(link, bucket), name, data)

    @store.serve(served, "[method]bucket.delete")
    async def delete(link, bucket, name):
        store.db.execute("DELETE FROM value WHERE bucket = ? AND name = ?", (allowed(link, bucket), name))

    @store.serve(served, "[method]bucket.exists")
    async def exists(link, bucket, name):
        return store.found(allowed(link, bucket), name)[0] > 0

    @store.serve(served, "[method]bucket.list-keys")
    async def list_keys(link, bucket, cursor, draft=draft):
        query = "SELECT at, name FROM value WHERE bucket = ? AND at > ? ORDER BY at LIMIT ?"
        rows = store.db.execute(query, (allowed(link, bucket), page(draft, cursor), PAGE)).fetchall()
        last = rows[-1][0] if len(rows) == PAGE else None
        if last is not None and draft == "0.2.0-draft2":
            last = str(last)
        return {"keys": [name for _, name in rows], "cursor": last}

    served = f"wasi:keyvalue/batch@{draft}"

    @store.serve(served, "get-many")
    async def get_many(link, bucket, names, draft=draft):
        bucket = allowed(link, bucket)
        values = [(name, store.found(bucket, name)[1]) for name in names]
        if draft == "0.2.0-draft2":
            return values
        return [None if data is None else (name, data) for name, data in values]

    @store.serve(served, "set-many")
    async def set_many(link, bucket, pairs):
        bucket = allowed(link, bucket)
        store.db.execute("BEGIN")
        for name, data in pairs:
            store.put(bucket, name, data)
        store.db.execute("COMMIT")

    @store.serve(served, "delete-many")
    async def delete_many(link, bucket, names):
        bucket = allowed(link, bucket)
        query = "DELETE FROM value WHERE bucket = ? AND name = ?"
        store.db.executemany(query, [(bucket, name) for name in names])

    @store.serve(f"wasi:keyvalue/atomics@{draft}", "increment")
    async def increment(link, bucket, name, delta):
        # Nothing else runs until this returns: it waits for nothing.
        bucket = allowed(link, bucket)
        data = store.found(bucket, name)[1]
        text = "0" if data is None else data.decode(errors="replace")
        if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdecimal():
            raise other(f"`{name}` holds no number")
        total = int(text) + delta
        if not -(2**63) <= total < 2**63:
            raise other(f"`{name}` would not fit into 64 bits")
        store.put(bucket, name, str(total).encode())
        return total


ATOMICS = "wasi:keyvalue/atomics@0.2.0-draft2"


def noted(link, token):
    """What a handle notes: bucket, key, version."""
    bucket, name, version = json.loads(token)
    return allowed(link, bucket), name, version


def note(bucket, name):
    return json.dumps([bucket, name, store.found(bucket, name)[0]]).encode()


@store.serve(ATOMICS, "[static]cas.new")
async def new_cas(link, bucket, name):
    return note(allowed(link, bucket), name)


@store.serve(ATOMICS, "[method]cas.current")
async def current(link, cas):
    bucket, name, _ = noted(link, cas)
    return store.found(bucket, name)[1]


@store.serve(ATOMICS, "swap")
async def swap(link, cas, data):
    bucket, name, version = noted(link, cas)
    if store.found(bucket, name)[0] != version:
        raise Err(("cas-failed", note(bucket, name)))
    store.put(bucket, name, data)


if __name__ == "__main__":
    run(store)
