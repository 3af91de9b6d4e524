-- +goose Up
-- What was said to a rule that asks why, the last time.
ALTER TABLE alerts ADD COLUMN answer TEXT NOT NULL DEFAULT '';      -- given, refused, expired, withdrawn; '': none yet, or it does not ask
ALTER TABLE alerts ADD COLUMN answered_by TEXT NOT NULL DEFAULT ''; -- name; '': nobody
ALTER TABLE alerts ADD COLUMN reason TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE alerts DROP COLUMN reason;
ALTER TABLE alerts DROP COLUMN answered_by;
ALTER TABLE alerts DROP COLUMN answer;
