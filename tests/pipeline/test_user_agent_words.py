"""The words of the first flask-tracking, against what Werkzeug before 2.1 said."""

from __future__ import annotations

import pytest

from flask_tracking.pipeline.user_agent_words import BROWSERS, PLATFORMS, find_words

# fmt: off
OLD_WORDS = [
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0", "firefox", "windows"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "chrome", "windows"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.87", "edge", "windows"),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", "safari", "macos"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "safari", "iphone"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.108 Mobile/15E148 Safari/604.1", "chrome", "iphone"),
    ("Mozilla/5.0 (iPad; CPU OS 13_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Mobile/15E148 Safari/604.1", "safari", "ipad"),
    ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36", "chrome", "android"),
    ("Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36", "chrome", "android"),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "firefox", "linux"),
    ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36", "chrome", "chromeos"),
    ("Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko", "msie", "windows"),
    ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)", "msie", "windows"),
    ("Opera/9.80 (Windows NT 6.0) Presto/2.12.388 Version/12.14", "opera", "windows"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0", "opera", "windows"),
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "google", None),
    ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "bing", None),
    ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "mozilla", None),
    ("curl/8.5.0", None, None),
    ("python-requests/2.32.3", None, None),
    ("Wget/1.21.4", None, None),
    ("Go-http-client/1.1", None, None),
    ("kube-probe/1.29", None, None),
    ("PostmanRuntime/7.39.0", None, None),
    ("MyApp/42 CFNetwork/1496.0.7 Darwin/23.5.0", None, "macos"),
    ("okhttp/4.12.0", None, None),
    ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A)", None, "android"),
    ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", None, None),
    ("Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.9.1.16) Gecko/20110302 Conkeror/0.9.2", "mozilla", "linux"),
    ("Mozilla/5.0 (compatible; Konqueror/4.5; FreeBSD) KHTML/4.5.4 (like Gecko)", "konqueror", "freebsd"),
    ("Lynx/2.8.9rel.1 libwww-FM/2.14 SSL-MM/1.4.1", "lynx", None),
    ("Mozilla/5.0 (X11; NetBSD amd64; rv:16.0) Gecko/20121102 Firefox/16.0", "firefox", "netbsd"),
    ("Mozilla/5.0 (X11; OpenBSD amd64; rv:28.0) Gecko/20100101 Firefox/28.0", "firefox", "openbsd"),
    ("Mozilla/5.0 (X11; FreeBSD amd64; rv:115.0) Gecko/20100101 Firefox/115.0", "firefox", "freebsd"),
    ("Mozilla/5.0 (X11; DragonFly x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36", "chrome", "dragonflybsd"),
    ("Mozilla/5.0 (X11; SunOS i86pc; rv:31.0) Gecko/20100101 Firefox/31.0", "firefox", "solaris"),
    ("Mozilla/5.0 (X11; U; SunOS sun4u; en-US; rv:1.8.1) Gecko/20061024 Firefox/2.0", "firefox", "solaris"),
    ("Mozilla/5.0 (X11; U; HP-UX 9000/785; en-US; rv:1.7) Gecko/20040617", "mozilla", "linux"),
    ("Mozilla/5.0 (X11; U; AIX 005A471A4C00; en-US; rv:1.0rc2) Gecko/20020514", "mozilla", "linux"),
    ("Mozilla/5.0 (X11; U; IRIX64 IP35; en-US; rv:1.4.3) Gecko/20040909", "mozilla", "linux"),
    ("Opera/9.30 (Nintendo Wii; U; ; 2071; Wii Shop Channel/1.0; en)", "opera", "wii"),
    ("Mozilla/5.0 (BlackBerry; U; BlackBerry 9900; en) AppleWebKit/534.11+ (KHTML, like Gecko) Version/7.1.0.346 Mobile Safari/534.11+", "safari", "blackberry"),
    ("Mozilla/5.0 (PlayBook; U; RIM Tablet OS 2.1.0; en-US) AppleWebKit/536.2+ (KHTML, like Gecko) Version/7.2.1.0 Safari/536.2+", "safari", "blackberry"),
    ("Mozilla/5.0 (SymbianOS/9.2; U; Series60/3.1 NokiaE90-1/07.24.0.3) AppleWebKit/413 (KHTML, like Gecko) Safari/413", "safari", "symbian"),
    ("Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)", "yahoo", None),
    ("msnbot/2.0b (+http://search.msn.com/msnbot.htm)", "msn", None),
    ("Mozilla/2.0 (compatible; Ask Jeeves/Teoma)", "ask", None),
    ("Mozilla/4.0 (compatible; MSIE 7.0; AOL 9.5; Windows NT 6.0)", "aol", "windows"),
    ("Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)", "baidu", None),
    ("Links (2.7; Linux 3.5.0 x86_64; GNU C 4.7.1; text)", "links", "linux"),
    ("Mozilla/5.0 (Macintosh; U; PPC Mac OS X; en) AppleWebKit/125.2 (KHTML, like Gecko) Camino/0.8", "camino", "macos"),
    ("Mozilla/5.0 (X11; U; Linux x86_64; en-US; rv:1.9.1.9) Gecko/20100428 Galeon/2.0.7", "galeon", "linux"),
    ("Mozilla/5.0 (Windows; U; Windows NT 5.1; en-US; rv:1.8.1.21) Gecko/20090331 K-Meleon/1.5.3", "kmeleon", "windows"),
    ("Mozilla/5.0 (Windows; U; Win98; en-US; rv:1.7.2) Gecko/20040805 Netscape/7.2", "netscape", "windows"),
    ("Mozilla/5.0 (X11; Linux i686; rv:29.0) Gecko/20100101 Firefox/29.0 SeaMonkey/2.26", "seamonkey", "linux"),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) epiphany", "webkit", "linux"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15", "safari", "iphone"),
    ("Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0", "firefox", "android"),
    ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36 EdgA/124.0.2478.64", "edge", "android"),
    ("Mozilla/5.0 (Linux; U; Android 4.0.3; de-ch; HTC Sensation Build/IML74K) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30", "safari", "android"),
    ("Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.8.1.13) Gecko/20080325 Iceweasel/2.0.0.13", "firefox", "linux"),
    ("AmigaVoyager/3.2 (AmigaOS/MC680x0)", None, "amiga"),
    ("Mozilla/5.0 (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; IEMobile/10.0; ARM; Touch; NOKIA; Lumia 920)", "msie", "windows"),
    ("Werkzeug/3.1.9", None, None),
    ("HTTPie/3.2.2", None, None),
    ("Mozilla/5.0 (Unknown; SCO_SV 3.2) Gecko", "mozilla", "sco"),
    ("Mozilla/5.0 (iPad; U; CPU OS 4_3 like Mac OS X; en-us) AppleWebKit/533.17.9 (KHTML, like Gecko) Version/5.0.2 Mobile/8F190 Safari/6533.18.5", "safari", "ipad"),
    ("Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.108 Mobile/15E148 Safari/604.1", "chrome", "iphone"),
]
"""Agents, and what Werkzeug 2.0.3 said of their browser and system.

Where it had unlearned what Werkzeug 1.0.1 knew, as Opera 12 and all that only claims to be Mozilla, it
is what that said.
"""
# fmt: on


@pytest.mark.parametrize(("string", "browser", "platform"), OLD_WORDS, ids=lambda one: str(one)[:60])
def test_words_are_those_of_old(string: str, browser: str | None, platform: str | None) -> None:
    """An agent has the word that it always had, and none where it had none."""
    assert find_words(string) == (browser, platform)


def test_every_mark_is_found() -> None:
    """Each mark alone gives its word, unless one above it is within it."""
    for at, table in enumerate((BROWSERS, PLATFORMS)):
        for word, marks in table:
            for mark in marks:
                assert find_words(mark)[at] == word, mark


@pytest.mark.parametrize(
    "string", ["", "curl/8.5.0", "Twinkle", "KAIOS/2.5", "\ud800", "x" * 5000, "\0"]
)
def test_what_has_no_word(string: str) -> None:
    """What nobody had a word for has none, and nothing is too odd to be asked."""
    assert find_words(string) == (None, None)
