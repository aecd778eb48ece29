-- What happened to a lead, oldest first.
SELECT id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json
  FROM audit_log
 WHERE lead_id = ?1
 ORDER BY created_at_utc, id
