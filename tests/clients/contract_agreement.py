"""Writes requests and what protovalidate finds wrong with them, as JSON lines.

Usage: contract_agreement.py PROTO_DIR

Each line has `message` (its full name), `bytes` (base64) and `violations`: the
path of every violation, once per broken rule. protovalidate reads the same
annotations that Bursar's own checks are generated from. What it does not know
(the structure of google.type.Money and of timestamps) is found here, by a few
lines that are independent of Bursar's. The requests are the same each time.
"""

import base64
import json
import pathlib
import random
import sys
import tempfile
from importlib import resources

from google.protobuf import descriptor_pool
from grpc_tools import protoc

PER_MESSAGE = 14
PACKAGE = "bursar.v1"
LENGTHS = [1, 30, 31, 127, 128, 129, 200, 201, 256, 257, 600, 601, 1000, 1001]
KEYS = ["app", "item-type", "", "with space", 'qu"ote', "back\\slash", "new\nline", "单号", "it's"]
TEXTS = [
    "", "\n", "tab\there", "nul\0", "del\x7f", "c1\x85", "\u2028", "a", "A-1", "-a", ".", "单号",
    "a b", "a/b", "a\n", "platforms/p1/shops/s1", "1", "-1", "12.50", "-12.50", "1.", ".5", "--1",
    "1" * 18, "1" * 19, "-" + "1" * 18 + "." + "2" * 9, "1." + "2" * 10, "1e3", "+1", "١", "CNY",
    "cny", "CN", "CNYX", "CNY\n", "元元元",
]
CURRENCIES = ["", "cny", "CN", "CNYX", "C1Y", "CNY\n", "元元元"]
INTS = [-(2**31), -1, 0, 1, 1000, 1001, 2**31 - 1]
UNITS = [-(2**63), -1, 0, 1, 2**63 - 1]
NANOS = [-(2**31), -(10**9), -999_999_999, -1, 0, 1, 999_999_999, 10**9, 2**31 - 1]
SECONDS = [
    -(2**63), -62_135_596_801, -62_135_596_800, 0, 253_402_207_200, 253_402_207_201, 253_402_300_799,
    253_402_300_800, 2**63 - 1
]


def main():
    protos = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as stubs:
        build_stubs(protos, stubs)
        sys.path.insert(0, stubs)
        for case in cases(protos):
            print(json.dumps(case))


def build_stubs(protos, stubs):
    files = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    # google.protobuf comes with grpcio-tools and, compiled, with the Python
    # runtime; everything else is ours.
    shipped = resources.files("grpc_tools") / "_proto"
    arguments = ["protoc", f"-I{protos}", f"-I{shipped}", f"--python_out={stubs}", *files]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed")


def cases(protos):
    import importlib

    import protovalidate

    pool = descriptor_pool.Default()
    for file in sorted((protos / "bursar" / "v1").glob("*.proto")):
        importlib.import_module(f"bursar.v1.{file.stem}_pb2")
    rules = importlib.import_module("buf.validate.validate_pb2")

    for message in messages(pool, protos):
        # Skipped where an annotation says so, as protovalidate does.
        def ignored(field):
            options = field.GetOptions().Extensions[rules.field]
            return options.repeated.items.ignore == rules.IGNORE_ALWAYS

        found = [path_of(v.proto.field) for v in protovalidate.collect_violations(message)]
        found += structure(message, ignored)
        yield {
            "message": message.DESCRIPTOR.full_name,
            "bytes": base64.b64encode(message.SerializeToString()).decode(),
            "violations": sorted(found),
        }


def messages(pool, protos):
    """Requests: well-formed ones, ones with a few faults, and ones with many."""
    from google.protobuf import message_factory

    names = set()
    for file in sorted((protos / "bursar" / "v1").glob("*.proto")):
        for service in pool.FindFileByName(f"bursar/v1/{file.name}").services_by_name.values():
            names.update(method.input_type.full_name for method in service.methods)
    for name in sorted(names):
        kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        yield kind()
        for number in range(PER_MESSAGE):
            message = kind()
            faults = [0.0, 0.1, 0.3, 0.6][number % 4]
            Filler(random.Random(f"{name} {number}"), faults).fill(message)
            yield message
    yield from edges(pool)


def edges(pool):
    """What chance does not find: the largest lists, maps and documents."""
    from google.protobuf import message_factory

    def new(name, **fields):
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))(
            **fields
        )

    for count in (1000, 1001):
        yield new("BatchAuthorizePayoutsRequest", requests=[{}] * count)
    for size in (1_048_576, 1_048_577):
        yield new("CheckPolicyRequest", yaml="单" * 10 + "x" * (size - 30))
    for count in (20, 21):
        yield new("ListEventsRequest", parent="p", kinds=[1] * count)
    for count in (100, 101):
        shop = new("UpdateShopRequest", shop={})
        for number in range(count):
            shop.shop.facts[f"f{number}"].bool_value = True
        yield shop
    for count in (200, 201):
        shop = new("UpdateShopRequest", shop={})
        shop.shop.facts["items"].list_value.values.extend(["x"] * count)
        yield shop
    # More faults than Bursar lists.
    shop = new("UpdateShopRequest", shop={})
    shop.shop.facts["items"].list_value.values.extend([""] * 150)
    yield shop
    for length in LENGTHS:
        for character in "a单😀\x1f":
            text = character * length
            yield new("CreateFreezeRequest", parent=text, freeze_id=text, request_id=text)
            yield new("CreateShopRequest", parent="p", shop_id="s", shop={"display_name": text})


