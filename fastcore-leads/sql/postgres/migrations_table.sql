CREATE TABLE IF NOT EXISTS fastcore_leads_migrations (
    version        integer PRIMARY KEY,
    name           text NOT NULL,
    checksum       text NOT NULL,
    applied_at_utc timestamptz NOT NULL DEFAULT now()
)
