-- +goose Up
-- Sealed secrets of everybody: credentials of accounts, seeds of second factors. See internal/vault.
CREATE TABLE secrets (
    purpose     TEXT NOT NULL,
    record_id   TEXT NOT NULL,
    key_id      TEXT NOT NULL, -- of the master key that wraps data_key
    data_key    BYTEA NOT NULL, -- wrapped
    ciphertext  BYTEA NOT NULL, -- sealed with the data key
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (purpose, record_id)
);
CREATE INDEX secrets_key ON secrets (key_id);

-- +goose Down
DROP TABLE secrets;
