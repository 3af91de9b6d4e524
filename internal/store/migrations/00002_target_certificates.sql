-- +goose Up
-- Certificates taken at first use (tls.mode first_use). From then on the target must show this one.
CREATE TABLE target_certificates (
    target_id   TEXT PRIMARY KEY, -- of the configuration, which has no table
    fingerprint TEXT NOT NULL,    -- SHA-256 of the certificate, lower-case hex
    first_seen  BIGINT NOT NULL,
    session_id  TEXT NOT NULL     -- which saw it first
);

-- +goose Down
DROP TABLE target_certificates;
