"""Scan patterns of anything that may hide a name or a token: escapes, base64, odd grammars."""

from __future__ import annotations

from ..engines.base import NOT_ASCII, TOKEN, ScanPattern

_CHARACTERS = (
    r"\xc2[\xaa\xad\xba]|\xc4[\xb2\xb3\xbf]|\xc5[\x80\x89\xbf]|\xc7[\x84-\x8c\xb1-\xb3]|\xca[\xb0-\xb8]|"
    r"\xcb[\xa1-\xa3]|\xcd\x8f|\xd8\x9c|"
    r"\xe1(?:\x85[\x9f\xa0]|\x9e[\xb4\xb5]|\xa0[\x8b-\x8e]|[\xb4-\xb6][\x80-\xbf]|\xba\x9a)|"
    r"\xe2(?:\x80[\x8b-\x8f\xaa-\xae]|\x81[\xa0-\xb9\xbf]|\x82[\x80-\x9c\xa8]|[\x84\x85\x91-\x93][\x80-\xbf]|"
    r"\xb1[\xbc\xbd])|\xe3[\x89-\x8b\x8d-\x8f][\x80-\xbf]|\xea\x9f[\xb2-\xb4]|"
    r"\xef(?:\xac[\x80-\x86]|\xb8[\x80-\x8f]|\xbb\xbf|\xbc[\xa1-\xba]|\xbd[\x81-\x9a]|\xbf[\xb9-\xbb])|"
    r"\xf0(?:\x90\x9e\xa5|\x9d[\x90-\x9f][\x80-\xbf]|\x9f[\x84-\x86][\x80-\xbf])"
)
"""Characters that are left out of a name, or are a letter of ASCII in another dress."""
_CHARACTER_ESCAPES = (
    r"\\u(?:00(?:00|[2-7]|a[ad]|ba)|01[3478cf]|02[be]|034f|061c|11[56]|17b|180|1d[2-9ab]|1e9a|"
    r"20(?:[06-9]|2[a-e]|a8)|21[0-8]|24[6-9a-e]|2c7|32[5bc]|33|a7f|fb0|fe[0f]|ff[2-5f]|d801|d835|d83c\\udd)"
)
BASE64_TEXT = r"(?:[CDI-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][0-9A-Za-z+/_-]){4}"
"""Base64 of twelve bytes of ASCII: one in ten thousand other tokens looks like it."""
BASE64_JSON = r"(?:eyJ|eyI|eyA|ewo|ewk|ew0|W3s|WyJ)[0-9A-Za-z+/_-]{12}"
"""Base64 of how JSON begins: ``{"``, ``[{"``, a line end."""
ESCAPED = (
    ScanPattern(_CHARACTER_ESCAPES, ("\\u",), any_case=True),
    ScanPattern(r"\\/", ("\\/",)),
    ScanPattern(r"%[0-9a-f]{2}", ("%",), any_case=True),
    ScanPattern(_CHARACTERS, (), needs=NOT_ASCII),
    ScanPattern(BASE64_JSON, ("ey", "ew", "W3s", "WyJ"), needs=TOKEN),
    ScanPattern(BASE64_TEXT, (), needs=TOKEN),
    ScanPattern(
        r"(?:^|[^0-9a-z_-])--[a-z][0-9a-z_.-]{1,60}(?:[ \t+]|\\*[\"'],)", ("--",), any_case=True
    ),
    ScanPattern(r"insert\s{1,9}into\s[^(;]{1,100}\([^()]*\)\s{0,9}values", ("insert",), any_case=True),
    ScanPattern(r"\[parameters: ", ("[parameters: ",)),
    ScanPattern(
        r"Failing row contains|Duplicate entry \\*'|\)=\(|duplicate key value is \(|, input_value=",
        ("Failing row", "Duplicate entry", ")=(", "duplicate key value is", ", input_value="),
    ),
    ScanPattern(
        r"[0-9]{4,8}(?: (?:to (?:sign in|log in|verify|confirm)|is your )|"
        r"\+(?:to\+(?:sign\+in|log\+in|verify|confirm)|is\+your\+))",
        ("to sign", "to log", "to verify", "to confirm", " is your ", "+to+", "+is+your+"),
        any_case=True,
    ),
    ScanPattern(
        r'"(?:sensitive|masked|secured|is_?secret)"\s*:\s*true',
        ("sensitive", "masked", "secured", "secret"),
        any_case=True,
    ),
    ScanPattern(r'"kty\\{0,3}"', ('"kty',)),
    ScanPattern(r"&lt;[0-9a-z_:.-]{1,60}[^<>&]{0,60}&gt;", ("&lt;",), any_case=True),
)
"""They may hide a name or a token from the scan, and are decoded where they are found."""
ANY_ESCAPE = ScanPattern(r"\\[\"\\bfnrtu]", ("\\",))
"""Hides custom patterns and names: these may contain any character."""
