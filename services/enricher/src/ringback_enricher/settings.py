"""Settings of the processes of `ringback-enricher`."""

from pathlib import Path

from pydantic import Field
from ringback_common.settings import EnvironmentSettings, KafkaSettings, LimitsSettings, ProcessSettings, Section
from ringback_events.tokens import TokenPolicy
from ringback_graph.settings import GraphSettings

__all__ = ["FetchSettings", "PrivacySection", "RederiveSettings", "RulesSection"]


class PrivacySection(Section):
    """Which pseudonyms the open tier carries."""

    keys_file: Path
    """JSON: the master keys of the pseudonyms; read at start."""
    open_tokens: TokenPolicy = TokenPolicy.MONTHLY
    """How long a token joins a person's calls in the open tier."""


class RulesSection(Section):
    """What the installation adds to the revision of the shipped rules."""

    revision_offset: int = Field(default=0, ge=0, le=1_000_000)
    """Raised when the site map, the token policy or a tenant's countries change; never lowered, as the greater wins."""


class FetchSettings(ProcessSettings):
    """Settings of the fetch process."""

    tenants_file: Path
    """YAML: the tenants to serve; read again when it changes."""
    sites_file: Path | None = None
    """YAML: a list of `site` with its `subnets`; read at start. Without it there are no sites."""
    put_aside_seconds: float = Field(default=5.0, ge=1, le=8)
    """How long a request may keep its offset open; what cannot be finished by then is put aside; a stop gives 10 s."""
    graph: GraphSettings = GraphSettings()
    limits: LimitsSettings = LimitsSettings()
    privacy: PrivacySection
    rules: RulesSection = RulesSection()


class RederiveSettings(EnvironmentSettings):
    """Settings of a re-derivation, which speaks to Kafka only; what decides the content is as for `fetch`."""

    kafka: KafkaSettings
    tenants_file: Path
    """YAML: the tenants to serve; read again when it changes."""
    limits: LimitsSettings = LimitsSettings()
    sites_file: Path | None = None
    """YAML: a list of `site` with its `subnets`; read at start. Without it there are no sites."""
    privacy: PrivacySection
    rules: RulesSection = RulesSection()
