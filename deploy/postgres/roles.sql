-- The four roles of a store, before `ringback-sink migrate`; run by an administrator of the server, as often as you like.
-- Passwords are those of the connection strings in the files of the folder that `-v secrets=` names.
\set owner_password   `sed -E 's,^[^:]*://[^:]*:([^@]*)@.*,\1,' :secrets/store-owner`
\set writer_password  `sed -E 's,^[^:]*://[^:]*:([^@]*)@.*,\1,' :secrets/store-writer`
\set reader_password  `sed -E 's,^[^:]*://[^:]*:([^@]*)@.*,\1,' :secrets/store-reader`
\set analyst_password `sed -E 's,^[^:]*://[^:]*:([^@]*)@.*,\1,' :secrets/store-analyst`

SELECT format('CREATE ROLE %I', role)
FROM unnest(ARRAY['ringback_owner', 'ringback_writer', 'ringback_reader', 'ringback_analyst']) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec

ALTER ROLE ringback_owner   LOGIN PASSWORD :'owner_password';
ALTER ROLE ringback_writer  LOGIN PASSWORD :'writer_password';
ALTER ROLE ringback_reader  LOGIN PASSWORD :'reader_password';
ALTER ROLE ringback_analyst LOGIN PASSWORD :'analyst_password';

-- Nobody connects who was not named; only the owner makes the schema, only the writer the temporary tables it copies into.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO ringback_owner, ringback_writer, ringback_reader, ringback_analyst', current_database()) \gexec
SELECT format('GRANT CREATE ON DATABASE %I TO ringback_owner', current_database()) \gexec
SELECT format('GRANT TEMPORARY ON DATABASE %I TO ringback_writer', current_database()) \gexec
