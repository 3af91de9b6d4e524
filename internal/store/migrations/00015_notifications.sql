-- +goose Up
-- What a person is told in the console.
CREATE TABLE notifications (
    id         TEXT PRIMARY KEY, -- ULID
    user_id    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    urgent     SMALLINT NOT NULL,
    title      TEXT NOT NULL,
    body       TEXT NOT NULL,
    link       TEXT NOT NULL, -- a path of the console
    created_at BIGINT NOT NULL,
    read_at    BIGINT
);
CREATE INDEX notifications_user ON notifications (user_id, id);

-- What is on its way to a webhook or a mailbox. Written with what it tells of, so that nothing is lost in between.
CREATE TABLE notification_deliveries (
    id         TEXT PRIMARY KEY, -- ULID
    event_id   TEXT NOT NULL,
    channel    TEXT NOT NULL, -- webhook, email
    recipient  TEXT NOT NULL, -- the webhook's name, the mail's address
    urgent     SMALLINT NOT NULL,
    payload    TEXT NOT NULL, -- JSON
    state      TEXT NOT NULL, -- waiting, sent, failed
    attempts   INTEGER NOT NULL,
    next_at    BIGINT NOT NULL, -- when it is tried; moved ahead while somebody tries
    created_at BIGINT NOT NULL,
    error      TEXT NOT NULL
);
CREATE INDEX notification_deliveries_due ON notification_deliveries (state, next_at);
CREATE INDEX notification_deliveries_recipient ON notification_deliveries (recipient, created_at);

-- Only of people who changed something.
CREATE TABLE notification_settings (
    user_id TEXT PRIMARY KEY,
    email   SMALLINT NOT NULL
);

-- +goose Down
DROP TABLE notification_settings;
DROP TABLE notification_deliveries;
DROP TABLE notifications;
