-- The new values of leads that a change was decided on. Parameter: a JSON array with an object for each.
UPDATE lead_inbox AS lead
   SET name = new.name, email = new.email, phone = new.phone, company = new.company, message = new.message,
       consent = new.consent, ip_hash = new.ip_hash, meta_json = new.meta_json, status = new.status,
       erased_at_utc = new.erased_at_utc
  FROM jsonb_to_recordset($1::jsonb) AS new (
           id uuid, name text, email text, phone text, company text, message text, consent boolean, ip_hash text,
           meta_json jsonb, status text, erased_at_utc timestamptz)
 WHERE lead.id = new.id
