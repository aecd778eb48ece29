-- What leads are found by: their words, without accents and in lower case. Entered behind those who write, in the order in which
-- leads are found: the newest have the highest place.

CREATE TABLE lead_search (
    place    bigint PRIMARY KEY,
    lead_id  uuid NOT NULL UNIQUE,
    words    tsvector NOT NULL
);

-- Without a list of entries that are pending: each search would read all of it.
CREATE INDEX ix_lead_search_words ON lead_search USING gin (words) WITH (fastupdate = off);

-- One row: how far leads have been entered. Those that are older than this table are walked by their ids; null: all have been. The
-- rest is found by events.
CREATE TABLE lead_search_progress (
    is_the_row   boolean PRIMARY KEY DEFAULT true CHECK (is_the_row),
    last_place   bigint NOT NULL DEFAULT 0,
    position     bigint NOT NULL DEFAULT 0,
    older_after  uuid DEFAULT '00000000-0000-0000-0000-000000000000'
);
INSERT INTO lead_search_progress DEFAULT VALUES;

-- Whoever erases a lead, and with whatever rights: none of its words is left. Whoever enters leads holds the row above, and reads
-- them once it has it: so either sees what the other did.
CREATE FUNCTION lead_search_forget() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('SELECT FROM %I.lead_search_progress FOR SHARE', TG_TABLE_SCHEMA);
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('DELETE FROM %I.lead_search', TG_TABLE_SCHEMA);
    ELSE
        EXECUTE format('DELETE FROM %I.lead_search WHERE lead_id = $1', TG_TABLE_SCHEMA) USING OLD.id;
    END IF;
    RETURN NULL;
END
$$;

-- Leads with these words, an entry of the array for each bucket that is looked into, before a place, the newest first. What the planner
-- expects of words that it does not know is far too much: it would compile the statement, which takes longer than to run it, and might
-- read all of the table.
CREATE FUNCTION lead_search_found(queries text[], before bigint, most integer)
    RETURNS TABLE (found_place bigint, found_lead uuid) LANGUAGE plpgsql STABLE SET jit = off SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY
        SELECT entry.place, entry.lead_id
          FROM unnest(queries) AS bucket (query)
         CROSS JOIN LATERAL (SELECT place, lead_id FROM lead_search WHERE words @@ bucket.query::tsquery OFFSET 0) AS entry
         WHERE entry.place < before
         ORDER BY entry.place DESC LIMIT most;
END
$$;

-- Where a search begins: the last place, whether all leads are entered, and whether those are that are older than this table.
CREATE FUNCTION lead_search_state() RETURNS text LANGUAGE plpgsql STABLE SET jit = off AS $$
BEGIN
    RETURN (
        SELECT json_build_array(
                   last_place,
                   older_after IS NULL
                   AND system_identifier = (SELECT system_identifier::text FROM pg_control_system())
                   AND position >= last_sequence
                   AND NOT EXISTS (
                       SELECT FROM audit_log AS audited
                        WHERE audited.written_in >= lead_sequencer.mark AND audited.written_in > 0
                          AND audited.written_in < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
                          AND (SELECT 1 FROM lead_event WHERE lead_event.audit_id = audited.id) IS NULL),
                   older_after IS NULL)::text
          FROM lead_search_progress, lead_sequencer);
END
$$;

-- Whoever writes waits behind this: it gives way after a moment, and comes back for a minute or two.
DO $$
BEGIN
    FOR attempt IN 1..100 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '200ms', true);
            LOCK TABLE lead_inbox IN SHARE ROW EXCLUSIVE MODE;
            CREATE TRIGGER lead_inbox_search_erased AFTER UPDATE OF erased_at_utc ON lead_inbox
                FOR EACH ROW WHEN (NEW.erased_at_utc IS NOT NULL) EXECUTE FUNCTION lead_search_forget();
            CREATE TRIGGER lead_inbox_search_deleted AFTER DELETE ON lead_inbox
                FOR EACH ROW EXECUTE FUNCTION lead_search_forget();
            CREATE TRIGGER lead_inbox_search_emptied AFTER TRUNCATE ON lead_inbox
                FOR EACH STATEMENT EXECUTE FUNCTION lead_search_forget();
            ALTER TABLE lead_inbox ENABLE ALWAYS TRIGGER lead_inbox_search_erased;
            ALTER TABLE lead_inbox ENABLE ALWAYS TRIGGER lead_inbox_search_deleted;
            ALTER TABLE lead_inbox ENABLE ALWAYS TRIGGER lead_inbox_search_emptied;
            -- It has its owner's rights: nobody else may hang it on a table of their own.
            REVOKE EXECUTE ON FUNCTION lead_search_forget() FROM PUBLIC;
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(1);
        END;
    END LOOP;
    RAISE EXCEPTION 'lead_inbox is locked by others' USING ERRCODE = 'lock_not_available';
END
$$;

UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 5;
