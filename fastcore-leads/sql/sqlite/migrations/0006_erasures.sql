-- As in PostgreSQL.

CREATE INDEX ix_lead_inbox_erased_at ON lead_inbox (erased_at_utc, id) WHERE erased_at_utc IS NOT NULL;

UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 6;
