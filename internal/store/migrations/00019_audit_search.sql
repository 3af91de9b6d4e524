-- Pages of the audit log by action, and of the access report by a part of a name, in the order of their indexes.

-- +goose Up
DROP INDEX audit_entries_action;
CREATE INDEX audit_entries_action ON audit_entries (action, time, idx);

ALTER TABLE audit_access ADD COLUMN search TEXT NOT NULL DEFAULT ''; -- lower case, a line break between
UPDATE audit_access SET search = LOWER(user_name || '
' || target_name || '
' || target_id || '
' || account || '
' || source || '
' || address);
DROP INDEX audit_access_time; -- the next one begins alike
CREATE INDEX audit_access_search ON audit_access (started_at, session_id, search);

-- +goose Down
DROP INDEX audit_access_search;
CREATE INDEX audit_access_time ON audit_access (started_at, session_id);
ALTER TABLE audit_access DROP COLUMN search;
DROP INDEX audit_entries_action;
CREATE INDEX audit_entries_action ON audit_entries (action, outcome, time, idx);
