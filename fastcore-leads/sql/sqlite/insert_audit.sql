-- The audit rows of a batch's new leads. Parameters: the batch, and a JSON array of those leads' ids.
INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
SELECT value ->> '$.audit_id', value ->> '$.created_at_utc', 'LEAD_RECEIVED', value ->> '$.actor', value ->> '$.id',
       value ->> '$.request_id', 201, value ->> '$.details_json'
  FROM json_each(?1)
 WHERE value ->> '$.id' IN (SELECT value FROM json_each(?2))
