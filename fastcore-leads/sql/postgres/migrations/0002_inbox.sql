-- What reads and works the inbox: pages of one status in the order of time, and all that is held on an address. Tombstones
-- are in neither. The indexes are there already: they are built before, beside those who write.

CREATE INDEX IF NOT EXISTS ix_lead_inbox_status_created_at ON lead_inbox (status, created_at_utc, id) WHERE erased_at_utc IS NULL;
CREATE INDEX IF NOT EXISTS ix_lead_inbox_email ON lead_inbox (lower(email), created_at_utc) WHERE erased_at_utc IS NULL;
