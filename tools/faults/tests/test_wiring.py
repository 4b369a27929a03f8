"""Who is told which address, when every connection goes through a link of the harness."""

from ringback_faults.points import POINTS, open_points
from ringback_faults.worlds.wiring import PORTS, Wiring, linked_dsn, linked_tenants
from ringback_local.specs import Addresses, ProcessSpec

ADMIN = {"store": 18005, "enricher": 18006, "webhook": 18007, "keeper": 18008}
ADDRESSES = Addresses("127.0.0.1:18001", "", 18002, 18003, 18004, ADMIN)
WIRING = Wiring(range(19_000, 19_000 + PORTS))
DSN = "postgresql://postgres@127.0.0.1:5433/ringback"


def test_every_link_has_a_port_of_its_own_and_leads_to_its_server() -> None:
    """No two listen at one address; none of them leads to another link."""
    routes = {route.name: route for route in WIRING.routes(ADDRESSES, DSN)}
    listening = [route.listen for route in routes.values()]
    assert len(set(listening)) == len(listening) == 8
    assert not set(listening) & {route.target for route in routes.values()}
    assert routes["store-database"].target == ("127.0.0.1", 5433)
    assert routes["enricher-graph"].target == routes["keeper-graph"].target == ("127.0.0.1", 18002)
    assert routes["graph-webhook"].target == ("127.0.0.1", 18004)


def test_kafka_sends_whoever_comes_by_a_link_back_to_that_link() -> None:
    """What a listener advertises is where the service's link listens, and the link leads to the listener."""
    routes = {route.name: route for route in WIRING.routes(ADDRESSES, DSN)}
    for listener in WIRING.listeners():
        route = routes[f"{listener.name.lower()}-broker"]
        assert (listener.advertised, listener.port) == (route.listen, route.target[1])
        assert route.kafka


def test_a_service_is_told_its_own_link_and_only_the_files_it_reads() -> None:
    """The bootstrap address is its link's; a file it was not given before it is not given now."""
    spec = ProcessSpec("store", ("ringback-sink", "store"), "", {"RINGBACK_STORE__DSN_FILE": "old"})
    reported = WIRING.adapted(spec, {"RINGBACK_STORE__DSN_FILE": "new", "RINGBACK_TENANTS_FILE": "not for it"}).env
    assert reported == {"RINGBACK_STORE__DSN_FILE": "new", "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:19007"}


def test_next_links_lead_through_the_enrichers_link() -> None:
    """The simulator hands out the host it is told and its own port: there the link listens."""
    spec = WIRING.adapted(ProcessSpec("simulator", ("ringback-graph-simulator", "serve"), ""), {})
    host = spec.command[-1]
    assert WIRING.graph_url("enricher", ADDRESSES) == f"https://{host}:18002"
    assert (host, 18002) in [route.listen for route in WIRING.routes(ADDRESSES, DSN)]


def test_addresses_are_replaced_and_the_rest_stays() -> None:
    """User, password and database of a DSN, client and secret of a tenant."""
    assert (
        linked_dsn("postgresql://u:p%40@127.0.0.1:1/db", ("198.18.0.129", 2)) == "postgresql://u:p%40@198.18.0.129:2/db"
    )
    [tenant] = linked_tenants([{"tenant_id": "t", "graph_url": "old"}], "https://g", "http://w")
    assert tenant["tenant_id"] == "t"
    assert (tenant["graph_url"], tenant["authority_url"]) == ("https://g", "https://g")
    assert tenant["lifecycle_url"] == "http://w/lifecycle"


def test_a_process_with_points_is_launched_through_them_and_another_is_not() -> None:
    """The launcher is told the package whose ordinary entry point it runs in the end."""
    with open_points() as points:
        launched = points.adapted(ProcessSpec("enricher", ("ringback-enricher", "fetch"), ""))
        assert launched.command[-3:] == ("enricher", "ringback_enricher", "fetch")
        keeper = ProcessSpec("keeper", ("ringback-ingest", "keeper"), "")
        assert points.adapted(keeper) is keeper
    assert set(POINTS) == {"webhook", "enricher", "store"}


def test_an_order_can_be_taken_back_once() -> None:
    """What nobody reached is disarmed; disarming again says that there was nothing."""
    with open_points() as points:
        points.arm("store", "after-transaction")
        assert points.disarm("store", "after-transaction")
        assert not points.disarm("store", "after-transaction")
        assert points.reached() == []
