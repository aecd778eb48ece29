-- What stands in the way of adopting tables that somebody else made, a sentence each. The types are those that the first
-- migration keeps or turns into its own.
--
-- The tables are looked for in pg_class, not by to_regclass, which may know a table that another process makes just now
-- earlier than this query's snapshot, or later: it would be told as one without columns, or as one in another schema.
WITH known (table_name, column_name, types) AS (VALUES
    ('lead_inbox', 'id', '{uuid}'::text[]),
    ('lead_inbox', 'created_at_utc', '{timestamptz}'),
    ('lead_inbox', 'name', '{varchar,text}'),
    ('lead_inbox', 'email', '{varchar,text}'),
    ('lead_inbox', 'phone', '{varchar,text}'),
    ('lead_inbox', 'company', '{varchar,text}'),
    ('lead_inbox', 'service', '{varchar,text}'),
    ('lead_inbox', 'message', '{varchar,text}'),
    ('lead_inbox', 'consent', '{bool}'),
    ('lead_inbox', 'source', '{varchar,text}'),
    ('lead_inbox', 'request_id', '{uuid}'),
    ('lead_inbox', 'ip_hash', '{varchar,text}'),
    ('lead_inbox', 'meta_json', '{json,jsonb}'),
    ('lead_inbox', 'status', '{varchar,text}'),
    ('audit_log', 'id', '{uuid}'),
    ('audit_log', 'created_at_utc', '{timestamptz}'),
    ('audit_log', 'event', '{varchar,text}'),
    ('audit_log', 'actor', '{varchar,text}'),
    ('audit_log', 'lead_id', '{uuid}'),
    ('audit_log', 'request_id', '{uuid}'),
    ('audit_log', 'status_code', '{int4}'),
    ('audit_log', 'details_json', '{json,jsonb}')
), found AS (
    SELECT known.*, pg_class.oid AS relation, pg_type.typname::text AS type
      FROM known
      LEFT JOIN pg_class ON relname = known.table_name AND pg_table_is_visible(pg_class.oid)
      LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attname = known.column_name AND NOT attisdropped
      LEFT JOIN pg_type ON pg_type.oid = atttypid
)
SELECT format('the database is encoded in %s, which cannot hold every lead: make one with ENCODING ''UTF8''',
              current_setting('server_encoding')) AS answer
 WHERE current_setting('server_encoding') <> 'UTF8'
UNION ALL
SELECT format('the table %s stands in the schema %I, which the search_path does not name: connect with '
              'options=-csearch_path=%s', relname, nspname, nspname)
  FROM pg_class AS made JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE relname IN ('lead_inbox', 'audit_log', 'fastcore_leads_migrations') AND relkind IN ('r', 'p')
   AND nspname NOT LIKE 'pg\_%'
   AND NOT EXISTS (SELECT FROM pg_class WHERE pg_class.relname = made.relname AND pg_table_is_visible(pg_class.oid))
UNION ALL
SELECT 'the schema that the search_path names first does not exist: create it, or name another'
 WHERE current_schema() IS NULL
UNION ALL
SELECT format('the column %s.%s is missing: this is not the table of the lead service', table_name, column_name)
  FROM found WHERE relation IS NOT NULL AND type IS NULL
UNION ALL
SELECT format('the column %s.%s is of type %s, not %s: change its type first', table_name, column_name, type, types[1])
  FROM found WHERE type <> ALL (types)
