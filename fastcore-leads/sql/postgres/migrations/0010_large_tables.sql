-- What takes long on large tables was done beforehand, beside those who write.
UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 10;
