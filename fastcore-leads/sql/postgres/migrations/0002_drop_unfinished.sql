-- What an interrupted CREATE INDEX CONCURRENTLY leaves behind: an index that is written to and never read.
DO $$
DECLARE
    unfinished regclass;
BEGIN
    FOR unfinished IN
        SELECT indexrelid FROM pg_index
         WHERE NOT indisvalid
           AND indexrelid IN (to_regclass('ix_lead_inbox_status_created_at'), to_regclass('ix_lead_inbox_email'))
    LOOP
        EXECUTE format('DROP INDEX %s', unfinished);
    END LOOP;
END
$$
