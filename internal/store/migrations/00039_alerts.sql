-- +goose Up
-- What rules of detection found in sessions. Alerts of one rule in one session that follow closely are one row with their number.
CREATE TABLE alerts (
    id                   TEXT PRIMARY KEY, -- ULID
    session_id           TEXT NOT NULL REFERENCES sessions (id),
    rule                 TEXT NOT NULL,
    name                 TEXT NOT NULL,    -- of the rule, as it was then
    severity             TEXT NOT NULL,
    severity_rank        SMALLINT NOT NULL, -- the least is 0
    action               TEXT NOT NULL,
    source               TEXT NOT NULL,
    person               TEXT NOT NULL,    -- who did what the rule fits
    excerpt              TEXT NOT NULL,    -- of the first; '' where the recording keeps no typed text, or was destroyed
    count                BIGINT NOT NULL,
    first_at             BIGINT NOT NULL,
    last_at              BIGINT NOT NULL,
    first_us             BIGINT NOT NULL,  -- on the recording's clock
    last_us              BIGINT NOT NULL,
    acknowledged_at      BIGINT,           -- NULL: it is new
    acknowledged_by      TEXT NOT NULL,
    acknowledged_by_name TEXT NOT NULL,
    note                 TEXT NOT NULL
);
CREATE INDEX alerts_session ON alerts (session_id, id);
CREATE INDEX alerts_rule ON alerts (rule, id);
CREATE INDEX alerts_last ON alerts (last_at);
CREATE INDEX alerts_new ON alerts (id) WHERE acknowledged_at IS NULL;
-- The single row changes with every change of any alert.
CREATE TABLE alert_state (
    id       SMALLINT PRIMARY KEY, -- 1
    revision BIGINT NOT NULL
);
INSERT INTO alert_state (id, revision) VALUES (1, 0);

-- +goose Down
DROP TABLE alert_state;
DROP TABLE alerts;
