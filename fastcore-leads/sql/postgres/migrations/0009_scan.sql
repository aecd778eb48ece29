-- How far the sequencer's scan has come, where one pass does not look at all rows; the mark once it has ended; and in which cluster that is
-- so, since versions that do not know these columns leave them as they are.
ALTER TABLE lead_sequencer ADD COLUMN scanned_to bigint, ADD COLUMN next_mark bigint, ADD COLUMN scanned_in text;

-- Of a destination that is told of checkpoints: how many entries the last one had that arrived, and since when and how often a newer one
-- has been tried.
ALTER TABLE lead_destination
    ADD COLUMN checkpoint_size bigint NOT NULL DEFAULT 0,
    ADD COLUMN checkpoint_attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN checkpoint_claim integer NOT NULL DEFAULT 0,
    ADD COLUMN checkpoint_since_utc timestamptz;

UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 9;
