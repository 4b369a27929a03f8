"""Which next links get our token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_graph.links import HostileLink, checked_link, checked_page, sample_token
from yarl import URL

GRAPH = "https://graph.microsoft.com"

FRIENDLY = [
    f"{GRAPH}/v1.0/communications/callRecords/1/sessions?$expand=segments&$skiptoken=abc",
    f"{GRAPH}/beta/communications/callRecords/1/sessions?$skiptoken=abc%3D%3D",
    f"{GRAPH}/v1.0/communications/callRecords('e523d2ed')/participants_v2?%24skiptoken=a/b?c@d",
    f"{GRAPH}/v1.0/communications/callRecords/getPstnCalls(fromDateTime=2019-11-01,toDateTime=2019-12-01)?$skip=1000",
    "HTTPS://GRAPH.microsoft.com/v1.0/subscriptions?$skiptoken=x",
    f"{GRAPH}/v1.0/subscriptions?$skiptoken=..%2F..%2Fetc",
    f"{GRAPH}/v1.0/communications/callRecords('teamsvisitor%3Aab%40c%C3%BC')/sessions?$skiptoken=abc",
]

HOSTILE: list[object] = [
    None,
    5,
    "",
    [],
    {"href": GRAPH},
    "/v1.0/communications/callRecords",
    "v1.0/communications/callRecords",
    "//graph.microsoft.com/v1.0/a",
    "?$skiptoken=a",
    "http://graph.microsoft.com/v1.0/a",
    "ftp://graph.microsoft.com/v1.0/a",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https:graph.microsoft.com/v1.0/a",
    "https:/graph.microsoft.com/v1.0/a",
    "https:///graph.microsoft.com/v1.0/a",
    "https://evil.test/v1.0/a",
    "https://graph.microsoft.com.evil.test/v1.0/a",
    "https://evilgraph.microsoft.com/v1.0/a",
    "https://graph.microsoft.us/v1.0/a",
    "https://graph.microsoft.co/v1.0/a",
    "https://graph.microsoft.com./v1.0/a",
    "https://graph.microsoft.com:443/v1.0/a",
    "https://graph.microsoft.com:8443/v1.0/a",
    "https://graph.microsoft.com:/v1.0/a",
    "https://graph.microsoft.com@evil.test/v1.0/a",
    "https://user@graph.microsoft.com/v1.0/a",
    "https://user:word@graph.microsoft.com/v1.0/a",
    "https://@graph.microsoft.com/v1.0/a",
    "https://graph.microsoft.com:443@evil.test/v1.0/a",
    "https://graph.microsoft.com\\@evil.test/v1.0/a",
    "https://evil.test\\graph.microsoft.com/v1.0/a",
    "https:\\\\graph.microsoft.com\\v1.0\\a",
    "https://graph.microsoft.com%2eevil.test/v1.0/a",
    "https://graph%2emicrosoft.com/v1.0/a",
    "https://graph。microsoft。com/v1.0/a",
    "https://gr\u0430ph.microsoft.com/v1.0/a",
    "https://[::1]/v1.0/a",
    "https://127.0.0.1/v1.0/a",
    "https://169.254.169.254/v1.0/a",
    "https://2130706433/v1.0/a",
    f"{GRAPH}",
    f"{GRAPH}/",
    f"{GRAPH}/v1.0",
    f"{GRAPH}/v1.0/",
    f"{GRAPH}/v2.0/a",
    f"{GRAPH}/V1.0/a",
    f"{GRAPH}/v1.0x/a",
    f"{GRAPH}/xv1.0/a",
    f"{GRAPH}//v1.0/a",
    f"{GRAPH}/v1.0//a",
    f"{GRAPH}/v1.0/../oauth",
    f"{GRAPH}/v1.0/./a",
    f"{GRAPH}/v1.0/a/..",
    f"{GRAPH}/v1.0/.../a",
    f"{GRAPH}/v1.0/%2e%2e/a",
    f"{GRAPH}/v1.0/.%2E/a",
    f"{GRAPH}/v1.0/a%2f..%2fb",
    f"{GRAPH}/v1.0/a%5cb",
    f"{GRAPH}/v1.0/a%252f",
    f"{GRAPH}/v1.0/a%",
    f"{GRAPH}/v1.0/a%zz",
    f"{GRAPH}/v1.0/a%00",
    f"{GRAPH}/v1.0/a%0d%0aHost:evil",
    f"{GRAPH}/v1.0/..;/a",
    f"{GRAPH}/v1.0/..%3b/a",
    f"{GRAPH}/v1.0/%c0%ae%c0%ae/a",
    f"{GRAPH}/v1.0/a%c0%af..",
    f"{GRAPH}/v1.0/a%ff",
    f"{GRAPH}/v1.0/a b",
    f"{GRAPH}/v1.0/a\tb",
    f"{GRAPH}/v1.0/a\r\nHost: evil.test",
    f"{GRAPH}/v1.0/a\n",
    f" {GRAPH}/v1.0/a",
    f"{GRAPH}/v1.0/a\x00",
    f"{GRAPH}/v1.0/a#b",
    f"{GRAPH}/v1.0/$metadata",
    f"{GRAPH}/v1.0/$metadata#communications/callRecords('1')/sessions?$expand=segments&$skiptoken=abc",
    f"{GRAPH}/v1.0/%24metadata",
    f"{GRAPH}/v1.0/$METADATA/a",
    f"{GRAPH}/v1.0/" + "a" * 9000,
]


@pytest.mark.parametrize("link", FRIENDLY)
def test_graph_s_own_links_are_followed_as_they_are(link: str) -> None:
    """A next link is opaque: what passes comes back unchanged."""
    assert checked_link(link, GRAPH) == link


@pytest.mark.parametrize("link", HOSTILE)
def test_any_other_link_is_refused_without_being_repeated(link: object) -> None:
    """Foreign hosts, tricks of encoding, the documentation's malformed samples: none gets our token or into a log."""
    with pytest.raises(HostileLink) as refused:
        checked_link(link, GRAPH)
    assert len(str(refused.value)) < 50


