-- What an interrupted CREATE INDEX CONCURRENTLY leaves behind: an index that is written to and never read.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_index WHERE NOT indisvalid AND indexrelid = to_regclass('ix_audit_log_written_in')) THEN
        DROP INDEX ix_audit_log_written_in;
    END IF;
END
$$
