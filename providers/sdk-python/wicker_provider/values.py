"""Names, types and values of lattice RPC v1, after docs/protocol.md and nothing else.

A type is its canonical form, as text. A value is: bool, int, float, str; bytes for list<u8> and for the token of a handle;
list, tuple; dict for a record; (case, payload) for a variant or result; str for an enum; set for flags; None or the value
for an option; the index of a stream.
"""

import hashlib
import re
import struct

SIGNED = ("s16", "s32", "s64")
SHORT = {":": "_c", "/": "_s", ".": "_d", "@": "_v", "[": "_b", "]": "_e", "*": "_a", "_": "__"}


def escape(name):
    return re.sub(r"[^A-Za-z0-9-]", lambda m: SHORT.get(m[0]) or f"_x{ord(m[0]):x}_", name)


def unescape(token):
    named = {short: c for c, short in SHORT.items()}
    return re.sub(r"_(x([0-9a-f]+)_|.)", lambda m: chr(int(m[2], 16)) if m[2] else named[m[0]], token)


def type_hash(function):
    return hashlib.sha256(function.encode()).digest()[:8]


def parse(text):
    """The type at the front of `text`, and what follows it: (word, items), an item being a type or (name, type)."""
    (word, rest), items = re.match(r"([A-Za-z0-9_-]+)(.*)", text).groups(), []
    if word in ("own", "borrow"):
        return ("handle", []), rest.split(">", 1)[1]
    if not rest or rest[0] not in "<{(":
        return (word, items), rest
    close = {"<": ">", "{": "}", "(": ")"}[rest[0]]
    rest = rest[1:]
    while rest[0] != close:
        name = None
        if word in ("record", "variant", "enum", "flags", "func"):
            name, rest = re.match(r"([A-Za-z0-9-]+)(.*)", rest).groups()
        if name and rest[0] not in ":(":
            items.append((name, None))
        else:
            opened = rest[0] if name else ""
            inner, rest = parse(rest.removeprefix(opened))
            rest = rest.removeprefix(")") if opened == "(" else rest
            items.append((name, inner) if name else inner)
        rest = rest.removeprefix(",")
    return (word, items), rest[1:]


def signature(function):
    """The types of the parameters and of the result (a tuple of one or none)."""
    (_, params), rest = parse(function)
    return ("tuple", [ty for _, ty in params]), ("tuple", [parse(rest[2:])[0]] if rest else [])


def leb(value, is_signed=False):
    out = bytearray()
    while not (-64 <= value < 64 if is_signed else value < 128):
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value & 127]))


def cases(word, items):
    return list(zip(("ok", "err"), items)) if word == "result" else items


def encode(ty, value):
    word, items = ty
    match word:
        case "_": return b""
        case "bool" | "u8" | "s8": return bytes([int(value) & 255])
        case "u16" | "u32" | "u64" | "s16" | "s32" | "s64" | "stream": return leb(value, word in SIGNED)
        case "f32" | "f64": return struct.pack("<f" if word == "f32" else "<d", value)
        case "char": return value.encode()
        case "string": return leb(len(value.encode())) + value.encode()
        case "handle": return leb(len(value) + 1) + b"\0" + value
        case "list" if items[0][0] == "u8": return leb(len(value)) + bytes(value)
        case "list": return leb(len(value)) + b"".join(encode(items[0], each) for each in value)
        case "record": return b"".join(encode(ty, value[name]) for name, ty in items)
        case "tuple": return b"".join(encode(ty, each) for ty, each in zip(items, value))
        case "option": return b"\0" if value is None else b"\1" + encode(items[0], value)
        case "flags":
            bits = sum(1 << index for index, (name, _) in enumerate(items) if name in value)
            return bits.to_bytes((len(items) + 7) // 8, "little")
        case _:
            name, payload = (value, None) if word == "enum" else value
            known = dict(cases(word, items))
            return leb(list(known).index(name)) + (encode(known[name], payload) if known[name] else b"")


class Reader:
    """Takes things from the front of bytes; raises where they are not what they should be."""

    def __init__(self, data):
        self.data = bytes(data)

    def take(self, count):
        if count > len(self.data):
            raise ValueError("cut off")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def unpack(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def leb(self, is_signed=False):
        value, shift, byte = 0, 0, 128
        while byte >= 128:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
        return value - (1 << shift) if is_signed and byte & 64 else value

    def value(self, ty):
        word, items = ty
        match word:
            case "_": return None
            case "bool": return bool(self.take(1)[0])
            case "u8" | "s8": return self.unpack("B" if word == "u8" else "b")[0]
            case "u16" | "u32" | "u64" | "s16" | "s32" | "s64" | "stream": return self.leb(word in SIGNED)
            case "f32" | "f64": return self.unpack("f" if word == "f32" else "d")[0]
            case "char":
                first = self.take(1)
                more = sum(first[0] >= least for least in (0xC0, 0xE0, 0xF0))
                return (first + self.take(more)).decode()
            case "string": return self.take(self.leb()).decode()
            case "handle": return self.take(self.leb())[1:]
            case "list" if items[0][0] == "u8": return self.take(self.leb())
            case "list": return [self.value(items[0]) for _ in range(self.leb())]
            case "record": return {name: self.value(ty) for name, ty in items}
            case "tuple": return tuple(self.value(ty) for ty in items)
            case "option": return self.value(items[0]) if self.take(1)[0] else None
            case "flags":
                bits = int.from_bytes(self.take((len(items) + 7) // 8), "little")
                return {name for index, (name, _) in enumerate(items) if bits >> index & 1}
            case _:
                name, inner = cases(word, items)[self.leb()]
                return name if word == "enum" else (name, self.value(inner) if inner else None)


def decode(ty, data):
    reader = Reader(data)
    value = reader.value(ty)
    if reader.data:
        raise ValueError("bytes after the value")
    return value