CALL = "e523d2ed-2966-4b6b-925b-754a88034cc5"
OTHER = "e523d2ed-2966-4b6b-925b-754a88034cc6"
RECORDS = f"{GRAPH}/v1.0/communications/callRecords"


@pytest.mark.parametrize(
    ("link", "call_id"),
    [
        (f"{RECORDS}('{CALL}')/sessions?$expand=segments&$skiptoken=abc", CALL),
        (f"{RECORDS}/{CALL}/sessions?$skiptoken=abc", CALL),
        (f"{RECORDS}/{CALL.upper()}/participants_v2?$skiptoken=abc", CALL),
        (f"{RECORDS}(%27{CALL}%27)/sessions('{OTHER}')/segments?$skiptoken=abc", CALL.upper()),
        (f"{RECORDS}(id='{CALL}')/sessions?$skiptoken=abc", CALL),
        (f"{RECORDS}/{CALL}?$expand=sessions&$skiptoken=abc", CALL),
        (f"{GRAPH}/beta/communications/callrecords/{CALL}/sessions", CALL),
        (f"{RECORDS}('odd%3Aid')/sessions", "odd:id"),
        (f"{RECORDS}('it''s')/sessions", "it's"),
    ],
)
def test_a_page_of_the_record_itself_is_followed_in_either_form(link: str, call_id: str) -> None:
    """Key or segment, escaped or not, in any case."""
    assert checked_page(link, GRAPH, call_id) == link


@pytest.mark.parametrize(
    "link",
    [
        f"{RECORDS}('{OTHER}')/sessions?$skiptoken=abc",
        f"{RECORDS}/{OTHER}/sessions",
        f"{RECORDS}/{OTHER}/sessions('{CALL}')/segments",
        f"{RECORDS}/{OTHER}/sessions?id={CALL}",
        f"{RECORDS}/{CALL}x/sessions",
        f"{RECORDS}('{CALL}''{OTHER}')/sessions",
        f"{RECORDS}?$skiptoken=abc",
        f"{RECORDS}/getPstnCalls(fromDateTime=2019-11-01,toDateTime=2019-12-01)?$skip=1000",
        f"{GRAPH}/v1.0/users/{CALL}/messages",
        f"{GRAPH}/v1.0/x/communications/callRecords/{CALL}/sessions",
        f"{GRAPH}/v1.0/communications/calls/{CALL}",
    ],
)
def test_a_page_of_anything_else_is_refused(link: str) -> None:
    """Another record, or another path of Graph's own host, gets no request."""
    assert checked_link(link, GRAPH) == link
    with pytest.raises(HostileLink) as refused:
        checked_page(link, GRAPH, CALL)
    assert refused.value.why == "record"


