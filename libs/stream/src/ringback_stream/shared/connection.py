"""How every client connects to Kafka, and the one place where the installation's topic prefix is added and stripped."""

import asyncio
import ssl
from typing import Any, TypedDict

from aiokafka import conn
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from ringback_common.errors import ConfigError, Transient
from ringback_common.settings import KafkaSettings, read_secret

__all__ = [
    "ClientOptions",
    "client_options",
    "contract_name",
    "faststream_security",
    "full_name",
    "most_are_reachable",
    "unreachable",
]


_LISTENS_WITHIN = 1.0
_untyped: Any = conn
_connections: Any = AIOKafkaConnection
_send = _connections.send


def _send_or_say_broken(connection: Any, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 - aiokafka's own signature
    """Send a request; raises KafkaConnectionError if the transport is closed, as aiokafka means to.

    It takes an OSError for that. uvloop raises RuntimeError, which ended aiokafka's coordinator: the consumer stood
    still until the watchdog ended the process (aiokafka's issue 1038).
    """
    try:
        return _send(connection, request, expect_response)
    except RuntimeError as failure:
        writer = connection._writer  # noqa: SLF001 - the same
        if writer is None or not writer.transport.is_closing():
            raise
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError("The connection is closed.") from failure


_connections.send = _send_or_say_broken


class ClientOptions(TypedDict, total=False):
    """Keyword arguments of any aiokafka client."""

    bootstrap_servers: list[str]
    security_protocol: str
    ssl_context: ssl.SSLContext | None
    sasl_mechanism: str
    sasl_plain_username: str | None
    sasl_plain_password: str | None
    metadata_max_age_ms: int
    request_timeout_ms: int


def unreachable(kafka: KafkaSettings) -> Transient:
    """For a command, which does not wait for its Kafka: it ends with 1, for the same may work later."""
    return Transient(f"No Kafka answers at RINGBACK_KAFKA__BOOTSTRAP_SERVERS={kafka.bootstrap_servers}.")


async def most_are_reachable(kafka: KafkaSettings) -> bool:
    """Whether most of the bootstrap servers take a connection within a second; whether they answer is not asked.

    With fewer a partition may have no leader, or too few replicas, though some brokers listen.
    """
    found: list[tuple[str, int, Any]] = _untyped.collect_hosts(kafka.servers)  # as the client itself reads them
    listening = await asyncio.gather(*(_listens(host, port) for host, port, _ in found))
    return sum(listening) > len(found) / 2


async def _listens(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_LISTENS_WITHIN):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def client_options(kafka: KafkaSettings) -> ClientOptions:
    """The connection of the settings.

    Raises:
        ConfigError: a secret or certificate cannot be read, or SASL lacks its parts.
    """
    options = ClientOptions(
        bootstrap_servers=kafka.servers,
        security_protocol=kafka.security_protocol,
        ssl_context=_ssl_context(kafka) if "SSL" in kafka.security_protocol.split("_") else None,
        # Event Hubs closes connections idle for 240 s; a refresh every 180 s keeps them, and finds new leaders.
        metadata_max_age_ms=180_000,
        request_timeout_ms=40_000,
    )
    if kafka.security_protocol.startswith("SASL"):
        options |= _sasl(kafka)
    return options


def faststream_security(options: ClientOptions) -> BaseSecurity:
    """The same connection in FastStream's form."""
    context = options.get("ssl_context")
    mechanism = options.get("sasl_mechanism")
    if mechanism is None:
        return BaseSecurity(ssl_context=context, use_ssl=context is not None)
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return kinds[mechanism](
        username=options.get("sasl_plain_username") or "",
        password=options.get("sasl_plain_password") or "",
        ssl_context=context,
        use_ssl=context is not None,
    )


def full_name(kafka: KafkaSettings, topic: str) -> str:
    """The broker's name of a contract topic."""
    return kafka.topic_prefix + topic


def contract_name(kafka: KafkaSettings, topic: str) -> str:
    """The contract's name of a broker's topic."""
    return topic.removeprefix(kafka.topic_prefix)


def _sasl(kafka: KafkaSettings) -> ClientOptions:
    if kafka.sasl_mechanism is None or kafka.sasl_username is None or kafka.sasl_password_file is None:
        raise ConfigError(
            "RINGBACK_KAFKA__SECURITY_PROTOCOL asks for SASL: "
            "set RINGBACK_KAFKA__SASL_MECHANISM, __SASL_USERNAME and __SASL_PASSWORD_FILE."
        )
    return ClientOptions(
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_plain_username=kafka.sasl_username,
        sasl_plain_password=read_secret(kafka.sasl_password_file, "RINGBACK_KAFKA__SASL_PASSWORD_FILE"),
    )


def _ssl_context(kafka: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=_text(kafka.ssl_cafile))
    except (OSError, ssl.SSLError):
        raise ConfigError("RINGBACK_KAFKA__SSL_CAFILE names a file without usable certificates.") from None
    if kafka.ssl_certfile is not None:
        try:
            context.load_cert_chain(kafka.ssl_certfile, _text(kafka.ssl_keyfile))
        except (OSError, ssl.SSLError):
            raise ConfigError(
                "RINGBACK_KAFKA__SSL_CERTFILE or __SSL_KEYFILE names a file that cannot be used."
            ) from None
    return context


def _text(path: Any) -> str | None:
    return None if path is None else str(path)
