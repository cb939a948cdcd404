"""Every page and state that the browser opens; a new page is one line."""

from __future__ import annotations

from flask_tracking.dashboard.statistics.failures import make_id
from flask_tracking.rollups.rollup import FailureKey

from .records import BARE, BINARY, FAILED, GONE, HOSTILE, HOSTILE_METHOD, STREAM

DECLINED = FailureKey("shop.pay.CardDeclined", "/srv/shop/pay.py", "charge", "/checkout")
STATES = {
    "overview": "/",
    "overview with a filter": "/?q=status:5xx",
    "requests": "/requests",
    "requests, live": "/requests?live=1&q=status:4xx",
    "requests, older": "/requests?q=method:get&after=1-000000000000000000000000",
    "requests, filtered": "/requests?q=status:4xx&from=24h",
    "requests, none match": "/requests?q=status:404+user:nobody",
    "requests, wrong filter": "/requests?q=status:9+slow:&from=yesterday",
    "request that failed": f"/requests/{FAILED}?q=user:acme:42",
    "request, a stream": f"/requests/{STREAM}",
    "request, almost empty": f"/requests/{BARE}",
    "request of bytes": f"/requests/{BINARY}",
    "request, all that is newer": f"/newer/4102444800000-{BARE}",
    "related requests": f"/requests/{FAILED}/related?q=user:acme:42",
    "request that is gone": f"/requests/{GONE}",
    "routes": "/routes",
    "route that got slower": "/route?rule=/checkout&method=POST",
    "route, compared with a day": "/route?rule=/items/<int:id>&method=GET&vs=day",
    "route that is unknown": "/route?rule=/nothing&method=GET",
    "errors": "/errors",
    "error": f"/errors/{make_id(DECLINED)}",
    "error that is unknown": "/errors/0123456789abcdef",
    "shared": "/shared?of=slow",
    "shared, too few": "/shared?of=failed&q=status:404",
    "compare versions": "/compare?a=version:2.4.0&b=version:2.4.1",
    "compare times": "/compare?a=2h/1h&b=1h/0s",
    "compare requests": f"/compare?a={FAILED}&b={STREAM}&all=1",
    "compare nothing": "/compare",
    "mark another request": f"/requests?mark={FAILED}&q=user:acme:42",
    "health": "/health",
}
"""Of an app with traffic, below the prefix of its dashboard."""
OTHERS = {
    "overview, no record yet": "/empty/_tracking/",
    "requests, no record yet": "/empty/_tracking/requests",
    "routes, no record yet": "/empty/_tracking/routes",
    "overview, store down": "/down/_tracking/",
    "requests, store down": "/down/_tracking/requests",
    "health, store down": "/down/_tracking/health",
    "hostile overview": "/hostile/_tracking/",
    "hostile list": "/hostile/_tracking/requests",
    "hostile errors": "/hostile/_tracking/errors",
    "hostile shared": "/hostile/_tracking/shared?of=failed",
    "hostile method": f"/hostile/_tracking/requests/{HOSTILE_METHOD}",
    "hostile, wide": f"/hostile/_tracking/requests/{HOSTILE['wide']}",
    "hostile, handler": f"/hostile/_tracking/requests/{HOSTILE['handler']}",
}
"""Of other apps."""
PAGES = {**{name: f"/shop/_tracking{path}" for name, path in STATES.items()}, **OTHERS}
