"""The report shows the slowest routes, and all that is needed to send a request again."""

from __future__ import annotations

from flask_tracking.testing.report import RunReport, describe_requests

from .test_recorded import FAILED, make_request

HOST = {"host": "shop.example", "scheme": "https"}


def test_slowest_routes_are_shown() -> None:
    """Routes are in the order of their mean, over all processes; faster ones are only counted."""
    report, other = RunReport(), RunReport()
    for number in range(12):
        report.add([make_request(url_rule=f"/{number}", execution_time=number + 1.0)])
    other.add([make_request(url_rule="/0", execution_time=99.0), make_request(execution_time=None)])
    report.merge(other.as_plain())
    assert report.render() == [
        "mean ms  slowest ms  requests  route",
        "   50.0        99.0         2  GET /0",
        "   12.0        12.0         1  GET /11",
        "   11.0        11.0         1  GET /10",
        "   10.0        10.0         1  GET /9",
        "    9.0         9.0         1  GET /8",
        "    8.0         8.0         1  GET /7",
        "    7.0         7.0         1  GET /6",
        "    6.0         6.0         1  GET /5",
        "    5.0         5.0         1  GET /4",
        "    4.0         4.0         1  GET /3",
        "(2 faster routes)",
    ]


def test_report_in_a_narrow_terminal() -> None:
    """In 40 columns the mean stays, and the route is shortened."""
    report = RunReport()
    report.add([make_request(url_rule="/a/very/long/route/of/the/app", execution_time=12.0)])
    lines = report.render(40)
    assert max(map(len, lines)) <= 40
    assert lines[0].split() == ["mean", "ms", "requests", "route"]


def test_requests_are_described() -> None:
    """The newest requests have their cURL, and the end of the traceback where there is one."""
    old = [make_request(path=f"/old/{number}", **HOST) for number in range(9)]
    lines = describe_requests([*old, make_request(**HOST, request_headers=(("Host", "shop.example"),))])
    assert "\n\nGET /orders:\ncurl \\\n" in lines
    assert "'https://shop.example/orders'" in lines
    assert lines.count("curl") == 5
    assert "\nPOST /pay?a=1:\nTraceback\n" in describe_requests([FAILED])
    assert describe_requests([]) == "none"


def test_commands_that_help_nobody_are_left_out() -> None:
    """What cannot be sent again, or only by a page of escapes, is said in a line."""
    upload = make_request(**HOST, method="POST", request_body=b"\xff" * 9999, request_body_size=9999)
    assert "\nNo cURL: it has 4" in describe_requests([upload])
    assert "\nNo cURL: " in describe_requests([make_request(method=None, path=None)])
