"""Calls, their history and their children.

`call` is not partitioned and decides: one row per call whatever its start, so that a corrected start cannot leave a
second copy. `call_version` is not partitioned either: "one row per (tenant, call, version)" is a promise, and a
unique key of a partitioned table would have to contain the start, which Graph may correct. Its rows are narrow; its
retention deletes by `first_stored_at`. The children are partitioned by the month of `call_start` and are found again
through the `call_start` their call had. Ids compare bytewise ("C"): they are opaque, and it is cheaper.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    """
    CREATE TABLE callrecords.call (
        tenant_id text COLLATE "C" NOT NULL,
        call_id text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        revision bigint NOT NULL,
        type text NOT NULL,
        modalities text[] NOT NULL,
        start_date_time timestamptz,
        end_date_time timestamptz,
        duration_ms bigint,
        last_modified_date_time timestamptz,
        received_at timestamptz,
        fetched_at timestamptz NOT NULL,
        session_count bigint NOT NULL,
        counts_parties bigint NOT NULL,
        counts_people bigint NOT NULL,
        counts_users bigint NOT NULL,
        counts_guests bigint NOT NULL,
        counts_externals bigint NOT NULL,
        counts_phones bigint NOT NULL,
        counts_applications bigint NOT NULL,
        quality_rules_version text NOT NULL,
        quality_verdict text NOT NULL,
        quality_audio_good bigint NOT NULL,
        quality_audio_poor bigint NOT NULL,
        quality_audio_unclassified bigint NOT NULL,
        quality_video_good bigint NOT NULL,
        quality_video_poor bigint NOT NULL,
        quality_video_unclassified bigint NOT NULL,
        quality_screen_sharing_good bigint NOT NULL,
        quality_screen_sharing_poor bigint NOT NULL,
        quality_screen_sharing_unclassified bigint NOT NULL,
        quality_other_good bigint NOT NULL,
        quality_other_poor bigint NOT NULL,
        quality_other_unclassified bigint NOT NULL,
        worst_feedback text,
        platforms text[] NOT NULL,
        connection_types text[] NOT NULL,
        sites text[] NOT NULL,
        emergency_suspected boolean NOT NULL,
        anomalies_negative_durations bigint NOT NULL,
        anomalies_empty_networks bigint NOT NULL,
        anomalies_repeated_session_ids bigint NOT NULL,
        anomalies_missing_participants bigint NOT NULL,
        anomalies_unparsable_values bigint NOT NULL,
        failure_stage text,
        failure_reason text,
        join_web_url text,
        call_start timestamptz NOT NULL,
        document jsonb NOT NULL,
        stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (tenant_id, call_id)
    )
    """,
    """
    CREATE TABLE callrecords.call_version (
        tenant_id text COLLATE "C" NOT NULL,
        call_id text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        revision bigint NOT NULL,
        type text NOT NULL,
        start_date_time timestamptz,
        end_date_time timestamptz,
        last_modified_date_time timestamptz,
        received_at timestamptz,
        fetched_at timestamptz NOT NULL,
        session_count bigint NOT NULL,
        counts_parties bigint NOT NULL,
        quality_verdict text NOT NULL,
        first_stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (tenant_id, call_id, version)
    )
    """,
    "CREATE INDEX call_version_by_time ON callrecords.call_version (tenant_id, first_stored_at)",
    """
    CREATE TABLE callrecords.participant (
        tenant_id text COLLATE "C" NOT NULL,
        call_id text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        revision bigint NOT NULL,
        call_start timestamptz NOT NULL,
        index bigint NOT NULL,
        kind text NOT NULL,
        relation text NOT NULL,
        is_organizer boolean NOT NULL,
        in_participants boolean NOT NULL,
        country_code text,
        platforms text[] NOT NULL,
        connection_types text[] NOT NULL,
        sites text[] NOT NULL,
        session_count bigint NOT NULL,
        joined_ms bigint,
        verdict text NOT NULL,
        feedback_rating text,
        id text,
        display_name text,
        user_principal_name text,
        phone_number text,
        home_tenant_id text,
        PRIMARY KEY (tenant_id, call_id, index, call_start)
    ) PARTITION BY RANGE (call_start)
    """,
    """
    CREATE TABLE callrecords.session (
        tenant_id text COLLATE "C" NOT NULL,
        call_id text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        revision bigint NOT NULL,
        call_start timestamptz NOT NULL,
        ordinal bigint NOT NULL,
        session_id text,
        start_date_time timestamptz,
        end_date_time timestamptz,
        duration_ms bigint,
        modalities text[] NOT NULL,
        is_test boolean,
        segment_count bigint NOT NULL,
        verdict text NOT NULL,
        caller_party bigint,
        caller_kind text,
        caller_relation text,
        caller_is_service boolean,
        caller_role text,
        caller_platform text,
        caller_product_family text,
        caller_application_version text,
        caller_cpu_cores bigint,
        caller_feedback_rating text,
        caller_user_agent text,
        caller_machine_name text,
        caller_feedback_text text,
        callee_party bigint,
        callee_kind text,
        callee_relation text,
        callee_is_service boolean,
        callee_role text,
        callee_platform text,
        callee_product_family text,
        callee_application_version text,
        callee_cpu_cores bigint,
        callee_feedback_rating text,
        callee_user_agent text,
        callee_machine_name text,
        callee_feedback_text text,
        failure_stage text,
        failure_reason text,
        PRIMARY KEY (tenant_id, call_id, ordinal, call_start)
    ) PARTITION BY RANGE (call_start)
    """,
    """
    CREATE TABLE callrecords.stream (
        tenant_id text COLLATE "C" NOT NULL,
        call_id text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        revision bigint NOT NULL,
        call_start timestamptz NOT NULL,
        session_ordinal bigint NOT NULL,
        segment_index bigint NOT NULL,
        media_index bigint NOT NULL,
        stream_index bigint NOT NULL,
        label text,
        kind text NOT NULL,
        direction text,
        receiver_party bigint,
        codec text,
        start_date_time timestamptz,
        end_date_time timestamptz,
        verdict text NOT NULL,
        verdict_metric text,
        average_jitter_ms double precision,
        max_jitter_ms double precision,
        average_round_trip_ms double precision,
        max_round_trip_ms double precision,
        average_packet_loss_rate double precision,
        max_packet_loss_rate double precision,
        packet_utilization bigint,
        average_audio_degradation double precision,
        average_concealed_ratio double precision,
        average_video_frame_rate double precision,
        average_video_frame_loss double precision,
        post_fec_packet_loss_rate double precision,
        average_bandwidth_bps bigint,
        was_media_bypassed boolean,
        stream_id text,
        caller_connection_type text,
        caller_transport text,
        caller_wifi_band text,
        caller_wifi_radio_type text,
        caller_wifi_signal_strength bigint,
        caller_link_speed_bps bigint,
        caller_network_prefix text,
        caller_reflexive_prefix text,
        caller_site text,
        caller_ip_address text,
        caller_reflexive_ip_address text,
        caller_relay_ip_address text,
        caller_subnet text,
        caller_mac_address text,
        caller_basic_service_set_identifier text,
        caller_dns_suffix text,
        callee_connection_type text,
        callee_transport text,
        callee_wifi_band text,
        callee_wifi_radio_type text,
        callee_wifi_signal_strength bigint,
        callee_link_speed_bps bigint,
        callee_network_prefix text,
        callee_reflexive_prefix text,
        callee_site text,
        callee_ip_address text,
        callee_reflexive_ip_address text,
        callee_relay_ip_address text,
        callee_subnet text,
        callee_mac_address text,
        callee_basic_service_set_identifier text,
        callee_dns_suffix text,
        PRIMARY KEY (tenant_id, call_id, session_ordinal, segment_index, media_index, stream_index, call_start)
    ) PARTITION BY RANGE (call_start)
    """,
    "CREATE TABLE callrecords.participant_default PARTITION OF callrecords.participant DEFAULT",
    "CREATE TABLE callrecords.session_default PARTITION OF callrecords.session DEFAULT",
    "CREATE TABLE callrecords.stream_default PARTITION OF callrecords.stream DEFAULT",
)

_GUARD = (
    """
    CREATE FUNCTION callrecords.refuse_older() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a newer version would be overwritten' USING ERRCODE = 'RB001', TABLE = TG_TABLE_NAME;
    END $$
    """,
    """
    CREATE TRIGGER never_goes_back BEFORE UPDATE ON callrecords.call FOR EACH ROW
    WHEN ((NEW.version, NEW.revision) < (OLD.version, OLD.revision)) EXECUTE FUNCTION callrecords.refuse_older()
    """,
    """
    CREATE TRIGGER never_goes_back BEFORE UPDATE ON callrecords.call_version FOR EACH ROW
    WHEN (NEW.revision < OLD.revision) EXECUTE FUNCTION callrecords.refuse_older()
    """,
)
"""Belt to the upsert's braces: whoever writes, (version, revision) never goes back."""

