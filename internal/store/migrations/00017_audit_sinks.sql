-- How far the audit log was sent on.

-- +goose Up
CREATE TABLE audit_sinks (
    name        TEXT PRIMARY KEY,
    next        BIGINT NOT NULL DEFAULT 0,  -- index of the first entry not sent
    owner       TEXT NOT NULL DEFAULT '',   -- the process that sends
    lease_until BIGINT NOT NULL DEFAULT 0
);

-- +goose Down
DROP TABLE audit_sinks;
