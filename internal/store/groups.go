package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Group is a number of users that policies name together.
type Group struct {
	ID          string
	Name        string // unique
	Description string
	Source      string // who made it: SourceLocal, oidc:NAME or ldap:NAME
	CreatedAt   time.Time
	Members     int // how many users; read only
}

// GroupFilter says which groups to list.
type GroupFilter struct {
	Query string // part of the name or description; empty: all
	After string // only names after this one
	Limit int
}

// Groups is the tables of groups and their members.
type Groups struct {
	db    conn
	store *Store // for what takes several statements
}

const groupColumns = `id, name, description, source, created_at, ` +
	`(SELECT COUNT(DISTINCT user_id) FROM group_members WHERE group_id = user_groups.id)`

// Create adds g, or returns ErrExists.
func (r *Groups) Create(ctx context.Context, g Group) error {
	if g.Source == "" {
		g.Source = SourceLocal
	}
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO user_groups (id, name, description, source, created_at, search) VALUES ($1, $2, $3, $4, $5, $6)`,
		g.ID, g.Name, g.Description, g.Source, toMicros(g.CreatedAt), searchText(g.Name, g.Description))
	if err != nil {
		return fmt.Errorf("store: create group: %w", mapError(err))
	}
	return nil
}

// ByID returns the group of that id, or ErrNotFound.
func (r *Groups) ByID(ctx context.Context, id string) (Group, error) {
	return r.get(ctx, `id = $1`, id)
}

// ByName returns the group of that name, or ErrNotFound.
func (r *Groups) ByName(ctx context.Context, name string) (Group, error) {
	return r.get(ctx, `name = $1`, name)
}

// List returns groups by name.
func (r *Groups) List(ctx context.Context, f GroupFilter) ([]Group, error) {
	query := `SELECT ` + groupColumns + ` FROM user_groups WHERE ($1 = '' OR name > $1)`
	args := []any{f.After}
	if f.Query != "" {
		args = append(args, likePattern(f.Query))
		query += ` AND search LIKE $2 ESCAPE '!'`
	}
	args = append(args, f.Limit)
	return collect(ctx, r.db, "groups", scanGroup, query+fmt.Sprintf(` ORDER BY name LIMIT $%d`, len(args)), args...)
}

// Update replaces the name and the description of a group. ErrExists: another has the name.
func (r *Groups) Update(ctx context.Context, id, name, description string) error {
	if err := one(r.db.ExecContext(ctx,
		`UPDATE user_groups SET name = $1, description = $2, search = $3 WHERE id = $4`, name, description, searchText(name, description), id)); err != nil {
		return fmt.Errorf("store: update group: %w", err)
	}
	return nil
}

// Delete removes a group; its members stay users.
func (r *Groups) Delete(ctx context.Context, id string) error {
	if err := one(r.db.ExecContext(ctx, `DELETE FROM user_groups WHERE id = $1`, id)); err != nil {
		return fmt.Errorf("store: delete group: %w", err)
	}
	return nil
}

// Add makes a user a member, given here. One who is stays so. ErrNotFound: there is no such group or user.
func (r *Groups) Add(ctx context.Context, group, user string) error {
	return r.tx(ctx, func(db conn) error {
		return addMember(ctx, db, group, user, SourceLocal)
	})
}

// Remove ends a membership that was given here. ErrNotFound: there is none.
func (r *Groups) Remove(ctx context.Context, group, user string) error {
	if err := one(r.db.ExecContext(ctx,
		`DELETE FROM group_members WHERE group_id = $1 AND user_id = $2 AND source = $3`, group, user, SourceLocal)); err != nil {
		return fmt.Errorf("store: remove member: %w", err)
	}
	return nil
}

// SetOf replaces the groups, by id, that a user has from source.
func (r *Groups) SetOf(ctx context.Context, user, source string, groups []string) error {
	return r.tx(ctx, func(db conn) error {
		if _, err := db.ExecContext(ctx, `DELETE FROM group_members WHERE user_id = $1 AND source = $2`, user, source); err != nil {
			return fmt.Errorf("store: set groups: %w", err)
		}
		for _, g := range slices.Compact(slices.Sorted(slices.Values(groups))) {
			if err := addMember(ctx, db, g, user, source); err != nil {
				return err
			}
		}
		return nil
	})
}

func addMember(ctx context.Context, db conn, group, user, source string) error {
	var n int
	if err := db.QueryRowContext(ctx,
		`SELECT COUNT(*) FROM user_groups, users WHERE user_groups.id = $1 AND users.id = $2`, group, user).Scan(&n); err != nil {
		return fmt.Errorf("store: add member: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("store: add member: %w", ErrNotFound)
	}
	_, err := db.ExecContext(ctx,
		`INSERT INTO group_members (group_id, user_id, source) VALUES ($1, $2, $3) ON CONFLICT (group_id, user_id, source) DO NOTHING`,
		group, user, source)
	if err != nil {
		return fmt.Errorf("store: add member: %w", mapError(err))
	}
	return nil
}

func (r *Groups) get(ctx context.Context, where, arg string) (Group, error) {
	g, err := scanGroup(r.db.QueryRowContext(ctx, `SELECT `+groupColumns+` FROM user_groups WHERE `+where, arg))
	if err != nil {
		return Group{}, fmt.Errorf("store: group: %w", mapError(err))
	}
	return g, nil
}

func scanGroup(row scanner) (Group, error) {
	var g Group
	var created int64
	err := row.Scan(&g.ID, &g.Name, &g.Description, &g.Source, &created, &g.Members)
	g.CreatedAt = fromMicros(created)
	return g, err
}

// tx runs do with the connection of one transaction.
func (r *Groups) tx(ctx context.Context, do func(db conn) error) error {
	return r.store.Tx(ctx, func(tx *Store) error { return do(tx.Groups.db) })
}
