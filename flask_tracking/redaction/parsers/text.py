"""Find the secrets in any text: known formats, and values behind sensitive names.

The input need not be well-formed. The parser goes from one ``:`` or ``=`` to the next, looks left for a
name and right for a value. A value ends at its quote on that line, at the next pair, or with the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote_to_bytes

from ..detection.names import Strength
from ..detection.values import VALUE_KEYS, Around, is_inherited_secret, is_secret, weigh_key
from ..engines.base import Range
from ..findings import Finding, Ranges, merge
from ..markers import MARKS, SCHEME
from .beside import find_beside
from .context import Context
from .encoded import find_base64, find_escaped
from .markup import find_in_markup
from .table import find_in_tables

MAX_NAME_BYTES = 200
"""How far to the left of a separator its name is looked for."""
MAX_BETWEEN = 3  # words between a name and its separator
MAX_JUDGED = 1000
"""Bytes of a value that are looked at to tell whether it is a secret."""
WORK_TO_JUDGE, WORK_IN_STRUCTURES = 8, 4
"""Readings that it costs to judge a value, and to find the end of a structure and the strings in it."""
_SEPARATOR = re.compile(
    rb"(?<!:):(?!:)|=|(?<=[\s\\\]\"'])->|\xe2[\x86\x87]\x92|\xef\xbc\x9a|(?<=[\w\x80-\xff])\t(?=[^\s:=|-])|"
    rb"[ ]\xe2\x80[\x93\x94][ ]|[ +](?i:eq|ne|in|like)[ +](?=\(?\\*[\"'])|"
    rb"%3[AaDd]|\\(?:u00|x)3[AaDd]|&#(?:0*(?:58|61)|[xX]0*3[AaDd]);|"
    + "(?:是|为|為|は|는|은|คือ)".encode()
    + rb"(?=[^\w\s]{0,6}[ ]?[!-~]{4})"
)
"""``:``, ``=``, arrows, dashes, a tab, ``eq`` and the like, and ``is`` in languages without blanks."""
_NOT_A_NAME = re.compile(rb"""[^0-9A-Za-z_.$%\[\]\-\\\x80-\xff]+""")
_NOT_IN_PHRASES = re.compile(rb"[^\w\x80-\xff \t+.'/-]")  # <p>Secret key: is two words
_ASIDE = re.compile(
    rb"(?:[ \t]\([^()]{0,60}\)|"
    rb"[ \t](?:for|FOR|pour|para|per|voor|f\xc3[\xb6\xbc]r)(?:[ \t][\w@.+'%\x80-\xff-]{1,60}){1,2}|"
    rb"(?:[ \t](?:is|was|are|provided|supplied|given|"
    rb"es|est|ist|lautet|er|jest|to|adalah|je|"
    + "on|ta|este|è|é|är|е|је|είναι|σας|mới|là".encode()
    + rb")){1,2})[ \t]*\Z"
)
"""Between a name and its separator: ``password (old):``, ``token for ada:``, ``ditt lösenord är:``."""
_GAP = re.compile(
    rb"""(?:(?:"[\w\\]{1,60}":)?(?:protected|private)\])?"""
    rb"""[ ]?[>=]{0,3}(?:\s{0,60}string\([0-9]{1,9}\)[ ](?=")|"""
    rb"(?:[ \t]|%20|\+(?=[^&]))*)"
    rb"(?:(?:(?<=:)|(?<=:[ ]))[A-Za-z][\w.\[\]|, ]{0,60}?[ \t]*=[ \t]+)?"
)
"""Blanks, a type as in ``: str = ``, and the output of PHP's ``var_dump``: ``=>  string(9) "X"``."""
_NAME_ENDS = b" \t\r\n\"'`\\]!?+~*"
"""Between a name and ``=``: its own quote, ``**`` of Markdown, or a part of ``!=``."""
_NAME_QUOTE = re.compile(rb"(?:%(?:2[27]|5[Dd])|&quot;|&#(?:34|39|x2[27]);|</[0-9a-z]+>)+\Z")
"""The same where it is escaped, or the end of a tag: ``<b>Password</b>:``."""
_ARTICLE = re.compile(rb"(?:\A|\W)(?:the|a|an|no|this|that|any)[ \t+]+\Z", re.I)
"""Before a name that stands in a sentence: ``The secret: practice``."""
_QUOTE = re.compile(rb"""(\\*)(["'`]|&quot;|&#(?:34|39|x2[27]);|%2[27])""")
_OPENING = re.compile(rb"""["'`<(][^\s"'`<>()]*\Z""")  # "--password=; not " --password=
_CLOSING = {b"<": b">", b"(": b")"}
_QUERY_END = re.compile(rb"""[\s"'`<>&#]""")
_PAIR = rb"""[0-9A-Za-z_.\-\[\]]{1,60}\\*["']?[ \t]*[:=](?!=)"""
_VALUE_END = re.compile(
    rb"""[\r\n]|(?:[,;\f\v]|(?<![ \t])[ \t]|\\[rn]|%0[AaDd])[ \t]*\\*["']?"""
    + _PAIR
    + rb"""|&(?:amp;)?[^&=\s"'<>]{1,100}=|</[A-Za-z]|[ ]--[a-z]"""
)
"""The end of the line, the next pair or option of a command, or a closing tag."""
_ESCAPED_END = re.compile(rb"%0[AaDd]|" + _VALUE_END.pattern)
"""The same behind a percent-encoded separator: the end of the line is encoded, too."""
_NESTED = rb"[^()\[\]{}]*"
for _ in range(4):
    _NESTED = rb"(?:[^()\[\]{}]|[(\[{]%b[)\]}])*" % _NESTED
_STRUCTURE = re.compile(
    rb"([A-Za-z_][\w.]{0,60}\(|[{\[(])"
    rb"((?:'[^'\\\n]*'|\"[^\"\\\n]*\"|[^()\[\]{}]|[(\[{]%b[)\]}])*)(?:[)\]}]|\Z)?" % _NESTED
)
"""``{'old': 'X'}``, ``Field(default='X')``."""
_STRING = re.compile(rb"""(?<!\\)\\*(["'])((?:\\*(?!\1)[^\\\r\n])*)\\*\1(\s{0,9}(?::|=>))?""")
"""A string in a structure; where the last group is, a key: ``{'old': 'X'}``."""
_DIGEST = re.compile(rb"[Dd]igest[ \t]+([^\r\n]*=[^\r\n]*)")
"""``Digest username="ada", response="X"``: all of it up to the end of the line."""
_LITERAL = re.compile(
    rb"(?:undefined|null|None|nil|true|false|True|False|[0-9]{1,2})(?:[^\w]|\Z)|<(?:input|select|textarea|button)\b|"
    rb"(?:\?|%s|\$[0-9]{1,3})(?:[\s,;)]|\Z)|\$[A-Za-z_]\w*(?:\)|,\s?\w+:\s?\$)"
)
"""A placeholder of a value: also ``$1`` of SQL, and ``$p)`` of GraphQL."""
_SAID = re.compile(
    rb"([0-9]{4,8})[.!][ \t]+(?=[A-Z])|"
    rb"(?=[^\s]*[0-9])(?=[^\s]*[A-Za-z])(?:(?<==)([^\s\"']+?)[,;]?[ \t]+"
    rb"(?:after|at|by|for|from|in|is|of|on|to|was|with)[ \t]|([^\s\"']+)[ \t]+\([A-Za-z])"
)
"""A code and more: ``367591. It expires``, ``x7Kq2m (new)``; behind ``=`` also ``x7Kq2m for ada``."""
_FURTHER = re.compile(rb"[ \t]*\\*[\"'`]?((?![\w.+-]+@[\w-]+\.)[^\s\"'`<>]{6,})")
"""The value behind a name with more words in it, ``Client secret value: X``, and no address."""
_PLAIN_WORD = re.compile(rb"[A-Za-z\x80-\xff]{1,30}")
_TYPE = re.compile(rb"([A-Za-z][\w-]*)[,;:)\]}.!?]{1,6}(?:\s.*)?", re.S)
"""``String!): AuthPayload``, ``password)``."""
_TAGS = re.compile(
    rb"(?:\s{0,9}</?(?:b|strong|em|i|u|code|span|label|th|td|dt|dd|kbd|samp|tt|br)(?:\s[^<>]{0,200})?>)+\s{0,9}"
)
"""Between a name and its value in a page: ``<b>Password:</b> X``."""
_URN = re.compile(rb"\b(?:arn|urn):[^\s&?]*\Z")  # arn:aws:secret:; not arn: secret:
_FIRST = re.compile(rb"[^\s]*")
_BELOW = re.compile(rb"[ \t]*[|>]?[+-]?[ \t]*")
"""Behind a name whose value is on the next lines, as in YAML."""
_LINE = re.compile(rb"(?:\r\n?|\n|\\r\\n|\\n)([ \t]*)((?:[^\r\n\\]|\\(?![rn]))*)")
_PAIR_LINE = re.compile(rb"""(?:- )?\\*["']?(%b)""" % _PAIR)  # - name: X; not - X
_CODE_NUMBER = re.compile(
    rb"(?:[ ][A-Za-z\x80-\xff]{2,14}){0,3}(?:[^0-9A-Za-z\r\n<]|</?[a-z][^<>]{0,200}>){1,12}"
    rb"(?!(?:19|20)[0-9]{2}\b)"
    rb"((?:[A-Z]-)?[0-9]{4,8}|[0-9]{3}[ -][0-9]{3})(?![0-9]|[.:/-][0-9]|[ ](?:second|minute|hour|day)s)"
)
"""Behind ``verification code`` in any language: `` is 367591``, and not `` of 2024``."""
_BEHIND_MARK = re.compile(rb"""[ \t]*(?:[\r\n)\]}>\\"'`<]|\Z)|[ \t]+\(""")


def find_in_text(
    data: bytes, hits: Sequence[Range], context: Context, *, is_markup: bool = False
) -> list[Finding]:
    """Find the secrets in a text of which little is known; with `is_markup` it is HTML or XML."""
    found = context.find(data)
    for _ in found:
        context.budget.count()
    found += _find_pairs(data, hits, context)
    found += _find_codes(data, hits, context)
    found += find_beside(data, context)
    found += find_in_tables(data, context)
    found += find_in_markup(data, Ranges(hits), context, is_markup=is_markup)
    if not context.is_inner:
        found += [*find_escaped(data, _find_within, context), *find_base64(data, _find_within, context)]
    return merge(found)


def _find_within(data: bytes, context: Context) -> list[Finding]:
    return find_in_text(data, context.detector.scan(data), context)


def _find_pairs(data: bytes, hits: Iterable[Range], context: Context) -> Iterable[Finding]:
    """Find ``name: value`` and ``name=value``."""
    done = 0
    for at, after in _find_separators(data, hits):
        context.budget.count()
        if at < done:
            continue
        name, strength = _weigh_name(data, at, context)
        if strength > Strength.NONE:
            for start, end in _find_value(data, name, after, strength, context):
                yield Finding(start, end, "name")
                done = end
        elif (strength := _weigh_further(data, at, context)) and (value := _FURTHER.match(data, after)):
            text = value[1].rstrip(b".,;:!?")
            context.budget.spend(WORK_TO_JUDGE * len(text))
            if is_inherited_secret(strength, unquote_to_bytes(text[:MAX_JUDGED])):
                yield Finding(value.start(1), value.start(1) + len(text), "name")


def _find_codes(data: bytes, hits: Iterable[Range], context: Context) -> Iterable[Finding]:
    """Find short numbers behind words for a code."""
    for start, end in hits:
        number = _CODE_NUMBER.match(data, end)
        if number is not None and context.detector.names.is_code(_words(data[start:end])):
            yield Finding(*number.span(1), "name")


def _words(text: bytes) -> list[str]:
    return text.decode("utf-8", "replace").split()


def _find_separators(data: bytes, hits: Iterable[Range]) -> Iterable[Range]:
    """Find the separators of possibly sensitive names: within a hit, and the next one."""
    at = 0
    for start, end in sorted(hits):
        for match in _SEPARATOR.finditer(data, max(start, at)):
            at = match.end()
            yield match.span()
            if match.start() >= end:
                break
        else:
            return


def _weigh_name(data: bytes, at: int, context: Context) -> tuple[int, Strength]:
    """Return where the name before a separator begins, and its strength."""
    begin = max(0, at - MAX_NAME_BYTES)
    window = data[begin:at]
    found = _weigh_ending(window, context)
    if not found[1] and (aside := _ASIDE.search(window)):
        found = _weigh_ending(window[: aside.start()], context)
    return begin + found[0], found[1]


def _weigh_further(data: bytes, at: int, context: Context) -> Strength:
    """Weigh a strong name with words between it and the separator: ``API key to sign in:``."""
    window = _NOT_IN_PHRASES.split(data[max(0, at - MAX_NAME_BYTES) : at])[-1]
    for _ in range(MAX_BETWEEN):
        window, _, word = window.rstrip().rpartition(b" ")
        is_about = len(word) > 2 and context.detector.names.is_about(word.decode("utf-8", "replace"))
        if is_about or not _PLAIN_WORD.fullmatch(word):
            break
        if (strength := _weigh_ending(window, context)[1]) >= Strength.MADE:
            return strength
    return Strength.NONE


def _weigh_ending(window: bytes, context: Context) -> tuple[int, Strength]:
    """Return where the name begins with which a text ends, and its strength."""
    names = context.detector.names
    window = _NAME_QUOTE.sub(b"", window.rstrip(_NAME_ENDS)).rstrip(_NAME_ENDS)
    name = _NOT_A_NAME.split(window)[-1]
    start = len(window) - len(name)
    if b"%" in name:  # user%5Bpassword%5D; of %22token%22%3A1%2C%22team only the last
        name = _NOT_A_NAME.split(unquote_to_bytes(name).rstrip(_NAME_ENDS))[-1]
    strength = context.strength(name)
    if _URN.search(window):
        return start, Strength.NONE
    if strength < Strength.STRONG:
        words = _words(_NOT_IN_PHRASES.split(window)[-1])
        if strength is Strength.VAGUE:
            strength = names.strength_within("".join(words[-2:-1]), name.decode("latin-1"))
        strength = max(strength, names.strength_of_ending(words))
    elif strength is Strength.STRONG and (
        name[-1:] in b"sS" or _ARTICLE.search(window, max(0, start - 20), start)
    ):
        strength = Strength.TOKEN  # ``Passwords: best practices``
    return start, strength


def _find_value(
    data: bytes, name: int, after: int, strength: Strength, context: Context
) -> Iterable[Range]:
    """Find the value behind a separator: all of it, its strings, or nothing of it."""

    def judge(start: int, end: int, *, is_loose: bool = False) -> Iterable[Range]:
        value = data[start : min(end, start + MAX_JUDGED)]
        context.budget.spend(WORK_TO_JUDGE * len(value))
        value = unquote_to_bytes(value) if b"%" in value else value
        # A plus may be a blank.
        ways = {value, value.replace(b"+", b" ")} if strength >= Strength.TOKEN else {value}
        if all(is_secret(strength, way, is_loose=is_loose, is_prose=True) for way in ways):
            yield start, end

    start = _GAP.match(data, after).end()  # type: ignore[union-attr] # it matches nothing, too
    if tags := _TAGS.match(data, start):
        end = data.find(b"<", tags.end())
        yield from judge(tags.end(), len(data) if end < 0 else end)
        return
    if (quote := _QUOTE.match(data, start)) and (end := _find_quote(data, quote)):
        context.budget.spend(end - start)
        yield from judge(quote.end(), end)
        return
    if _LITERAL.match(data, start) or _is_marked_at(data, start):
        return
    if digest := _DIGEST.match(data, start):
        yield digest.span(1)
        return
    if structure := _STRUCTURE.match(data, start):
        context.budget.spend(WORK_IN_STRUCTURES * len(structure[0]))
        strings = list(_STRING.finditer(data, *structure.span(2)))
        if strings or len(structure[1]) > 1 or b":" in structure[2]:
            for value in _values_of(strings, strength, context):
                yield from judge(*value, is_loose=True)
            return
    end = _find_end(data, name, after, start)
    context.budget.spend(end - start)
    if strength <= Strength.TOKEN:
        end = _cut_sentence(data, start, end)
    said = _TYPE.fullmatch(data, start, end)
    if said is None or is_secret(strength, said[1]):
        yield from list(judge(start, end)) or _judge_first(data, start, end, strength)


def _values_of(strings: list[re.Match[bytes]], strength: Strength, context: Context) -> Iterable[Range]:
    """Return where the values of a structure stand, but not those about a secret: ``{'type': X}``."""
    near = name = Around(strength=strength)
    for string in strings:
        if string[3] is not None:
            near = weigh_key(context.detector.names, string[2].decode("latin-1"), name)
        elif near.is_secret(string[2], is_loose=True):
            yield string.span(2)


def _judge_first(data: bytes, start: int, end: int, strength: Strength) -> Iterable[Range]:
    """Find a secret that a sentence follows: ``Your code is: 367591. It expires soon.``"""
    word = _FIRST.match(data, start, min(end, start + MAX_JUDGED))
    first = word[0].rstrip(b".,;:!?")  # type: ignore[index] # it matches nothing, too
    text = unquote_to_bytes(first)
    if is_secret(min(strength, Strength.CODE), text) or is_inherited_secret(strength, text):
        yield start, start + len(first)


def _cut_sentence(data: bytes, start: int, end: int) -> int:
    """Return the end of the first word: a token has no blanks, but maybe a scheme before it."""
    at = _FIRST.match(data, start, end).end()  # type: ignore[union-attr] # it matches nothing, too
    is_before = _BELOW.fullmatch(data, start, at) or SCHEME.match(data, start, end)
    return end if is_before else at - data.endswith((b";", b","), start, at)


def _is_marked_at(data: bytes, start: int) -> bool:
    """Tell whether a marker stands there, and nothing behind it that belongs to it."""
    mark = MARKS.match(data, start)
    return mark is not None and _BEHIND_MARK.match(data, mark.end()) is not None


def _find_quote(data: bytes, quote: re.Match[bytes]) -> int:
    """Return where the string ends that `quote` begins, 0 if it does not end on its line."""
    # Each enclosing string adds backslashes, and fewer end it; two marks are one, as in SQL.
    mark, escapes = re.escape(quote[2]), len(quote[1])
    edge = re.compile(rb"[\r\n]|\\n|%b%b|(?<!\\)(\\{0,%d}%b)" % (mark, mark, escapes, mark))
    for one in edge.finditer(data, quote.end()):
        if one[1] or one[0][-1:] in b"\rn\n":
            return one.start() if one[1] else 0
    return len(data)


def _find_end(data: bytes, name: int, after: int, start: int) -> int:
    """Return where a value without quotes ends: with the quotes or brackets around it, or the line."""
    end_pattern = _ESCAPED_END if data[after - 3 : after - 2] == b"%" else _VALUE_END
    following = end_pattern.search(data, start)
    end = len(data) if following is None else following.start()
    if said := _SAID.match(data, start, end):
        return said.end(said.lastindex or 0)
    if _BELOW.fullmatch(data, start, end):
        return _find_below(data, start, end)
    if data[name - 1 : name] in (b"?", b"&", b";") and (stop := _QUERY_END.search(data, start, end)):
        end = stop.start()
    opening = _OPENING.search(data, max(0, name - MAX_NAME_BYTES), name)
    if opening is not None and (start == after or len(opening[0]) == 1):
        mark = _CLOSING.get(opening[0][:1], opening[0][:1])
        closing = re.compile(re.escape(mark) + rb"(?![0-9A-Za-z])").search(data, start, end)
        end = end if closing is None else closing.start()  # not in a word: 'password: it's'
    return end


def _find_below(data: bytes, start: int, end: int) -> int:
    """Return the end of a value that is on the lines below its name, or `end`."""
    before = data[data.rfind(b"\n", max(0, start - MAX_NAME_BYTES), start) + 1 : start]
    indent, at = len(before) - len(before.lstrip(b" \t")), end
    while line := _LINE.match(data, at):
        at = line.end()
        if line[2].strip():
            pair = _PAIR_LINE.match(line[2])
            if len(line[1]) <= indent or pair and line[2].partition(b":")[0].decode() not in VALUE_KEYS:
                break
            end = at
    return end
