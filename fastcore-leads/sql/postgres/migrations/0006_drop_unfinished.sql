-- What an interrupted CREATE INDEX CONCURRENTLY leaves behind: an index that is written to and never read.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_index WHERE NOT indisvalid AND indexrelid = to_regclass('ix_lead_inbox_erased_at')) THEN
        DROP INDEX ix_lead_inbox_erased_at;
    END IF;
END
$$
