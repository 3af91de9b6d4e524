-- +goose Up
CREATE TABLE user_groups (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL DEFAULT '',
    source      TEXT NOT NULL DEFAULT 'local', -- who made it: local, oidc:NAME, ldap:NAME
    search      TEXT NOT NULL DEFAULT '', -- name and description in lower case
    created_at  BIGINT NOT NULL
);

-- A membership is given here (local) or by a source at each sign-in; the two do not touch each other's.
CREATE TABLE group_members (
    group_id TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    source   TEXT NOT NULL DEFAULT 'local',
    PRIMARY KEY (group_id, user_id, source)
);
CREATE INDEX group_members_user ON group_members (user_id);

-- +goose Down
DROP TABLE group_members;
DROP TABLE user_groups;
