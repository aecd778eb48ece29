-- Their audit rows, from the same array. What it reads from follows.
INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
SELECT value ->> 14, value ->> 1, 'LEAD_RECEIVED', value ->> 15, value ->> 0, value ->> 10, 201, value ->> 16
