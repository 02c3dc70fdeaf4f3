"""Hostile YAML: scalars for the place of a value, and whole files."""

from kresnet.documents import SPECS

TEXTS = [SPECS.file(name).read_text("utf-8") for name in SPECS.names()]


class Raw(str):
    """Put into the file as it stands, without quotes."""


# What stands in the place of a value.
ODD = [
    *("", "~", "null", "true", "no", "016", "0x10", "0o7", "1_000", "12:30"),
    *("1e-4", "1e400", "-0", "-1", "0", "1.0", ".5", ".nan", ".inf", "-.inf"),
    *("9" * 99, "9" * 101, "-" + "9" * 5_000, "1e99999", "0." + "1" * 300),
    *("[]", "{}", "[[]]", "[{}]", "{a: {}}", "? a", "- a", "|", ">-", "'", '"'),
    *("&a 1", "*a", "&a [*a]", "!!int 3", "!!set {a}", "!x 1", "!!python/none"),
    *("!!python/object/apply:os.system [ls]", "{<<: {a: 1}}", "<<", "%TAG"),
    *("plain", "basic", "A", "bottleneck", "random_crop", "cifar10", "../x"),
    *('"\\0"', '"\\e[31m"', '"\\ud800"', '"\\u202e"', "é", "\x85", "\u2028"),
    *("[" * 30, "{a: " * 30, "#", "@", "`", ",", ":", "---", "...", "\t"),
    *("2026-01-01", "=", "1e", "+1", "--1", "1e-", "\N{ROCKET}", "x" * 300),
]
# Whole files.
CORPUS = [
    *(b"", b"\n", b"#", b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"---", b"..."),
    *(b"\t", b"a:\n\tb: 1", b"null", b"[]", b"{}", b"- a", b"a", b"1", b"? "),
    b"a: &a [x, x]\n" + b"b: &b [*a, *a]\nc: [*b, *b]\n" * 500,
    b"a: &a {x: 1}\n" + b"b:\n  <<: [*a, *a, *a]\n" * 2_000,
    *(b"&a [*a]", b"&a {a: *a}", b"*a", b"<<: *a", b"{<<: [{}, {}]}"),
    *(b"[" * 65_000, b"{a: " * 16_000, b"- " * 32_000, b"? " * 32_000),
    *(b"a: 1\n" * 13_000, b"---\n" * 16_000, b":" * 65_000, b"!" * 65_000),
    *(b"x: " + b"9" * 65_000, b"? " + b"n" * 60_000 + b"\n: 1"),
    *(b'"' + b"\\x41" * 15_000 + b'"', b"'" * 65_000, b'"' * 65_000),
    *(b"%YAML 1.1\n---\na: 1", b"%TAG ! tag:x,2000:\n---\n!a b", b"%" * 99),
    *(b"!!python/object/apply:os.system ['true']", b"!!binary aGk="),
    *(b"a: |\n" + b" x\n" * 20_000, b"a: >9\n x", b"a: |0\n x"),
    *("name: größe".encode("latin-1"), "name: x".encode("utf-16")),
    *("name: x".encode("utf-32"), b"name: \xed\xa0\x80", b"\xc0\x80"),
    *(b"x" * 65_536, b"x" * 65_537, b"#" + b" " * 65_535, b"a" * 65_000 + b":"),
    b"{" + b", ".join(b"k%d: 1" % i for i in range(1_990)) + b"}",
    b"name: [" + b"1, " * 1_990 + b"]",
    TEXTS[0].replace("\n", "\r\n").encode(),
    TEXTS[0].replace("\n", "\r").encode(),
    TEXTS[0].replace("  ", "\t").encode(),
    (TEXTS[0] * 2).encode(),
    (TEXTS[0] + "---\n" + TEXTS[0]).encode(),
    b"\xef\xbb\xbf" + TEXTS[0].encode(),
]