class Filler:
    """Fills a message, with a fault in about `faults` of the fields."""

    def __init__(self, chance, faults):
        self.chance = chance
        self.faults = faults

    def faulty(self):
        return self.chance.random() < self.faults

    def absent(self):
        return self.chance.random() < self.faults / 4

    def fill(self, message, depth=0):
        name = message.DESCRIPTOR.full_name
        if name == "google.type.Money":
            return self.fill_money(message)
        if name == "google.protobuf.Timestamp":
            message.seconds = self.chance.choice(SECONDS) if self.faulty() else 1_772_416_800
            message.nanos = self.chance.choice(NANOS) if self.faulty() else 0
            return None
        if not name.startswith(PACKAGE):
            return None
        for oneof in message.DESCRIPTOR.oneofs:
            if len(oneof.fields) > 1 and not self.absent():
                self.fill_field(message, self.chance.choice(oneof.fields), depth)
        for field in message.DESCRIPTOR.fields:
            alone = field.containing_oneof is None or len(field.containing_oneof.fields) == 1
            if alone and not self.absent():
                self.fill_field(message, field, depth)
        return None

    def fill_money(self, money):
        money.currency_code = self.chance.choice(CURRENCIES) if self.faulty() else "CNY"
        money.units = self.chance.choice(UNITS) if self.faulty() else 12
        money.nanos = self.chance.choice(NANOS) if self.faulty() else 500_000_000

    def fill_field(self, message, field, depth):
        if field.message_type and field.message_type.GetOptions().map_entry:
            of = field.message_type.fields_by_name["value"]
            for key in self.chance.sample(KEYS, self.chance.randint(0, 3)):
                if of.message_type:
                    entry = getattr(message, field.name)[key]
                    entry.SetInParent()
                    self.fill(entry, depth + 1)
                else:
                    getattr(message, field.name)[key] = self.scalar(of)
        elif field.is_repeated:
            for _ in range(self.chance.randint(1, 3) if depth < 4 else 0):
                if field.message_type:
                    self.fill(getattr(message, field.name).add(), depth + 1)
                else:
                    getattr(message, field.name).append(self.scalar(field))
        elif field.message_type:
            # Policies nest without end; four steps down nothing has rules any more.
            if depth < 6:
                getattr(message, field.name).SetInParent()
                self.fill(getattr(message, field.name), depth + 1)
        else:
            setattr(message, field.name, self.scalar(field))

    def scalar(self, field):
        if field.type == field.TYPE_STRING:
            if self.faulty():
                return self.text()
            return "CNY" if field.name == "currency_code" else "1"
        if field.type == field.TYPE_ENUM:
            defined = [value.number for value in field.enum_type.values]
            return self.chance.choice([0, -1, 99, *defined]) if self.faulty() else defined[-1]
        if field.type == field.TYPE_BOOL:
            return self.chance.random() < 0.5
        return self.chance.choice(INTS) if self.faulty() else 1

    def text(self):
        if self.chance.random() < 0.3:
            return self.chance.choice("a单1") * self.chance.choice(LENGTHS)
        return self.chance.choice(TEXTS)


def structure(message, ignored, path=""):
    """Faults of money and timestamps, which have no annotations."""
    name = message.DESCRIPTOR.full_name
    if name == "google.type.Money":
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        code = message.currency_code
        if len(code) != 3 or any(letter not in letters for letter in code):
            yield f"{path}.currency_code"
        if abs(message.nanos) >= 10**9 or message.units * message.nanos < 0:
            yield f"{path}.nanos"
    elif name == "google.protobuf.Timestamp":
        # The last one is 9999-12-30T22:00:00Z: as late as every zone can say.
        first, last = -62_135_596_800, 253_402_207_200
        if not (first <= message.seconds <= last and 0 <= message.nanos < 10**9):
            yield path
    elif name.startswith(PACKAGE):
        for field, value in message.ListFields():
            if field.message_type is None or ignored(field):
                continue
            at = f"{path}.{field.name}" if path else field.name
            if field.message_type.GetOptions().map_entry:
                if field.message_type.fields_by_name["value"].message_type:
                    for key, entry in value.items():
                        yield from structure(entry, ignored, f"{at}[{quoted(key)}]")
            elif field.is_repeated:
                for index, item in enumerate(value):
                    yield from structure(item, ignored, f"{at}[{index}]")
            else:
                yield from structure(value, ignored, at)


def path_of(field):
    """The written form of a buf.validate.FieldPath."""
    path = ""
    for element in field.elements:
        path += ("." if path else "") + element.field_name
        if element.subscript is not None:
            value = element.subscript.value
            path += f"[{quoted(value) if isinstance(value, str) else value}]"
    return path


def quoted(key):
    escaped = key.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


if __name__ == "__main__":
    main()
