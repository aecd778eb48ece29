-- As in PostgreSQL.

DROP INDEX IF EXISTS ix_audit_log_request_id;

UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 7;
