-- +goose Up
-- The tags of targets and accounts that are gone. Policies on tags go on to cover their recordings.
CREATE TABLE former_tags (
    target_id TEXT NOT NULL,
    account   TEXT NOT NULL, -- the account's name; '' is the target itself
    tag       TEXT NOT NULL,
    PRIMARY KEY (target_id, account, tag)
);

-- +goose Down
DROP TABLE former_tags;
