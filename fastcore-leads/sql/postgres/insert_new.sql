-- Where all are likely to be new: fails where one is not (23505), and has written nothing then. It costs less than to look for each
-- request id first. Answers one row, with the ids of the leads: all are new.
-- Where a trigger of a host's keeps a lead out, or gives it another id, no audit row has an id, which its table refuses (23502); where
-- one keeps an audit row out, the answer cannot be read (22P02): nothing is written then.
    RETURNING id
), audited AS (
    INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
    SELECT CASE WHEN (SELECT count(*) FROM inserted JOIN input USING (id)) = (SELECT count(*) FROM input) THEN audit_id END,
           created_at_utc, 'LEAD_RECEIVED', actor, id, request_id, 201, details_json::jsonb
      FROM input
    RETURNING lead_id
), counted AS (
    SELECT (SELECT count(*) FROM input) AS leads, (SELECT count(*) FROM audited) AS audit_rows
)
SELECT CASE WHEN leads = audit_rows THEN (SELECT coalesce(array_agg(id), '{}') FROM input)
            ELSE ('audit rows that are kept out: ' || leads - audit_rows)::uuid[] END
  FROM counted
