-- +goose Up
-- The seed of a one-time password rests sealed, in secrets.
CREATE TABLE totp_factors (
    user_id    TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    last_step  BIGINT NOT NULL -- of the newest code used: neither it nor an older one is taken again
);

CREATE TABLE passkeys (
    id           TEXT PRIMARY KEY, -- of the credential, base64url
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    credential   TEXT NOT NULL, -- JSON: public key, counter, flags
    sign_count   BIGINT NOT NULL,
    cloned       SMALLINT NOT NULL DEFAULT 0, -- the counter went back once
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX passkeys_user ON passkeys (user_id);

CREATE TABLE recovery_codes (
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash  TEXT NOT NULL, -- SHA-256, hex: a code is as random as a key
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

-- What is begun in one request and finished in another: half a sign-in, a passkey's challenge, the way to a provider and back.
CREATE TABLE ceremonies (
    id         TEXT PRIMARY KEY, -- its kind and the hash of a token, or whom it is of
    user_id    TEXT NOT NULL,    -- empty: not known yet
    payload    TEXT NOT NULL,    -- JSON
    attempts   INTEGER NOT NULL DEFAULT 0,
    expires_at BIGINT NOT NULL
);
CREATE INDEX ceremonies_expiry ON ceremonies (expires_at);

-- +goose Down
DROP TABLE ceremonies;
DROP TABLE recovery_codes;
DROP TABLE passkeys;
DROP TABLE totp_factors;
