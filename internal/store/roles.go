package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// RoleAdministrator is the role that there is always somebody with who can sign in.
const RoleAdministrator = "administrator"

// ErrLastAdministrator says that the change would leave nobody who can administer.
var ErrLastAdministrator = errors.New("store: the last administrator")

// Memberships is what a user is and belongs to.
type Memberships struct {
	Roles       []string // sorted, each once
	GivenRoles  []string // those of Roles that were given here
	Groups      []string // names, sorted, each once
	GroupIDs    []string // in the order of Groups
	GivenGroups []string // ids of those groups that were given here
}

// Memberships returns the roles and groups of a user; none for a user that is not there.
func (r *Users) Memberships(ctx context.Context, id string) (Memberships, error) {
	all, err := r.MembershipsOf(ctx, []string{id})
	return all[id], err
}

// MembershipsOf returns the roles and groups of users, by id.
func (r *Users) MembershipsOf(ctx context.Context, ids []string) (map[string]Memberships, error) {
	out := make(map[string]Memberships, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	in, args := placeholders(ids)
	type row struct{ kind, user, id, name, source string }
	rows, err := collect(ctx, r.db, "memberships", func(s scanner) (row, error) {
		var x row
		return x, s.Scan(&x.kind, &x.user, &x.id, &x.name, &x.source)
	}, `SELECT 'role', user_id, role, role, source FROM user_roles WHERE user_id IN (`+in+`)
		UNION ALL
		SELECT 'group', m.user_id, g.id, g.name, m.source FROM group_members m JOIN user_groups g ON g.id = m.group_id
		WHERE m.user_id IN (`+in+`) ORDER BY 4, 5`, args...)
	if err != nil {
		return nil, err
	}
	for _, x := range rows {
		m := out[x.user]
		switch x.kind {
		case "role":
			m.Roles = appendNew(m.Roles, x.name)
			if x.source == SourceLocal {
				m.GivenRoles = appendNew(m.GivenRoles, x.name)
			}
		case "group":
			m.Groups, m.GroupIDs = appendNew(m.Groups, x.name), appendNew(m.GroupIDs, x.id)
			if x.source == SourceLocal {
				m.GivenGroups = appendNew(m.GivenGroups, x.id)
			}
		}
		out[x.user] = m
	}
	return out, nil
}

// SetRoles replaces the roles a user has from source. It returns ErrLastAdministrator when nobody who can sign in would
// be left to administer.
func (r *Users) SetRoles(ctx context.Context, id, source string, roles []string) error {
	return r.keepAdministrator(ctx, func(db conn) error { return setRoles(ctx, db, id, source, roles) })
}

// SetDisabled lets a user sign in, or not. It returns ErrLastAdministrator as SetRoles does.
func (r *Users) SetDisabled(ctx context.Context, id string, disabled bool) error {
	return r.keepAdministrator(ctx, func(db conn) error {
		if err := one(db.ExecContext(ctx, `UPDATE users SET disabled = $1 WHERE id = $2`, flag(disabled), id)); err != nil {
			return fmt.Errorf("store: disable user: %w", err)
		}
		return nil
	})
}

// Delete removes a user with their sign-ins, tokens and memberships. It returns ErrLastAdministrator as SetRoles does.
func (r *Users) Delete(ctx context.Context, id string) error {
	return r.keepAdministrator(ctx, func(db conn) error {
		if err := one(db.ExecContext(ctx, `DELETE FROM users WHERE id = $1`, id)); err != nil {
			return fmt.Errorf("store: delete user: %w", err)
		}
		return nil
	})
}

// keepAdministrator does change unless nobody who can sign in would administer after it, while somebody did before it.
// Transactions are serializable: two administrators cannot take the role from each other at the same moment.
func (r *Users) keepAdministrator(ctx context.Context, change func(conn) error) error {
	return r.tx(ctx, func(db conn) error {
		before, err := administrators(ctx, db)
		if err != nil {
			return err
		}
		if err := change(db); err != nil {
			return err
		}
		after, err := administrators(ctx, db)
		if err != nil {
			return err
		}
		if before > 0 && after == 0 {
			return ErrLastAdministrator
		}
		return nil
	})
}

func administrators(ctx context.Context, db conn) (int, error) {
	var n int
	err := db.QueryRowContext(ctx,
		`SELECT COUNT(*) FROM users WHERE disabled = 0 AND id IN (SELECT user_id FROM user_roles WHERE role = $1)`, RoleAdministrator).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("store: count administrators: %w", err)
	}
	return n, nil
}

func setRoles(ctx context.Context, db conn, id, source string, roles []string) error {
	var n int
	if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM users WHERE id = $1`, id).Scan(&n); err != nil {
		return fmt.Errorf("store: set roles: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("store: set roles: %w", ErrNotFound)
	}
	if _, err := db.ExecContext(ctx, `DELETE FROM user_roles WHERE user_id = $1 AND source = $2`, id, source); err != nil {
		return fmt.Errorf("store: set roles: %w", err)
	}
	for _, role := range slices.Compact(slices.Sorted(slices.Values(roles))) {
		if _, err := db.ExecContext(ctx, `INSERT INTO user_roles (user_id, role, source) VALUES ($1, $2, $3)`, id, role, source); err != nil {
			return fmt.Errorf("store: set roles: %w", mapError(err))
		}
	}
	return nil
}

// appendNew appends to a sorted list what is not its last.
func appendNew(list []string, s string) []string {
	if n := len(list); n > 0 && list[n-1] == s {
		return list
	}
	return append(list, s)
}
