-- Which transaction wrote an audit row: rows become visible in the order of commits, which neither a clock nor a sequence tells.
-- A constant first, so that no row is rewritten, and then what holds from now on. Rows that were there before have 0.
-- Whoever writes waits behind this: it gives way after a moment, and comes back for a minute or two.
DO $$
BEGIN
    FOR attempt IN 1..100 LOOP
        IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('audit_log') AND attname = 'written_in' AND atthasdef) THEN
            RETURN;
        END IF;
        BEGIN
            PERFORM set_config('lock_timeout', '200ms', true);
            ALTER TABLE audit_log ADD COLUMN IF NOT EXISTS written_in bigint NOT NULL DEFAULT 0;
            ALTER TABLE audit_log ALTER COLUMN written_in SET DEFAULT pg_current_xact_id()::text::bigint;
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(1);
        END;
    END LOOP;
    RAISE EXCEPTION 'audit_log is locked by others' USING ERRCODE = 'lock_not_available';
END
$$
