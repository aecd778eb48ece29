-- By default a vacuum comes once a fifth of a table is new. These are vacuumed in small portions, however large they are: counts then read the
-- index alone, and no vacuum has to freeze ten million rows at once. What somebody else has set is left, for a table or for the server.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT rel.oid::regclass AS name, option
          FROM pg_class AS rel, unnest(ARRAY[
                   'autovacuum_vacuum_insert_scale_factor', 'autovacuum_vacuum_scale_factor',
                   'autovacuum_analyze_scale_factor']) AS option
         WHERE rel.oid IN ('lead_inbox'::regclass, 'audit_log'::regclass, 'lead_event'::regclass)
           AND current_setting(option)::float8 > 0.02
           AND NOT EXISTS (SELECT FROM pg_options_to_table(rel.reloptions) WHERE option_name = option)
    LOOP
        EXECUTE format('ALTER TABLE %s SET (%I = 0.02)', wanted.name, wanted.option);
    END LOOP;
END
$$
