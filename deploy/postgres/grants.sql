-- What each role may do in the store, after every `ringback-sink migrate`; run by the owner or an administrator.
GRANT USAGE ON SCHEMA callrecords TO ringback_writer, ringback_reader, ringback_analyst;

-- The store: rows, and the months of its tables; the schema's revision it only reads.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA callrecords TO ringback_writer;
REVOKE INSERT, UPDATE, DELETE ON callrecords.alembic_version FROM ringback_writer;
GRANT EXECUTE ON FUNCTION callrecords.make_month(text, date) TO ringback_writer;

-- Console and operator: everything, and nothing but reading.
GRANT SELECT ON ALL TABLES IN SCHEMA callrecords TO ringback_reader;

-- Analysts: no person and no address. The columns whose comment says class C0 or C1, which `migrate` takes from the
-- contract: a column without a class is not granted. Of tables and views; three views hold nothing else.
REVOKE ALL ON ALL TABLES IN SCHEMA callrecords FROM ringback_analyst;
SELECT format('GRANT SELECT (%s) ON callrecords.%I TO ringback_analyst', string_agg(quote_ident(attname), ', '), relname)
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'callrecords'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
  AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) ~ 'Class C[01]\.'
GROUP BY relname \gexec
GRANT SELECT ON callrecords.freshness, callrecords.settled_call, callrecords.call_timeline TO ringback_analyst;