def test_a_configured_port_must_be_there() -> None:
    """The simulator's host has a port; the same host without it or with another is foreign."""
    here = "https://localhost:8443"
    assert checked_link(f"{here}/v1.0/a", here) == f"{here}/v1.0/a"
    for link in ("https://localhost/v1.0/a", "https://localhost:84430/v1.0/a", "https://localhost:844/v1.0/a"):
        with pytest.raises(HostileLink):
            checked_link(link, here)


@given(st.text(max_size=60), st.sampled_from(["", "https://", GRAPH, f"{GRAPH}/v1.0/"]))
def test_what_passes_the_guard_goes_to_graph(tail: str, head: str) -> None:
    """Whatever the text: if it passes, the library that sends it sees Graph's own host and scheme."""
    try:
        link = checked_link(head + tail, GRAPH)
    except HostileLink:
        return
    seen = URL(link, encoded=True)
    assert (seen.scheme, seen.host, seen.port, seen.user) == ("https", "graph.microsoft.com", 443, None)
    assert seen.raw_path.startswith(("/v1.0/", "/beta/"))


SAMPLE = f"{GRAPH}/v1.0/$metadata#communications/callRecords('{CALL}')"


@pytest.mark.parametrize(
    ("link", "member", "token"),
    [
        (f"{SAMPLE}/sessions?$expand=segments&$skiptoken=abc", "sessions", "abc"),
        (f"{SAMPLE}/participants_v2?$skiptoken=abc", "participants_v2", "abc"),
        (f"{SAMPLE}/sessions?$skiptoken=%2b%2fYQ%3d&$expand=segments", "sessions", "%2b%2fYQ%3d"),
        (f"{SAMPLE.replace(CALL, CALL.upper())}/sessions?$skiptoken=abc", "sessions", "abc"),
        (f"{SAMPLE.replace('$', '%24')}/sessions?%24skiptoken=abc", "sessions", None),
        (f"{SAMPLE}/sessions?$skiptoken=abc", "participants_v2", None),
        (f"{SAMPLE}/participants_v2?$skiptoken=abc", "sessions", None),
        (f"{SAMPLE}/sessions?$skiptoken=abc", "segments", None),
        (f"{SAMPLE}/sessions('s')/segments?$skiptoken=abc", "segments", None),
        (f"{SAMPLE.replace(CALL, OTHER)}/sessions?$skiptoken=abc", "sessions", None),
        (f"{SAMPLE}/sessions?$expand=segments", "sessions", None),
        (f"{SAMPLE}/sessions?$skiptoken=", "sessions", None),
        (f"{SAMPLE}/sessions?$skiptoken=a&$skiptoken=b", "sessions", None),
        (f"{SAMPLE}/sessions?$skiptoken=a#b", "sessions", None),
        (f"{SAMPLE}/sessions?$skiptoken=a b", "sessions", None),
        (f"{SAMPLE}/sessions?$skiptoken=a\n", "sessions", None),
        (f"{SAMPLE}/sessions?$skiptoken={'a' * 9000}", "sessions", None),
        (SAMPLE.replace("graph.microsoft.com", "evil.test") + "/sessions?$skiptoken=a", "sessions", None),
        (
            SAMPLE.replace("graph.microsoft.com", "graph.microsoft.com.evil.test") + "/sessions?$skiptoken=a",
            "sessions",
            None,
        ),
        (SAMPLE.replace("microsoft.com", "microsoft.con") + "/sessions?$skiptoken=a", "sessions", None),
        (SAMPLE.replace("https", "http") + "/sessions?$skiptoken=a", "sessions", None),
        (f"{RECORDS}('{CALL}')/sessions?$skiptoken=abc", "sessions", None),
        (None, "sessions", None),
        (5, "sessions", None),
    ],
)
def test_of_the_documented_sample_s_link_only_the_skip_token_is_used(
    link: object, member: str, token: str | None
) -> None:
    """Graph's own host, this record, this list, one token: anything else is no such link, and so is judged as it is."""
    assert sample_token(link, GRAPH, CALL, member) == token
