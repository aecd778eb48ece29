-- Which transaction wrote an audit row: rows become visible in the order of commits, which neither a clock nor a sequence tells.
-- A constant first, so that no row is rewritten, and then what holds from now on. Rows that were there before have 0.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '10s', true);
    ALTER TABLE audit_log ADD COLUMN IF NOT EXISTS written_in bigint NOT NULL DEFAULT 0;
    ALTER TABLE audit_log ALTER COLUMN written_in SET DEFAULT pg_current_xact_id()::text::bigint;
END
$$
