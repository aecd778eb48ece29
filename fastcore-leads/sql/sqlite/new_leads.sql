-- Which leads of a batch were written in this transaction: those that are there and whose audit rows are not yet. Parameter: the array of
-- insert_leads.sql. Answers the leads' ids.
SELECT lead_inbox.id AS answer
  FROM jsonb_each(jsonb(?1)) CROSS JOIN lead_inbox ON lead_inbox.id = value ->> 0
 WHERE NOT EXISTS (SELECT 1 FROM audit_log WHERE audit_log.id = value ->> 14)
