-- +goose Up
ALTER TABLE browser_sessions ADD COLUMN id TEXT NOT NULL DEFAULT ''; -- what lists show in the place of the token
ALTER TABLE browser_sessions ADD COLUMN method TEXT NOT NULL DEFAULT ''; -- password, oidc:NAME, ldap:NAME, passkey
ALTER TABLE browser_sessions ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';
ALTER TABLE browser_sessions ADD COLUMN mfa_at BIGINT; -- when it proved a second factor
-- Those from before get one that tells nothing of the token.
UPDATE browser_sessions SET method = 'password',
    id = 'before-' || (SELECT COUNT(*) FROM browser_sessions b WHERE b.token_hash <= browser_sessions.token_hash);
CREATE UNIQUE INDEX browser_sessions_id ON browser_sessions (id);

CREATE TABLE api_tokens (
    id           TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    token_hash   TEXT NOT NULL UNIQUE, -- SHA-256 of the token, hex
    scopes       TEXT NOT NULL,        -- actions, separated by spaces
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    last_address TEXT NOT NULL DEFAULT ''
);
CREATE INDEX api_tokens_user ON api_tokens (user_id);

-- +goose Down
DROP TABLE api_tokens;
DROP INDEX browser_sessions_id;
ALTER TABLE browser_sessions DROP COLUMN mfa_at;
ALTER TABLE browser_sessions DROP COLUMN user_agent;
ALTER TABLE browser_sessions DROP COLUMN method;
ALTER TABLE browser_sessions DROP COLUMN id;
