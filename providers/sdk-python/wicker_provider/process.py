"""A process of a lattice: serves functions and calls them, after docs/protocol.md. For nats-py."""

import asyncio
import datetime
import itertools
import json
import secrets
import time

from . import frames, values

ACCEPT_AFTER, BEAT_EVERY, SILENCE = 0.05, 1.0, 3.0
CHUNK_BYTES, HEAD_BYTES, HEADER_BYTES, WINDOW = 128 << 10, 64 << 10, 585, 256 << 10
CALLEE = 0x80


class Failed(Exception):
    def __init__(self, status, message=""):
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


def ulid():
    """A new id: its text and its bytes."""
    number = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    return "".join(digits[number >> shift & 31] for shift in range(125, -1, -5)), number.to_bytes(16, "big")


class Process:
    def __init__(self, nats, lattice, id=None):
        self.nats, self.lattice = nats, lattice
        self.id, self.incarnation = id or ulid()[0], ulid()[0]
        self.attempts = itertools.count(secrets.randbits(63))
        self.functions = {}  # (target, interface, function), escaped -> (form, handler)
        self.waiting, self.running, self.incoming, self.outgoing = {}, {}, {}, {}

    async def start(self):
        own = f"wicker.{self.lattice}"
        await self.nats.subscribe(f"{own}.c.{self.id}.>", cb=self.on_request)
        await self.nats.subscribe(f"{own}.r.{self.id}.*.*", cb=self.on_frame)
        await self.nats.subscribe(f"{own}.r.{self.id}.*.*.b", cb=self.on_frame)
        await self.nats.flush()

    def serve(self, target, interface, name, form, handler):
        self.functions[target.replace("/", "_"), values.escape(interface), values.escape(name)] = form, handler

    async def announce(self, target, interfaces, state, reason=None, generation=0):
        status = await self.nats.jetstream().key_value(f"wicker_{self.lattice}_status")
        key = f"running.{target.replace('/', '_')}.{self.id}"
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        record = dict(object=target, kind="provider", process=self.id, incarnation=self.incarnation, host=None,
                      generation=generation, serves=interfaces, state=state, reason=reason, since=now)
        await status.put(key, json.dumps(record).encode())

    async def retire(self, target):
        """Takes the announcement back: calls go elsewhere from now on."""
        status = await self.nats.jetstream().key_value(f"wicker_{self.lattice}_status")
        await status.delete(f"running.{target.replace('/', '_')}.{self.id}")

    async def invoke(self, handler, request, arguments, streams):
        """Runs what serves a function: its result, and the streams that the result refers to."""
        return await handler(*arguments, *streams)

    def subject(self, peer, attempt):
        """Where `peer` hears of an attempt from us."""
        return f"wicker.{self.lattice}.r.{peer}.{self.id}.{attempt:x}"

    async def tell(self, peer, attempt, kind, *fields, data=b""):
        bulk = ".b" if kind in (frames.CHUNK, frames.ABORT, frames.PULSE) else ""
        await self.nats.publish(self.subject(peer, attempt) + bulk, frames.frame(kind, *fields, data=data))

    # What comes in.

    async def on_request(self, message):
        _, _, _, _, peer, *callee = message.subject.split(".")
        attempt = int(message.reply.rsplit(".", 1)[-1], 16)
        if message.reply == self.subject(peer, attempt):
            self.running[peer, attempt] = asyncio.create_task(self.answer(peer, attempt, tuple(callee), message))

    async def on_frame(self, message):
        _, _, _, _, peer, attempt, *_ = message.subject.split(".")
        attempt = int(attempt, 16)
        waiting = self.waiting.get((peer, attempt))
        is_nobody = message.headers and message.headers.get("Status") == "503"
        if is_nobody or message.data[1] == frames.REPLY:
            if waiting:
                waiting.put_nowait("nobody" if is_nobody else message.data)
        else:
            kind, fields, rest = frames.read_frame(message.data)
            await self.on_sign(peer, attempt, waiting, kind, fields, rest)

    async def on_sign(self, peer, attempt, waiting, kind, fields, rest):
        stream = (peer, attempt, fields[0]) if fields else None
        if kind in (frames.ACCEPT, frames.BEAT) and waiting:
            waiting.put_nowait("alive")
        elif kind == frames.CANCEL and (peer, attempt) in self.running:
            self.running[peer, attempt].cancel()
        elif kind in (frames.CREDIT, frames.STOP) and stream in self.outgoing:
            self.outgoing[stream].put_nowait(fields[1] if kind == frames.CREDIT else "stop")
        elif kind in (frames.CHUNK, frames.ABORT, frames.PULSE):
            if waiting and stream not in self.incoming:  # it has overtaken its reply
                self.incoming[stream] = asyncio.Queue()
            if stream in self.incoming:
                self.incoming[stream].put_nowait((kind, fields, rest))
            else:
                await self.tell(peer, attempt, frames.STOP, stream[2])

    # What is served.

    async def answer(self, peer, attempt, callee, message):
        beating = asyncio.create_task(self.beat(peer, attempt))
        try:
            results, streams = await self.run(peer, attempt, callee, message.data)
            heads, total, writers = self.part(peer, attempt, CALLEE, results, streams)
            credit = frames.read_request(message.data)["credit"]
            await self.nats.publish(message.reply, frames.reply(results, heads=heads, total=total))
            beating.cancel()
            await asyncio.gather(*(self.write(*writer, credit) for writer in writers))
        except Failed as failed:
            await self.nats.publish(message.reply, frames.failed(failed.status, failed.message))
        except Exception as error:
            await self.nats.publish(message.reply, frames.failed("trapped", repr(error)))
        finally:
            beating.cancel()
            del self.running[peer, attempt]

    async def run(self, peer, attempt, callee, data):
        request = frames.read_request(data)
        if callee not in self.functions:
            raise Failed("not-found", ".".join(callee))
        form, handler = self.functions[callee]
        if request["type_hash"] != values.type_hash(form):
            raise Failed("type-mismatch", form)
        streams = [self.read(peer, attempt, 1 + index, head) for index, head in enumerate(request["heads"])]
        params, total = request["params"], request["total"]
        if total is not None:
            params = b"".join([chunk async for chunk in self.read(peer, attempt, 0, frames.OPEN)])
        takes, gives = values.signature(form)
        arguments = values.decode(takes, params)
        try:
            running = self.invoke(handler, request, arguments, streams)
            result, *streams = await asyncio.wait_for(running, request["budget_ms"] / 1000)
        except asyncio.TimeoutError:
            raise Failed("deadline", form)
        return values.encode(gives, (result,)), streams

    async def beat(self, peer, attempt):
        await asyncio.sleep(ACCEPT_AFTER)
        for kind in itertools.chain([frames.ACCEPT], itertools.repeat(frames.BEAT)):
            await self.tell(peer, attempt, kind, 0)
            await asyncio.sleep(BEAT_EVERY)

    # What is called.

    async def call(self, to, source, callee, form, arguments, streams=(), timeout=10.0):
        """The result, and the streams it refers to. `callee`: target, interface, function."""
        attempt, replies = next(self.attempts), asyncio.Queue()
        target, interface, name = callee
        takes, gives = values.signature(form)
        params = values.encode(takes, arguments)
        heads, total, writers = self.part(to, attempt, 0, params, streams)
        request = frames.request(values.type_hash(form), ulid()[1], int(timeout * 1000), source, params,
                                 credit=WINDOW, heads=heads, total=total)
        tokens = f"{target.replace('/', '_')}.{values.escape(interface)}.{values.escape(name)}"
        self.waiting[to, attempt] = replies
        inbox = f"wicker.{self.lattice}.r.{self.id}.{to}.{attempt:x}"
        writing = [asyncio.create_task(self.write(*writer, 0)) for writer in writers]
        await self.nats.publish(f"wicker.{self.lattice}.c.{to}.{self.id}.{tokens}", request, reply=inbox)
        try:
            status, heads, rest, total = frames.read_reply(await self.wait(to, attempt, replies, timeout))
            if status != "ok":
                raise Failed(status, rest.decode())
            streams = [self.read(to, attempt, CALLEE + 1 + index, head) for index, head in enumerate(heads)]
            if total is not None:
                rest = b"".join([chunk async for chunk in self.read(to, attempt, CALLEE, frames.OPEN)])
        finally:
            del self.waiting[to, attempt]
            [task.cancel() for task in writing]
        result = values.decode(gives, rest)
        return (result[0] if result else None), streams

    async def wait(self, to, attempt, replies, timeout):
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            try:
                said = await asyncio.wait_for(replies.get(), max(0, min(left, SILENCE)))
            except asyncio.TimeoutError:
                await self.tell(to, attempt, frames.CANCEL)
                raise Failed("lost" if left > SILENCE else "deadline", f"no answer from {to}")
            if said == "nobody":
                raise Failed("unavailable", f"no process {to}")
            if said != "alive":
                return said

    # Values and streams that do not fit into one message.

    def part(self, peer, attempt, callee, value, streams):
        """The heads, the length of a value that must follow, and what `write` has to write."""
        room = self.nats.max_payload - HEADER_BYTES - 5 * len(streams)
        total = len(value) if len(value) > room else None
        room = min(HEAD_BYTES, room - (0 if total else len(value)))
        heads, writers = [], [(peer, attempt, callee, value, 0)] if total else []
        for index, data in enumerate(streams):
            head, room = data[:room], room - len(data[:room])
            heads.append((head, len(head) == len(data)))
            if len(head) < len(data):
                writers.append((peer, attempt, callee + 1 + index, data, len(head)))
        for *stream, _, _ in writers:
            self.outgoing[tuple(stream)] = asyncio.Queue()
        return heads, total, writers

    async def write(self, peer, attempt, stream, data, position, credit):
        limit, heard = position + credit, time.monotonic()
        credits = self.outgoing[peer, attempt, stream]
        sequence = 0
        while position < len(data):
            while limit <= position or not credits.empty():
                try:
                    limit, heard = await asyncio.wait_for(credits.get(), BEAT_EVERY), time.monotonic()
                except asyncio.TimeoutError:
                    await self.tell(peer, attempt, frames.PULSE, stream, sequence)
                if limit == "stop" or time.monotonic() - heard > SILENCE:
                    del self.outgoing[peer, attempt, stream]
                    return
            chunk = data[position:min(limit, position + CHUNK_BYTES)]
            position += len(chunk)
            await self.tell(peer, attempt, frames.CHUNK, stream, position == len(data), sequence, data=chunk)
            sequence += 1
        del self.outgoing[peer, attempt, stream]

    async def read(self, peer, attempt, stream, head):
        data, is_all = head
        if data:
            yield data
        if is_all:
            return
        key = peer, attempt, stream
        position, sequence = len(data), 0
        frames_of = self.incoming.setdefault(key, asyncio.Queue())
        try:
            while True:
                await self.tell(peer, attempt, frames.CREDIT, stream, position + WINDOW)
                kind, fields, rest = await self.next(frames_of, peer, attempt, stream, position)
                if fields[-1] != sequence:
                    raise Failed("lost", "a chunk was lost on its way")
                if kind == frames.ABORT:
                    raise Failed("lost", rest.decode())
                if kind == frames.CHUNK:
                    sequence, position = sequence + 1, position + len(rest)
                    yield rest
                    if fields[1]:
                        return
        finally:
            del self.incoming[key]

    async def next(self, frames_of, peer, attempt, stream, position):
        for _ in range(int(SILENCE / BEAT_EVERY)):
            try:
                return await asyncio.wait_for(frames_of.get(), BEAT_EVERY)
            except asyncio.TimeoutError:
                await self.tell(peer, attempt, frames.CREDIT, stream, position + WINDOW)
        raise Failed("lost", "the writer fell silent")
