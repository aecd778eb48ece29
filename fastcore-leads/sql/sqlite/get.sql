-- One lead.
SELECT id, created_at_utc, name, email, phone, company, service, message, consent, source, request_id, ip_hash, meta_json,
       status, erased_at_utc
  FROM lead_inbox
 WHERE id = ?1
