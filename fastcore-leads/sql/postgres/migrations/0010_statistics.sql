-- How many leads an address has. PostgreSQL keeps no statistics of a partial index's expression: without these it takes any address for that
-- of one lead in two hundred.
CREATE STATISTICS IF NOT EXISTS st_lead_inbox_email ON (lower(email)) FROM lead_inbox;
ANALYZE lead_inbox;

UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 10;
