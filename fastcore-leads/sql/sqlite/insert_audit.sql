-- The audit rows of new leads, from the array of insert_leads.sql. The caller appends the FROM clause.
INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
SELECT value ->> 14, value ->> 1, 'LEAD_RECEIVED', value ->> 15, value ->> 0, value ->> 10, 201, value ->> 16
