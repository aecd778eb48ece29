-- From which migration on a program can work with the tables as this row's migration left them: a newer version that only adds
-- leaves the older one ready, and lets it be started again. Such a migration says so at its end. NULL: only a program that
-- knows the migration.

ALTER TABLE fastcore_leads_migrations ADD COLUMN readable_from integer;
UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 3;
