-- As in PostgreSQL.

ALTER TABLE fastcore_leads_migrations ADD COLUMN readable_from INTEGER;
UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 3;
