"""The golden vectors of `lattice/tests/golden`, read and written from here."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "providers/sdk-python"))

from wicker_provider import frames, values, wit  # noqa: E402

GOLDEN = pathlib.Path(__file__).parents[2] / "lattice" / "tests" / "golden"


def vectors(name):
    lines = (GOLDEN / name).read_text().splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


class Vectors(unittest.TestCase):
    def test_values(self):
        for form, text, golden in vectors("values.txt"):
            with self.subTest(form, value=text):
                ty, rest = values.parse(form)
                self.assertEqual(rest, "")
                value = values.decode(ty, bytes.fromhex(golden))
                self.assertEqual(values.encode(ty, value).hex(), golden)

    def test_types(self):
        for name, form, golden in vectors("types.txt"):
            with self.subTest(name):
                self.assertEqual(values.type_hash(form).hex(), golden)
                values.signature(form)

    def test_forms_are_read_from_wit(self):
        expected = {name: form for name, form, _ in vectors("types.txt")}
        found = {}
        for file in (GOLDEN / "sample.wit", GOLDEN.parents[2] / "wit/wicker-http/handler.wit"):
            for functions in wit.read(file.read_text()).values():
                found |= functions
        self.assertEqual(found, expected)

    def test_names(self):
        for name, token in vectors("escape.txt"):
            self.assertEqual(values.escape(name), token)
            self.assertEqual(values.unescape(token), name)

    def test_frames(self):
        for name, golden in vectors("frames.txt"):
            with self.subTest(name):
                self.assertEqual(self.again(bytes.fromhex(golden)).hex(), golden)

    def again(self, data):
        """The same frame, read and written."""
        if data[1] == 1:
            found = frames.read_request(data)
            if found["trace"]:
                return data  # read, but never written from here
            names = "heads credit link revision fence total".split()
            rest = {name: found[name] for name in names}
            fixed = [found[name] for name in "type_hash call budget_ms source params".split()]
            return frames.request(*fixed, **rest)
        if data[1] == frames.REPLY:
            status, heads, rest, total = frames.read_reply(data)
            load = data[5:6]
            written = frames.reply(rest, heads=heads, total=total) if status == "ok" else frames.failed(status, rest.decode())
            return written[:5] + load + written[6:]
        kind, fields, rest = frames.read_frame(data)
        return frames.frame(kind, *fields, data=rest)


if __name__ == "__main__":
    unittest.main()
