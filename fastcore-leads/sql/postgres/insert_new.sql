-- Where all are likely to be new: fails where one is not (23505), and has written nothing then. It costs less than to look for each
-- request id first. Answers one row, with the ids of the leads: all are new.
-- Where a trigger of a host's keeps a lead or an audit row out, the statement fails (22P02), and nothing is written.
    RETURNING id
), audited AS (
    INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
    SELECT audit_id, created_at_utc, 'LEAD_RECEIVED', actor, id, request_id, 201, details_json::jsonb
      FROM input
    RETURNING lead_id
), counted AS (
    SELECT (SELECT count(*) FROM input) AS wanted, (SELECT count(*) FROM inserted) AS leads,
           (SELECT count(*) FROM audited) AS audit_rows
)
SELECT CASE WHEN leads = wanted AND audit_rows = wanted THEN (SELECT coalesce(array_agg(id), '{}') FROM input)
            ELSE ('rows that are kept out: ' || 2 * wanted - leads - audit_rows)::uuid[] END
  FROM counted
