-- Tickets by which native clients are let in: each opens one desktop, once, within a minute.

-- +goose Up
CREATE TABLE native_tickets (
    hash         TEXT PRIMARY KEY, -- SHA-256 of the ticket, hex; the ticket itself is nowhere
    user_id      TEXT NOT NULL,
    user_name    TEXT NOT NULL,
    target_id    TEXT NOT NULL,
    account_id   TEXT NOT NULL,
    grant_id     TEXT NOT NULL DEFAULT '', -- of an access request; empty: it needed none
    source       TEXT NOT NULL DEFAULT '', -- the only address it may come from; empty: any
    reason       TEXT NOT NULL DEFAULT '', -- what a policy wanted to know
    change_no    TEXT NOT NULL DEFAULT '',
    mfa_at       BIGINT, -- when the sign-in proved a second factor; NULL: it did not
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT -- NULL: not used
);
CREATE INDEX native_tickets_expiry ON native_tickets (expires_at);

-- +goose Down
DROP TABLE native_tickets;
