-- +goose Up
-- What lists of sessions are searched by. The list is by id, newest first: each index leads to a page without sorting.
ALTER TABLE sessions ADD COLUMN search TEXT NOT NULL DEFAULT ''; -- lower case: people, targets, accounts, addresses
UPDATE sessions SET search = lower(user_name || ' ' || target_id || ' ' || target_name || ' ' || target_address || ' ' || account_name || ' ' || client_address);
CREATE INDEX sessions_search ON sessions (id, search, state, user_id, target_id, started_at);
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_target ON sessions (target_id, id);
-- Few of many run, and the list of those is asked for most.
CREATE INDEX sessions_running ON sessions (id) WHERE state <> 'ended';

-- +goose Down
DROP INDEX sessions_running;
DROP INDEX sessions_target;
DROP INDEX sessions_user;
DROP INDEX sessions_search;
ALTER TABLE sessions DROP COLUMN search;
