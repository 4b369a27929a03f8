"""Sites, prefixes and countries: what an address or a number may tell everybody."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_enricher.core.derive.feedback import worst_rating
from ringback_enricher.core.derive.phones import country_of
from ringback_enricher.core.derive.sites import SiteMap


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:aaaa:bbbb::1", "2001:db8:aaaa::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("[2001:db8:aaaa::1%eth0]", "2001:db8:aaaa::/48"),
        ("2002:cb00:714d:1::1", "203.0.113.0/24"),
        ("2002:0a00:0001::1", None),
        ("2001:0:4136:e378:8000:63bf:34ff:8eb2", "203.0.113.0/24"),
        ("64:ff9b::203.0.113.77", "203.0.113.0/24"),
        ("64:ff9b::10.1.2.3", None),
        ("::203.0.113.77", "203.0.113.0/24"),
        ("10.1.2.3", None),
        ("172.31.255.255", None),
        ("172.32.0.1", "172.32.0.0/24"),
        ("100.64.0.1", None),
        ("169.254.7.7", None),
        ("fd00::1", None),
        ("fe80::1%3", None),
        ("fec0::1", None),
        ("ff02::1", None),
        ("not an address", None),
        ("", None),
        (None, None),
    ],
)
def test_the_open_prefix(address: str | None, prefix: str | None) -> None:
    """/24 and /48 of what is public; private ranges and what is no address tell nothing."""
    assert SiteMap().place(address).prefix == prefix


@given(st.ip_addresses())
def test_a_prefix_never_tells_the_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Two hosts of one prefix cannot be told apart by what is published."""
    prefix = SiteMap().place(str(address)).prefix
    if prefix is not None:
        network = ipaddress.ip_network(prefix)
        assert network.prefixlen == (24 if network.version == 4 else 48)


@given(st.lists(st.integers(0, 32), min_size=1, max_size=8, unique=True), st.ip_addresses(v=4))
def test_the_longest_prefix_wins(lengths: list[int], address: ipaddress.IPv4Address) -> None:
    """Among nested subnets the narrowest names the site, in whatever order the map lists them."""
    subnets = [(f"{address}/{length}", str(length)) for length in lengths]
    assert SiteMap(subnets).place(str(address)).site == str(max(lengths))


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+4930901820", "DE"),
        ("+4930123***", "DE"),
        ("+12125550123", "US"),
        ("+442079460000", "GB"),
        ("+80012345678", None),
        ("030901820", None),
        ("anonymous", None),
        ("+", None),
        ("***", None),
    ],
)
def test_the_country_of_a_number(number: str, country: str | None) -> None:
    """International numbers have one, masked or not; freephone, local and withheld ones have none."""
    assert country_of(number) == country


@pytest.mark.parametrize(
    ("ratings", "worst"),
    [
        (["excellent", "bad", "good"], "bad"),
        (["notRated", "good"], "good"),
        (["notRated"], None),
        (["dreadful"], "dreadful"),
        (["dreadful", "excellent"], "excellent"),
        ([], None),
    ],
)
def test_the_worst_rating(ratings: list[str], worst: str | None) -> None:
    """Not rated is no rating; a member nobody knows yet counts only alone."""
    assert worst_rating(ratings) == worst