_MAKE_MONTH = """
    CREATE FUNCTION callrecords.make_month(parent text, month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = callrecords, pg_temp SET timezone = 'UTC' AS $$
    DECLARE
        child text := parent || '_' || to_char(month, 'YYYY_MM');
        first_day timestamptz := date_trunc('month', month);
        next_first timestamptz := date_trunc('month', month) + interval '1 month';
    BEGIN
        IF parent NOT IN ('participant', 'session', 'stream') THEN
            RAISE EXCEPTION 'not a table by month' USING ERRCODE = 'invalid_parameter_value';
        END IF;
        PERFORM pg_advisory_xact_lock(hashtext('callrecords.make_month'));
        IF to_regclass('callrecords.' || parent || '_default') IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', parent || '_default', parent);
        END IF;
        IF to_regclass('callrecords.' || child) IS NOT NULL THEN
            RETURN false;
        END IF;
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent || '_default');
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
        EXECUTE format(
            'WITH moved AS (DELETE FROM %I WHERE call_start >= $1 AND call_start < $2 RETURNING *) '
            'INSERT INTO %I SELECT * FROM moved', parent || '_default', child) USING first_day, next_first;
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            parent, child, first_day, next_first);
        RETURN true;
    END $$
    """
"""Makes one month of one child table and moves what the DEFAULT partition held of it; false if it was there."""


def upgrade() -> None:
    """Make the tables, the guard and the partition function."""
    for statement in (*_TABLES, *_GUARD, _MAKE_MONTH):
        op.execute(statement)


def downgrade() -> None:
    """Drop everything of this revision, data included."""
    for table in ("stream", "session", "participant", "call_version", "call"):
        op.execute(f"DROP TABLE callrecords.{table}")
    op.execute("DROP FUNCTION callrecords.make_month(text, date)")
    op.execute("DROP FUNCTION callrecords.refuse_older()")
