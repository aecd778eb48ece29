-- As in PostgreSQL, but for the sequencer: it never looks at a row again.
ALTER TABLE lead_destination ADD COLUMN checkpoint_size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lead_destination ADD COLUMN checkpoint_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lead_destination ADD COLUMN checkpoint_claim INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lead_destination ADD COLUMN checkpoint_since_utc TEXT;

UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 9;
