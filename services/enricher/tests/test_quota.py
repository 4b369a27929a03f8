"""What a tenant's budget serves."""

from ringback_enricher.core.quota import records_a_second


def test_a_group_call_costs_two_requests_of_the_budget() -> None:
    """Of 69 requests a second 34.5 records: whoever counts requests as records takes in twice what can be served."""
    assert records_a_second(69.0) == 34.5
