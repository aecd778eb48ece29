-- Refuses what follows where somebody else's trigger could let a part of it pass: RAISE(FAIL) keeps what was written before it.
SELECT RAISE(ABORT, 'the tables have triggers of others')
 WHERE EXISTS (SELECT 1
                 FROM (SELECT type, name, tbl_name FROM sqlite_schema
                       UNION ALL
                       SELECT type, name, tbl_name FROM sqlite_temp_schema)
                WHERE type = 'trigger' AND tbl_name COLLATE NOCASE IN ('lead_inbox', 'audit_log')
                  AND name NOT IN ('audit_log_no_update', 'audit_log_no_delete', 'audit_log_no_replace',
                                   'lead_inbox_search_erased', 'lead_inbox_search_deleted'))
