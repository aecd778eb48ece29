-- The leads that these requests made.
SELECT id, created_at_utc, name, email, phone, company, service, message, consent, source, request_id, ip_hash, meta_json,
       status, erased_at_utc
  FROM lead_inbox
 WHERE request_id IN (SELECT value FROM json_each(?1))
