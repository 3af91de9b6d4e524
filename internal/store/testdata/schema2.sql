-- Rows of a gateway at schema version 2, the one before roles, grants and the audit log. schema2.db is a SQLite file with
-- them, made by the program of that time.
INSERT INTO users (id, name, password_hash, disabled, created_at, password_at) VALUES
    ('01KAT9Z0000000000000000001', 'admin', '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA', 0, 1764144000000001, 1764144000000002),
    ('01KAT9Z0000000000000000002', 'bob', '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$BBBBBBBBBBBBBBBBBBBBBB', 1, 1764144100000000, 1764144100000000);
INSERT INTO browser_sessions (token_hash, user_id, created_at, seen_at, expires_at, address) VALUES
    ('aa00000000000000000000000000000000000000000000000000000000000001', '01KAT9Z0000000000000000001', 1764144200000000, 1764144300000000, 4102444800000000, '192.0.2.7');
INSERT INTO sessions (id, user_id, user_name, target_id, target_name, target_protocol, target_address, client_address, state, started_at, ended_at, end_code, end_message, width, height, desktop_name) VALUES
    ('01KATA00000000000000000001', '01KAT9Z0000000000000000001', 'admin', 'desk', 'Desk “é”', 'vnc', '198.51.100.4:5900', '192.0.2.7', 'ended', 1764144400000000, 1764144460000000, 'user_disconnected', 'The user ended it.', 1920, 1080, 'desk:1'),
    ('01KATA00000000000000000002', '01KAT9Z0000000000000000002', 'bob', 'win', 'Windows', 'rdp', '198.51.100.5:3389', '2001:db8::7', 'ended', 1764144500000000, 1764144500500000, 'target_unreachable', '', 0, 0, ''),
    ('01KATA00000000000000000003', '01KAT9Z0000000000000000001', 'admin', 'win', 'Windows', 'rdp', '198.51.100.5:3389', '192.0.2.7', 'active', 1764144600000000, NULL, '', '', 1280, 720, 'WIN');
INSERT INTO recordings (session_id, state, bytes, duration_us, pending_files, error, sealed_by) VALUES
    ('01KATA00000000000000000001', 'sealed', 5000000000, 60000000, 0, '', 'worker'),
    ('01KATA00000000000000000003', 'uploading', 17, 1000, 3, 'store: not now', '');
INSERT INTO target_certificates (target_id, fingerprint, first_seen, session_id) VALUES
    ('win', 'abababababababababababababababababababababababababababababababab', 1764144500100000, '01KATA00000000000000000002');
