"""What a provider is made of: functions that serve the interfaces of a WIT package over links."""

import argparse
import asyncio
import json
import pathlib
import sys

import nats

from . import values, wit
from .process import Failed, Process


class Err(Exception):
    """Raised by a function whose WIT result has an error: its payload. A case is its name, or (name, payload)."""

    def __init__(self, payload=None):
        super().__init__(payload)
        self.payload = payload


class Link:
    """Who calls, and what the link that led here is configured with."""

    def __init__(self, source, name, config):
        self.source, self.name, self.config = source, name, config

    def list(self, field):
        """A list in the config: text between commas."""
        text = self.config.get(field, "")
        return [each.strip() for each in text.split(",") if each.strip()]


class Provider:
    """Serves what is added to it. `wit`: the files of the packages whose types it speaks."""

    def __init__(self, *wit_files):
        self.forms = {}
        for file in wit_files:
            self.forms.update(wit.read(pathlib.Path(file).read_text()))
        self.handlers = {}

    def serve(self, interface, function):
        """Decorates `async def f(link, *params)`. What it returns is the result, or its ok; `raise Err(...)` is its error."""
        interface = wit.key(interface)
        form = self.forms[interface][function]

        def add(handler):
            self.handlers[interface, function] = form, handler
            return handler

        return add

    async def start(self, config, data_dir):
        """Called once, before the first call."""

    async def stop(self):
        """Called once, after the last call."""


class Served(Process):
    """A process that finds the link of each call."""

    def __init__(self, connection, lattice, id):
        super().__init__(connection, lattice, id)
        self.links = {}

    async def link(self, source, name, revision, interface):
        """The link's record, read again where the caller has read a newer one."""
        scopes = [interface, interface.split("/")[0] + interface[interface.find("@"):] if "@" in interface else interface.split("/")[0]]
        known, found = self.links.get((source, name, interface), (-1, None))
        if revision > known or found is None:
            known, found = revision, Link(source, name, {})
            spec = await self.nats.jetstream().key_value(f"wicker_{self.lattice}_spec")
            for scope in scopes if revision else []:
                key = f"link.{source.replace('/', '_')}.{values.escape(scope)}.{values.escape(name)}"
                try:
                    entry = await spec.get(key)
                except nats.js.errors.KeyNotFoundError:
                    continue
                found = Link(source, name, json.loads(entry.value).get("config", {}))
                break
            self.links[source, name, interface] = known, found
        return found

    async def invoke(self, handler, request, arguments, streams):
        interface, form, function = handler
        link = await self.link(request["source"], request["link"], request["revision"], interface)
        _, gives = values.signature(form)
        is_result = bool(gives[1]) and gives[1][0][0] == "result"
        try:
            result = await function(link, *arguments, *streams)
        except Err as error:
            if not is_result:
                raise
            return ("err", case(gives[1][0][1][1], error.payload)),
        return (("ok", result) if is_result else result),


def case(ty, payload):
    """A case of a variant that has no payload may be given by its name alone."""
    return (payload, None) if ty[0] == "variant" and isinstance(payload, str) else payload


async def serve(provider, launch):
    credentials = {"user_credentials": launch["credentials"]} if launch.get("credentials") else {}
    connection = await nats.connect(launch["nats"], max_reconnect_attempts=-1, **credentials)
    process = Served(connection, launch["lattice"], launch.get("process"))
    target, interfaces = launch["id"], sorted({interface for interface, _ in provider.handlers})
    for (interface, function), (form, handler) in provider.handlers.items():
        process.serve(target, interface, function, form, (interface, form, handler))
    await provider.start(launch.get("config") or {}, pathlib.Path(launch.get("data_dir") or "."))
    await process.start()
    await process.announce(target, interfaces, "ready", generation=launch.get("generation", 0))
    print(f"{target} is ready as {process.id}", file=sys.stderr, flush=True)
    # Whoever started it closes its standard input to stop it.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await process.announce(target, interfaces, "draining", generation=launch.get("generation", 0))
    await asyncio.gather(*process.running.values(), return_exceptions=True)
    await process.retire(target)
    await provider.stop()
    await connection.drain()


def run(provider):
    """Runs a provider until its standard input is closed.

    With arguments it is started by hand: `--nats URL --lattice NAME --id TEAM/APPLICATION/NAME`. Without, the first line of
    its standard input is the launch as JSON, as a host writes it.
    """
    if len(sys.argv) > 1:
        parser = argparse.ArgumentParser()
        parser.add_argument("--nats", default="nats://127.0.0.1:4222")
        parser.add_argument("--lattice", default="default")
        parser.add_argument("--id", required=True)
        parser.add_argument("--data-dir", default=".")
        parser.add_argument("--config", type=json.loads, default={})
        launch = vars(parser.parse_args())
    else:
        launch = {field.replace("-", "_"): value for field, value in json.loads(sys.stdin.readline()).items()}
    asyncio.run(serve(provider, launch))
