"""Reads WIT as far as calls need it: the functions of each interface in their canonical form (docs/protocol.md, Type hash)."""

import re

TOKEN = re.compile(r"\s+|//[^\n]*|/\*.*?\*/|(->|%?[A-Za-z][A-Za-z0-9-]*|[0-9][A-Za-z0-9.+-]*|[{}()<>,;:=@./_*])", re.S)
SIMPLE = set("bool u8 u16 u32 u64 s8 s16 s32 s64 f32 f64 char string".split())


class WitError(Exception):
    pass


def key(name):
    """`wasi:keyvalue/store@0.2.3` is `wasi:keyvalue/store@0.2`: the version, cut to what it is compatible with."""
    path, at, version = name.partition("@")
    if not at or "-" in version:
        return name
    major, minor, patch = (version.split("+")[0].split(".") + ["0", "0"])[:3]
    short = major if major != "0" else f"0.{minor}" if minor != "0" else f"0.0.{patch}"
    return f"{path}@{short}"


def read(text):
    """From the text of one package: {interface: {function: canonical form}}, both by the names that calls carry."""
    return Package(text).functions()


class Tokens:
    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise WitError(f"cannot read {text[at:at + 20]!r}")
            if match[1]:
                self.tokens.append(match[1].removeprefix("%"))
            at = match.end()
        self.at = 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def next(self, *expected):
        token = self.peek()
        if token is None or (expected and token not in expected):
            raise WitError(f"found {token!r} where {' or '.join(expected) or 'more'} is expected")
        self.at += 1
        return token

    def skip(self, token):
        if self.peek() == token:
            self.at += 1
            return True
        return False

    def until(self, end):
        """Everything before `end`, which is taken too."""
        taken = []
        while (token := self.next()) != end:
            taken.append(token)
        return taken

    def items(self, close, item):
        found = []
        while not self.skip(close):
            found.append(item())
            if not self.skip(","):
                self.next(close)
                break
        return found


class Package:
    def __init__(self, text):
        self.tokens, self.interfaces, self.name, self.version = Tokens(text), {}, None, ""
        while self.tokens.peek():
            match self.attributes():
                case "package":
                    name = "".join(self.tokens.until(";"))
                    self.name, at, version = name.partition("@")
                    self.version = at + version
                case "interface":
                    name = self.tokens.next()
                    self.interfaces[name] = self.interface()
                case "world":
                    self.tokens.until("{")
                    self.block()
                case "use":
                    self.tokens.until(";")

    def attributes(self):
        """The next word; attributes such as @since(version = 1.0.0) before it are passed over."""
        while self.tokens.skip("@"):
            self.tokens.next()
            if self.tokens.skip("("):
                self.tokens.until(")")
        return self.tokens.next()

    def block(self):
        depth = 1
        while depth:
            token = self.tokens.next()
            depth += (token == "{") - (token == "}")

    def interface(self):
        tokens, types, functions = self.tokens, {}, {}
        tokens.next("{")
        while not tokens.skip("}"):
            word = self.attributes()
            follows = tokens.peek()
            if follows == ":":
                tokens.next(":")
                functions[word] = self.function()
            elif word == "use":
                path = "".join(tokens.until("{")).rstrip(".")
                for name, alias in tokens.items("}", self.used):
                    types[alias] = ("used", path, name)
                tokens.next(";")
            elif word == "type":
                name = tokens.next()
                tokens.next("=")
                types[name] = self.type()
                tokens.next(";")
            elif word == "resource":
                name = tokens.next()
                types[name] = ("resource", self.resource(name, functions))
            else:
                name = tokens.next()
                tokens.next("{")
                types[name] = (word, tokens.items("}", lambda: self.case(word)))
        return types, functions

    def used(self):
        name = self.tokens.next()
        return name, self.tokens.next() if self.tokens.skip("as") else name

    def resource(self, name, functions):
        tokens, handle = self.tokens, lambda kind: (kind, ("name", name))
        if tokens.skip(";"):
            return name
        tokens.next("{")
        while not tokens.skip("}"):
            word = self.attributes()
            if word == "constructor":
                params = self.params()
                result = self.type() if tokens.skip("->") else handle("own")
                functions[f"[constructor]{name}"] = params, result
                tokens.next(";")
                continue
            tokens.next(":")
            is_static = tokens.skip("static")
            params, result = self.function()
            if not is_static:
                params = [("self", handle("borrow")), *params]
            functions[f"[{'static' if is_static else 'method'}]{name}.{word}"] = params, result
        return name

    def case(self, word):
        name = self.attributes()
        if word == "record":
            self.tokens.next(":")
            return name, self.type()
        payload = None
        if word == "variant" and self.tokens.skip("("):
            payload = self.type()
            self.tokens.next(")")
        return name, payload

    def function(self):
        self.tokens.skip("async")
        self.tokens.next("func")
        params = self.params()
        result = self.type() if self.tokens.skip("->") else None
        self.tokens.next(";")
        return params, result

    def params(self):
        self.tokens.next("(")
        return self.tokens.items(")", lambda: (self.tokens.next(), self.tokens.next(":") and self.type()))

    def type(self):
        word = self.tokens.next()
        if word == "_":
            return ("_",)
        if word in SIMPLE:
            return (word,)
        if self.tokens.skip("<"):
            return word, self.tokens.items(">", self.type)
        return ("result", []) if word == "result" else ("name", word)

    # Canonical forms.

    def functions(self):
        found = {}
        for interface, (_, functions) in self.interfaces.items():
            name = key(f"{self.name}/{interface}{self.version}")
            found[name] = {each: self.form(interface, *parts) for each, parts in functions.items()}
        return found

    def form(self, interface, params, result):
        params = "".join(f"{name}:{self.print(interface, ty)}," for name, ty in params)
        return f"func({params})" + (f"->{self.print(interface, result)}" if result else "")

    def print(self, interface, ty):
        word, *rest = ty
        match word:
            case "name":
                return self.named(interface, rest[0])
            case "own" | "borrow":
                inner = rest[0][0] if isinstance(rest[0], list) else rest[0]
                return f"{word}<{self.resource_of(interface, inner[1])}>"
            case "tuple":
                return "tuple{" + "".join(f"{self.print(interface, each)}," for each in rest[0]) + "}"
            case "result":
                ok, error = (rest[0] + [("_",)] * 2)[:2]
                return f"result<{self.print(interface, ok)},{self.print(interface, error)}>"
            case "record":
                return "record{" + "".join(f"{name}:{self.print(interface, ty)}," for name, ty in rest[0]) + "}"
            case "variant" | "enum" | "flags":
                cases = (f"{name}({self.print(interface, ty)})," if ty else f"{name}," for name, ty in rest[0])
                return word + "{" + "".join(cases) + "}"
            case _ if rest:
                return f"{word}<{','.join(self.print(interface, each) for each in rest[0])}>"
        return word

    def find(self, interface, name):
        """Where a type is defined, and as what."""
        types = self.interfaces[interface][0]
        if name not in types:
            raise WitError(f"no type is called {name} in {interface}")
        word, *rest = types[name]
        if word != "used":
            return interface, types[name]
        if rest[0] not in self.interfaces:
            raise WitError(f"{rest[0]} is another package's: give its text, too")
        return self.find(rest[0], rest[1])

    def named(self, interface, name):
        where, ty = self.find(interface, name)
        if ty[0] == "resource":
            return f"own<{self.name}/{where}#{ty[1]}>"
        return self.print(where, ty)

    def resource_of(self, interface, name):
        where, ty = self.find(interface, name)
        return f"{self.name}/{where}#{ty[1]}"
