package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Notification is something a person is told in the console.
type Notification struct {
	ID        string // ULID
	UserID    string
	Kind      string
	Urgent    bool
	Title     string
	Body      string
	Link      string // a path of the console; may be empty
	CreatedAt time.Time
	ReadAt    time.Time // zero: not read
}

// Notifications is the table of what people are told, and of how they want to be told.
type Notifications struct{ db conn }

// Create adds a notification.
func (r *Notifications) Create(ctx context.Context, n Notification) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO notifications (id, user_id, kind, urgent, title, body, link, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		n.ID, n.UserID, n.Kind, flag(n.Urgent), n.Title, n.Body, n.Link, toMicros(n.CreatedAt))
	if err != nil {
		return fmt.Errorf("store: create notification: %w", mapError(err))
	}
	return nil
}

// List returns at most limit notifications of a person, newest first, older than the one of id before ("": from the newest).
func (r *Notifications) List(ctx context.Context, userID, before string, limit int) ([]Notification, error) {
	rows, err := r.db.QueryContext(ctx,
		`SELECT id, user_id, kind, urgent, title, body, link, created_at, read_at FROM notifications
		 WHERE user_id = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3`, userID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("store: list notifications: %w", err)
	}
	defer rows.Close()
	var list []Notification
	for rows.Next() {
		var n Notification
		var urgent int
		var created int64
		var read sql.NullInt64
		if err := rows.Scan(&n.ID, &n.UserID, &n.Kind, &urgent, &n.Title, &n.Body, &n.Link, &created, &read); err != nil {
			return nil, fmt.Errorf("store: list notifications: %w", err)
		}
		n.Urgent, n.CreatedAt = urgent != 0, fromMicros(created)
		if read.Valid {
			n.ReadAt = fromMicros(read.Int64)
		}
		list = append(list, n)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: list notifications: %w", err)
	}
	return list, nil
}

// Standing returns how many notifications of a person are unread, and the id of the newest ("": there is none).
func (r *Notifications) Standing(ctx context.Context, userID string) (unread int, newest string, err error) {
	var last sql.NullString
	err = r.db.QueryRowContext(ctx,
		`SELECT COUNT(*), (SELECT MAX(id) FROM notifications WHERE user_id = $1) FROM notifications WHERE user_id = $1 AND read_at IS NULL`,
		userID).Scan(&unread, &last)
	if err != nil {
		return 0, "", fmt.Errorf("store: unread notifications: %w", err)
	}
	return unread, last.String, nil
}

// Read notes that a person has read everything up to the notification of id upTo.
func (r *Notifications) Read(ctx context.Context, userID, upTo string, at time.Time) error {
	_, err := r.db.ExecContext(ctx,
		`UPDATE notifications SET read_at = $1 WHERE user_id = $2 AND id <= $3 AND read_at IS NULL`, toMicros(at), userID, upTo)
	if err != nil {
		return fmt.Errorf("store: read notifications: %w", err)
	}
	return nil
}

// DeleteBefore removes notifications older than at, and of each person all but the newest most.
func (r *Notifications) DeleteBefore(ctx context.Context, at time.Time, most int) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM notifications WHERE created_at < $1`, toMicros(at)); err != nil {
		return fmt.Errorf("store: delete notifications: %w", err)
	}
	_, err := r.db.ExecContext(ctx,
		`DELETE FROM notifications WHERE id IN (
			SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY id DESC) AS place FROM notifications) AS ranked
			WHERE place > $1)`, most)
	if err != nil {
		return fmt.Errorf("store: delete notifications: %w", err)
	}
	return nil
}

// WantsEmail tells whether a person takes e-mail; everybody does who never said otherwise.
func (r *Notifications) WantsEmail(ctx context.Context, userID string) (bool, error) {
	var wants int
	err := r.db.QueryRowContext(ctx, `SELECT email FROM notification_settings WHERE user_id = $1`, userID).Scan(&wants)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("store: notification settings: %w", err)
	}
	return wants != 0, nil
}

// SetEmail notes whether a person takes e-mail.
func (r *Notifications) SetEmail(ctx context.Context, userID string, wants bool) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO notification_settings (user_id, email) VALUES ($1, $2) ON CONFLICT (user_id) DO UPDATE SET email = excluded.email`,
		userID, flag(wants))
	if err != nil {
		return fmt.Errorf("store: notification settings: %w", mapError(err))
	}
	return nil
}
