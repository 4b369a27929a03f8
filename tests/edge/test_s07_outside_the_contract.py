"""S7 and S9: methods, paths and types outside the contract get a documented status, and no answer says more than it.

`answers_in` checks S9 for every answer of this folder: known headers only, no body but the echo's, no banner.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ringback_testing.public_port import DOCUMENTED, QUERY, PublicPort, body, item
from ringback_testing.webhook import post

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "SEARCH", "MKCOL", "LINK")
UNKNOWN_METHODS = ("BREW", "post", "P0ST", "POSTS")
PATHS = (
    *("/", "/graph", "/graph/", "/graph/notifications/", "//graph/notifications", "/GRAPH/NOTIFICATIONS"),
    *("/graph/emergency", "/graph/notifications/x", "/graph/./notifications", "/graph/x/../notifications"),
    *("/graph%2fnotifications", "/graph/notifications%00", "/graph/notifications;a", "/graph/notifications%3F"),
    *("/metrics", "/livez", "/readyz", "/healthz", "/docs", "/openapi.json", "/favicon.ico", "/.env", "/.git/HEAD"),
    *("/server-status", "/actuator/env", "http://h/graph/notifications", "*"),
)
TYPES = (
    *("", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
    *("application/jsonp", "application/json+x", "application/xml", "application/json, text/html", "*/*"),
    *("application/cloudevents+json", "a" * 8000),
)


@pytest.mark.parametrize("path", ["/graph/notifications", "/graph/lifecycle"])
@pytest.mark.parametrize("method", METHODS)
async def test_another_method_is_405_and_names_the_one_there_is(unharmed: PublicPort, method: str, path: str) -> None:
    """On both addresses, with a genuine body behind it, of which nothing is taken."""
    data = post(body(item("method")), path=f"{path}?{QUERY}").replace(b"POST", method.encode(), 1)
    (answer,) = await unharmed.exchange(data)
    assert (answer.status, answer.headers[b"allow"]) == (405, b"POST")
    assert "method" not in await unharmed.produced()


@pytest.mark.parametrize("method", UNKNOWN_METHODS)
async def test_a_method_that_is_none_is_400(unharmed: PublicPort, method: str) -> None:
    """What HTTP does not know is no request."""
    data = post(body(item("method"))).replace(b"POST", method.encode(), 1)
    assert [answer.status for answer in await unharmed.exchange(data)] == [400]


@pytest.mark.parametrize("path", PATHS)
async def test_another_path_is_404_however_it_is_spelt(unharmed: PublicPort, path: str) -> None:
    """Paths are compared as they are: nothing is decoded, joined or folded; what is no target at all is 400."""
    (answer,) = await unharmed.exchange(post(body(item("path")), path=f"{path}?{QUERY}"))
    assert answer.status in {404, 400}
    assert "path" not in await unharmed.produced()


@pytest.mark.parametrize("content_type", TYPES)
async def test_another_content_type_is_415(unharmed: PublicPort, content_type: str) -> None:
    """JSON under another name is not looked at."""
    data = post(body(item("type"))).replace(b"application/json", content_type.encode(), 1)
    (answer,) = await unharmed.exchange(data)
    assert answer.status == 415
    assert "type" not in await unharmed.produced()


TOKENS = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30)


def _request(method: str, path: str, query: str, headers: list[tuple[str, str]], content: bytes) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{method} {path}?{query} HTTP/1.1\r\n{fields}\r\n".encode("latin-1") + content


REQUESTS = st.builds(
    _request,
    st.sampled_from(["POST", "GET", "PUT"]) | TOKENS,
    st.sampled_from(["/graph/notifications", "/graph/lifecycle", "/graph/"]) | TOKENS,
    st.just(QUERY) | st.just("validationToken=a") | TOKENS,
    st.lists(
        st.tuples(
            st.sampled_from(["Content-Type", "Content-Length", "Transfer-Encoding", "Expect", "Connection", "Upgrade"]),
            st.sampled_from(["application/json", "0", "7", "chunked", "100-continue", "close", "x"]) | TOKENS,
        ),
        max_size=6,
    ),
    st.binary(max_size=40),
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=REQUESTS)
async def test_no_request_gets_an_undocumented_answer(webhook: PublicPort, data: bytes) -> None:
    """Anything that looks a little like a request: a documented status or a closed connection, never an exception."""
    assert {answer.status for answer in await webhook.exchange(data)} <= DOCUMENTED
