-- +goose Up
CREATE TABLE targets (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    sort_name       TEXT NOT NULL, -- lower case: the order of lists
    search          TEXT NOT NULL, -- lower case: what is looked through
    description     TEXT NOT NULL,
    protocol        TEXT NOT NULL,
    address         TEXT NOT NULL,
    tls_mode        TEXT NOT NULL,
    tls_server_name TEXT NOT NULL,
    tls_ca          TEXT NOT NULL, -- PEM
    tls_fingerprint TEXT NOT NULL,
    to_target       SMALLINT NOT NULL, -- the clipboard's text
    from_target     SMALLINT NOT NULL,
    view_only       SMALLINT NOT NULL,
    rdp             TEXT NOT NULL, -- JSON; empty for other protocols
    record_keys     TEXT NOT NULL, -- empty: as configured
    origin          TEXT NOT NULL, -- config, apply, console
    revision        BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX targets_name ON targets (sort_name, id);
CREATE INDEX targets_origin ON targets (origin, id);

CREATE TABLE target_tags (
    target_id TEXT NOT NULL REFERENCES targets (id) ON DELETE CASCADE,
    tag       TEXT NOT NULL,
    PRIMARY KEY (target_id, tag)
);
CREATE INDEX target_tags_tag ON target_tags (tag, target_id);

CREATE TABLE target_accounts (
    id            TEXT PRIMARY KEY, -- ULID
    target_id     TEXT NOT NULL REFERENCES targets (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    username      TEXT NOT NULL,
    domain        TEXT NOT NULL,
    description   TEXT NOT NULL,
    credential    TEXT NOT NULL, -- none, config, stored, vault, command
    reference     TEXT NOT NULL, -- JSON: where a provider finds it; never a secret
    credential_at BIGINT,        -- when it was set
    revision      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    UNIQUE (target_id, name)
);

CREATE TABLE account_tags (
    account_id TEXT NOT NULL REFERENCES target_accounts (id) ON DELETE CASCADE,
    tag        TEXT NOT NULL,
    PRIMARY KEY (account_id, tag)
);
CREATE INDEX account_tags_tag ON account_tags (tag, account_id);

-- Which account a session was made with, copied like all else about it.
ALTER TABLE sessions ADD COLUMN account_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN account_name TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE sessions DROP COLUMN account_name;
ALTER TABLE sessions DROP COLUMN account_id;
DROP TABLE account_tags;
DROP TABLE target_accounts;
DROP TABLE target_tags;
DROP TABLE targets;
