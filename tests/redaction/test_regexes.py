"""Every named pattern of redaction, with an example of what it is for and a near miss."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

import pytest

from flask_tracking import redaction
from flask_tracking.redaction.parsers.beside import PHRASES, Phrase

PATTERNS: dict[str, tuple[str, str]] = {
    "custom_patterns._TOKEN": ("(?:a", ""),
    "custom_patterns._KNOWN_ESCAPES": (r"\d", r"\Z"),
    "custom_patterns._KNOWN_IN_SETS": (r"\d", r"\b"),
    "custom_patterns._KNOWN_GROUPS": ("(?:", "(?="),
    "custom_patterns._AMBIGUOUS": ("a[:b", "a:b"),
    "custom_patterns._GLOBAL_FLAGS": ("(?i)", "(?i:"),
    "validators._ESCAPED_REST": ("%2Fab", "/ab"),
    "validators._CARD_WORD": ("visa: 4", "revisal"),
    "validators._GROUPS": ("17", "x"),
    "validators._RUN": ("abcdefghi1", "gsk_some_name"),
    "validators._CLUSTERS": ("qkxzvt", "lengths"),
    "validators._LETTER": ("x", "1"),
    "validators._SMALL": ("x", "X"),
    "validators._CAPITAL": ("X", "x"),
    "validators._SIGNATURE": ("aB-_1", ".aB"),
    "validators._NAMED": ("sha256-", "sha-"),
    "validators._CARD_GROUPS": ("4111 1111 1111 1111", "41 11 1111 1111 1111"),
    "validators._CARD_START": ("4111-1111-1111-1", "4111-1111 1111-1"),
    "validators._TRACK": ("=27121010", "=2712"),
    "validators._CARD_RUN": ("411111111111", "1234567890123456"),
    "validators._NEXT_CARD": (" 4111", " 1111"),
    "validators._DIGITS": ("4111 11", "x"),
    "validators._IBAN_START": ("DE89 37", "xDE89 37"),
    "validators._CAPITALS": ("DE89 37", "de"),
    "detector._HEAD": ("[0-9a-f]{32}-us", "[0-9a-f]-us"),
    "long_runs._STRETCH": ("aB1+/%2F", '"'),
    "long_runs._RUN": ("aB1%2Fx", '"'),
    "long_runs._BREAK": (r"\r\n", "rn"),
    "long_runs._LAST_LINE_END": ('="', " password"),
    "long_runs._NAME_END": ('": 1', '", 1'),
    "long_runs._PADDING": ("%3D=", "%2F"),
    "long_runs._ESCAPED": ("%2F", "%20"),
    "long_runs._STRINGS": ("sixteen letters.", "fifteen letters"),
    "names._SEAMS": ("newPassword", "_-"),
    "names._LEFT_OUT": ("pass\u00adword", "pass-word"),
    "values._OPAQUE": ("x7Kq2mW9pLz4Tb8v", "x7Kq2mW9 pLz4Tb8v"),
    "values._SEED_PHRASE": ("tea " * 11 + "tea", "tea " * 12 + "tea"),
    "values._NO_TOKEN": ("#ff00aa", "123456"),
    "values._LENGTH": ("mindestens 8 Zeichen", "acht Zeichen"),
    "values._PLACEHOLDER": ("required|min:8", "x7Kq2|min"),
    "values._IDEOGRAPHS": ("密", "é"),
    "values._SENTENCE_END": ("كلمة؟", "كلمة"),
    "values._ORIGIN": ("https://example.org/a", "ftp://example.org/a"),
    "values._HARMLESS_RUN": ("2024-05-01T10:00:00Z", "2024-05-011"),
    "values._NOTICE": ("必須項目です", "密碼"),
    "values._REFERENCE": ("see #12", "x#12"),
    "values._PLAIN": ("x7Kq2mW9pLz4Tb8v", "XXXX-XXXX-XXXX-4242"),
    "values._SLUG": ("errors.tokenExpired2", "x7Kq2"),
    "values._UUID": ("8c5e8a4e-0b7a-4c39-9a41-0f1fbb1bd4f5", "8c5e8a4e-0b7a"),
    "values._DIGEST": ("views/0123456789abcdef0123456789abcdef", "k0123456789abcdef0123456789abcdef"),
    "values._NAME_PARTS": ("page-1", "-"),
    "values._NAME_WORD": ("checkoutPage", "aXbYc"),
    "values._EXPRESSION": ("form.password2.value", "form-password2"),
    "values._COOKIES": ("session=x7Kq; theme=dark", "session=x7; theme"),
    "values._CODE": ("367 591", "367-59"),
    "values._MIXED": ("x7Kq2!", "x7 Kq2!"),
    "values._WORD": ("d'Ada", "7"),
    "values._JOINTS": ("a-b", "ab"),
    "values._CONSONANTS": ("qkxzt", "backs"),
    "values._VOWEL": ("SALE", "XYZ"),
    "vendors._LINE": ("acme  acme_,acm_  w16  Acme keys", "acme  acme_, acm_  w16  Acme keys"),
    "python._OPEN_REPEAT": ("a{2,}", "a{2,3}"),
    "headers._COOKIE_NAME": ("theme", "7up"),
    "headers._PAIRS": ("a=1; b=2", "a=1;b=2"),
    "headers._PAIR_VALUE": ("a=1", "a="),
    "headers._PIECE": (" theme=dark;", " ; "),
    "headers._ATTRIBUTE_VALUE": ("Thu, 01 Jan 2026", "a=b"),
    "markers.MARKS": ("[redacted ...1111]", "[redacted by hand]"),
    "markers.SCHEME": ("Bearer X", "bearers X"),
    "markers._MARKED": ("Bearer [Filtered], ***", "[Filtered] x"),
    "body._FILE_MARK": ("[file, 17 bytes]", "[file]"),
    "body._NUMBER": ("1.5e+16", "1.5f16"),
    "encoded.PERCENT": ("%2F", "%2"),
    "encoded._JSON_ESCAPE": (r"\ud83d\ude00", "ud83d"),
    "encoded._RUN": ("a%2Fb", "<>"),
    "encoded._BASE64_RUN": ("cGFzc3dvcmQ6IHg3S3Ey", "cGFzc3dvcmQ6"),
    "encoded._BASE64_TEXT": ("cGFzc3dvcmQ6IHg3", "x7Kq2mW9pLz4Tb8v"),
    "form._LOGIN_FIELD": ("user[email]=", "estate="),
    "form._ADDRESS_FIELD": ("user[city]=", "capacity="),
    "form._LOGIN_PATH": ("/auth/verify", "/verifiers"),
    "form._CODE_IN_FORM": ("code=4829", "code=20240501"),
    "form._CODE_IN_QUERY": ("code=482913", "code=4829"),
    "form._HAS_ESCAPED_NAME": ("user%5Bpassword%5D=X", "a=%41"),
    "json_shapes._TOKEN": ('"a":', ", "),
    "json_shapes._OPERATOR": ('"="', '"X"'),
    "json_shapes._KEY_BEFORE": ('"name": ', '"name", '),
    "json_shapes._CARD_KEY": ("card_number", "order_number"),
    "json_shapes._CARD_NUMBER": ('"4111 1111 1111 1111"', '"17"'),
    "json_shapes._LOGIN_KEY": ("user_email", "address"),
    "json_text._PAIR": ('{"token": "X",', '{"token": "X\\"",'),
    "json_text._BARE_VALUE": ("-1.5e7", "x1"),
    "json_text._BARE": ("true", '"'),
    "json_text._ESCAPE": (r"\n", "n"),
    "json_text._TOO_SHORT": ("Ada Lovelace"[:11], "password: x7Kq"),
    "json_text._COLON": (" : ", ","),
    "json_text._SPACE": (" \t", "\n"),
    "json_text._PLURAL": ("secrets", "pass"),
    "markup._TAG": ("<token>", "< token>"),
    "markup._NAME_ATTRIBUTE": ('name="password"', 'surname="X"'),
    "markup._VALUE_ATTRIBUTE": ("value='X'", "values='X'"),
    "markup._CONTENT": ("<![CDATA[X]]>", "<b>"),
    "markup._CHILD": (" <token>", "X <token>"),
    "markup._LEAF": ("<value>X</", "<value></"),
    "markup._PASSWORD_INPUT": ('type="password"', 'type="text"'),
    "json_text._CERTAIN": ("x7Kq2", "min:8"),
    "markup._NAMED_ELEMENT": ("<name>password</name><value>X", "<name>password</name><p>X"),
    "multipart._BOUNDARY": ("boundary=b", "boundary"),
    "multipart._GAP": ("\r\n\r\n", "\r\n"),
    "multipart._FIELD_NAME": ('; name="a"', '; filename="a"'),
    "multipart._FILE_NAME": ("filename*=", "name="),
    "table._MARKDOWN": ("| user | password |\n|---|---|", "a || b\nc"),
    "table._CSV": ("user,password\n", "Password, please.\n"),
    "table._LINE": ("\nada,X", "ada,X"),
    "table._HTML_ROW": ("<tr><td>X", "<track>"),
    "table._HTML_CELL": ("<td><code>X", "<tr>X"),
    "table._SECRET": ("kind: Secret", "kind: SecretList"),
    "table._MANIFEST": ("data:\n  a: X\n", "data: X\n"),
    "table._ITEM": ("  a: X", "a: X"),
    "table._INSERT": ("INSERT INTO t (a) VALUES (", "INSERT INTO t VALUES ("),
    "table._POSTGRES_KEY": ("Key (user_id, token)=(5, X)", "Key(token)=(X)"),
    "table._VALUES": (", (1, 'X')", ", 1"),
    "table._VALUE": ("'it''s'", "it's"),
    "table._FAILING_ROW": ("Failing row contains (5, ada)", "Failing row contains 5"),
    "table._PARAMETERS": ("[parameters: ('X',)]", "[parameters: none"),
    "table._BOUND": ('"user".api_key = ?', "api_key = other"),
    "text._SEPARATOR": ("a: b", "a::b"),
    "text._NOT_A_NAME": (" ", "user[password]"),
    "text._NOT_IN_PHRASES": ("<p>", "Secret key"),
    "text._ASIDE": (" (old)", "(old) x"),
    "text._GAP": ('=>  string(9) "', "x"),
    "text._NAME_QUOTE": ("%27", "%20"),
    "text._ARTICLE": ("The ", "Then "),
    "text._QUOTE": ("&quot;", "&amp;"),
    "text._OPENING": ('"--password', '" --password'),
    "text._QUERY_END": ("#", "+"),
    "text._VALUE_END": (", user: ", ", please"),
    "text._ESCAPED_END": ("%0A", "%20"),
    "text._STRUCTURE": ("Field(", "Field ("),
    "text._DIGEST": ('Digest username="ada"', "Digest of a file"),
    "text._LITERAL": ("$p)", "$p4ss"),
    "text._SAID": ("x7Kq2m (for guests)", "tea (for guests)"),
    "text._FURTHER": (' "x7Kq2m"', " x7"),
    "text._PLAIN_WORD": ("value", "value2"),
    "text._TYPE": ("String!): AuthPayload", "x7Kq2 mW9p"),
    "text._TAGS": ("</b> <i>", "<script>"),
    "text._URN": ("arn:aws:secret", "arn: secret"),
    "text._FIRST": ("X y", " y"),
    "text._STRING": ("'X'", "'X"),
    "text._BEHIND_MARK": (" \n", "x"),
    "text._BELOW": (" |-", "x"),
    "text._LINE": ("\n  X", "  X"),
    "text._PAIR_LINE": ("- name: X", "- X"),
    "text._CODE_NUMBER": (" is: 367591", " of: 2024"),
    "record_redaction._WORD": ("a-b", "-_"),
    "record_redaction._SAFE_KEY": ("api_key", "a b"),
    "replacement._UNSAFE": ('"', "[redacted]"),
    "tree._TOKEN": ('"a"', ", "),
}
"""By module and name: an example, and a near miss."""
PHRASE_EXAMPLES = (
    ("Duplicate entry 'X' for key 'users.api_token'", "Duplicate entry 'X' for key users"),
    ("constraint 'UQ_token'. The duplicate key value is (X).", "The duplicate key value is (X)."),
    (
        "password\n  Too short [type=string_too_short, input_value='X', input_type=str]",
        "password\n  Too short [type=string_too_short, input_type=str]",
    ),
    ('"password" with value "X" fails', '"password" with "X" fails'),
    ("Invalid value 'X' for field 'password'", "'X' for 'password'"),
    ("--password X", "--password -h"),
    ("('password', 'X'", "('password': 'X'"),
    ("name: DB_PASSWORD\nvalue: X", "name: DB_PASSWORD\ntype: X"),
    ("Your code is 367591", "Your code was sent"),
    ("Use 367591 to sign in", "367591 is a login code"),
    ("Path `password` (`x7Kq2`) is shorter", "Path password (x7Kq2) is shorter"),
    ("user: ada, pass: x7Kq2m", "user: ada, passes: x7Kq2m"),
    ("with password x7Kq2m", "password x7Kq2m"),
    ("Set password for ada to x7Kq2m", "set password to hidden"),
    ("invalid password 'x7Kq2m'", "invalid password 'x7'"),
    ("Incorrect API key x7Kq2mW9pLz4Tb8vNc3R", "Incorrect API key x7Kq2mW9"),
)
"""The same for each phrase, in their order."""


def modules() -> Iterator[ModuleType]:
    """Import the modules of redaction."""
    for found in pkgutil.walk_packages(redaction.__path__, f"{redaction.__name__}."):
        yield importlib.import_module(found.name)


def assigned(module: ModuleType) -> set[str]:
    """Return the names that a module assigns itself."""
    body = ast.parse(inspect.getsource(module)).body
    targets = [target for one in body if isinstance(one, ast.Assign) for target in one.targets]
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}


FOUND = {
    f"{module.__name__.rpartition('.')[2]}.{name}": (module, vars(module)[name])
    for module in modules()
    for name in assigned(module)
    if isinstance(vars(module)[name], re.Pattern)
}


def find(
    module: ModuleType, name: str, pattern: re.Pattern[str] | re.Pattern[bytes], text: str
) -> bool:
    """Tell whether the pattern finds something in a text, in the way that its module looks for it."""
    ways = set(re.findall(rf"\b{name}\.(fullmatch|match|search)\b", inspect.getsource(module)))
    way = ways.pop() if len(ways) == 1 else "search"
    found = getattr(pattern, way)(text.encode() if isinstance(pattern.pattern, bytes) else text)
    return found is not None and (way == "fullmatch" or found.end() > found.start())


@pytest.mark.parametrize(("phrase", "examples"), list(zip(PHRASES, PHRASE_EXAMPLES, strict=True)))
def test_example_and_near_miss_of_a_phrase(phrase: Phrase, examples: tuple[str, str]) -> None:
    """A phrase is found in its example, with its mark, and not in the near miss."""
    found = [phrase.pattern.search(text.encode()) is not None for text in examples]
    assert found == [True, False]
    assert phrase.mark in examples[0].lower().encode()


def test_every_pattern_is_listed() -> None:
    """A new pattern needs its example and its near miss; one that is gone leaves none behind."""
    assert FOUND.keys() == PATTERNS.keys()


@pytest.mark.repeats
@pytest.mark.parametrize("name", PATTERNS)
def test_example_and_near_miss(name: str) -> None:
    """A pattern finds its example, and not the near miss."""
    module, pattern = FOUND[name]
    example, near_miss = PATTERNS[name]
    assert find(module, name.rpartition(".")[2], pattern, example)
    assert not find(module, name.rpartition(".")[2], pattern, near_miss)
