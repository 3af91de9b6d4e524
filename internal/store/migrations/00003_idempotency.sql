-- +goose Up
-- Answers to requests that carried an Idempotency-Key, and requests still under way.
CREATE TABLE idempotency_keys (
    subject_id   TEXT NOT NULL, -- whose key it is
    operation    TEXT NOT NULL, -- of the API's document
    key_hash     TEXT NOT NULL, -- SHA-256 of the key, hex: the key itself would open request_hash to guessing
    request_hash TEXT NOT NULL, -- HMAC-SHA-256 of the request under the key, hex
    expires_at   BIGINT NOT NULL,
    status       INTEGER NOT NULL DEFAULT 0, -- of the answer; 0: not answered yet
    kept         SMALLINT NOT NULL DEFAULT 0, -- whether the answer is here; one with a secret is not
    content_type TEXT NOT NULL DEFAULT '',
    location     TEXT NOT NULL DEFAULT '',
    body         BYTEA,
    PRIMARY KEY (subject_id, operation, key_hash)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- +goose Down
DROP TABLE idempotency_keys;
