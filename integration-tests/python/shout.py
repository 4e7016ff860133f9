"""A provider in Python, and a caller: the interface wicker:sample/shout@1, as a foreign language sees a lattice.

    shout.py serve NATS-URL LATTICE OBJECT               serves until stdin closes
    shout.py call  NATS-URL LATTICE OBJECT PROCESS       calls OBJECT in PROCESS, prints one line of JSON for each call
"""

import asyncio
import json
import pathlib
import sys

import nats

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "providers/sdk-python"))

from wicker_provider.process import Failed, Process  # noqa: E402

INTERFACE = "wicker:sample/shout@1"
SHOUT = "func(text:string,times:u8,)->result<string,string>"
SUM = "func(data:stream<u8>,)->u64"
REPEAT = "func(bytes:list<u8>,times:u32,)->list<u8>"
TRICKLE = "func(bytes:u32,)->stream<u8>"
SLEEP = "func(ms:u32,)->u32"


async def shout(text, times):
    return (("ok", text.upper() * times) if times else ("err", "nothing to shout")),


async def total(_index, data):
    return sum([sum(chunk) async for chunk in data]),


async def repeat(data, times):
    return data * times,


async def trickle(count):
    return 0, bytes(index % 251 for index in range(count))


async def sleep(ms):
    await asyncio.sleep(ms / 1000)
    return ms,


FUNCTIONS = {
    "shout": (SHOUT, shout), "sum": (SUM, total), "repeat": (REPEAT, repeat),
    "trickle": (TRICKLE, trickle), "sleep": (SLEEP, sleep),
}


async def serve(process, target):
    for name, (form, handler) in FUNCTIONS.items():
        process.serve(target, INTERFACE, name, form, handler)
    await process.start()
    await process.announce(target, [INTERFACE], "ready")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await process.announce(target, [INTERFACE], "draining")


async def call(process, target, to):
    await process.start()

    async def attempt(name, arguments, streams=(), form=None, **how):
        try:
            callee = target, INTERFACE, name
            form = form or FUNCTIONS[name][0]
            result, streams = await process.call(to, "default/python/python", callee, form, arguments, streams, **how)
            lengths = [sum([len(chunk) async for chunk in stream]) for stream in streams]
            result = len(result) if isinstance(result, bytes) else result
            print(json.dumps({"result": result, "streams": lengths}), flush=True)
        except Failed as failed:
            print(json.dumps({"failed": failed.status}), flush=True)

    await attempt("shout", ("grüße ", 2))
    await attempt("shout", ("", 0))
    await attempt("sum", (0,), [bytes([1]) * 10])
    await attempt("sum", (0,), [bytes([1]) * 3_000_000])
    await attempt("repeat", (b"ab" * 1_000_000, 2))
    await attempt("trickle", (2_000_000,))
    await attempt("sleep", (200,))
    await attempt("sleep", (60_000,), timeout=0.3)
    await attempt("shout", ("a",), form="func(text:string,)->string")
    await attempt("whisper", (), form="func()->u8")
    to = to[:-1] + ("0" if to[-1] != "0" else "1")
    await attempt("sleep", (1,))


async def main(mode, url, lattice, target, *to):
    connection = await nats.connect(url, allow_reconnect=False)
    process = Process(connection, lattice)
    await (serve(process, target) if mode == "serve" else call(process, target, *to))
    await connection.drain()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
