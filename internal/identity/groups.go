package identity

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// validGroup allows what directories call groups. Case matters, since it does to some of them.
var validGroup = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} ._@/:=,+&()-]{0,127}$`)

// CreateGroup adds a group. It returns ErrExists or an *InvalidError.
func (s *Service) CreateGroup(ctx context.Context, name, description string) (store.Group, error) {
	return s.createGroup(ctx, name, description, store.SourceLocal)
}

func (s *Service) createGroup(ctx context.Context, name, description, source string) (store.Group, error) {
	name, description, err := checkGroup(name, description)
	if err != nil {
		return store.Group{}, err
	}
	g := store.Group{ID: uuid.NewString(), Name: name, Description: description, Source: source, CreatedAt: s.now()}
	if err := s.groups.Create(ctx, g); err != nil {
		if errors.Is(err, store.ErrExists) {
			return store.Group{}, ErrExists
		}
		return store.Group{}, fmt.Errorf("identity: create group: %w", err)
	}
	s.log.InfoContext(ctx, "group created", "group_id", g.ID, "group_name", g.Name)
	return g, nil
}

// Group returns the group of that id, or ErrUnknownGroup.
func (s *Service) Group(ctx context.Context, id string) (store.Group, error) {
	g, err := s.groups.ByID(ctx, id)
	if err != nil {
		return store.Group{}, groupError(err)
	}
	return g, nil
}

// GroupByName returns the group of that name, or ErrUnknownGroup.
func (s *Service) GroupByName(ctx context.Context, name string) (store.Group, error) {
	g, err := s.groups.ByName(ctx, strings.TrimSpace(name))
	if err != nil {
		return store.Group{}, groupError(err)
	}
	return g, nil
}

// ListGroups returns groups by name.
func (s *Service) ListGroups(ctx context.Context, f store.GroupFilter) ([]store.Group, error) {
	list, err := s.groups.List(ctx, f)
	if err != nil {
		return nil, groupError(err)
	}
	return list, nil
}

// UpdateGroup changes a group; nil: nothing. It returns ErrUnknownGroup, ErrExists or an *InvalidError.
func (s *Service) UpdateGroup(ctx context.Context, id string, name, description *string) (store.Group, error) {
	g, err := s.Group(ctx, id)
	if err != nil {
		return store.Group{}, err
	}
	g.Name, g.Description, err = checkGroup(orElse(name, g.Name), orElse(description, g.Description))
	if err != nil {
		return store.Group{}, err
	}
	if err := s.groups.Update(ctx, id, g.Name, g.Description); err != nil {
		return store.Group{}, groupError(err)
	}
	s.log.InfoContext(ctx, "group changed", "group_id", id, "group_name", g.Name)
	return g, nil
}

// DeleteGroup removes a group; its members stay users. It returns ErrUnknownGroup.
func (s *Service) DeleteGroup(ctx context.Context, id string) error {
	if err := s.groups.Delete(ctx, id); err != nil {
		return groupError(err)
	}
	s.log.InfoContext(ctx, "group deleted", "group_id", id)
	return nil
}

// AddMember makes a user a member of a group. It returns ErrUnknownGroup or ErrUnknownUser.
func (s *Service) AddMember(ctx context.Context, group, user string) error {
	if _, err := s.Group(ctx, group); err != nil {
		return err
	}
	if err := s.groups.Add(ctx, group, user); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return ErrUnknownUser
		}
		return groupError(err)
	}
	s.log.InfoContext(ctx, "group member added", "group_id", group, "user_id", user)
	return nil
}

// RemoveMember ends a membership that was given here; one that a source gives ends there. It returns ErrUnknownGroup or,
// when there is no such membership, ErrUnknownUser.
func (s *Service) RemoveMember(ctx context.Context, group, user string) error {
	if _, err := s.Group(ctx, group); err != nil {
		return err
	}
	if err := s.groups.Remove(ctx, group, user); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return ErrUnknownUser
		}
		return groupError(err)
	}
	s.log.InfoContext(ctx, "group member removed", "group_id", group, "user_id", user)
	return nil
}

func (s *Service) checkGroups(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if _, err := s.Group(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func checkGroup(name, description string) (string, string, error) {
	name, description = strings.TrimSpace(name), strings.TrimSpace(description)
	if !validGroup.MatchString(name) {
		return "", "", &InvalidError{"name", fmt.Sprintf("A group's name has 1 to %d letters, digits, spaces and the signs . _ @ / : = , + & ( ) -, and begins with a letter or digit.", MaxNameBytes)}
	}
	if !printable(description) || utf8.RuneCountInString(description) > MaxDescription {
		return "", "", &InvalidError{"description", fmt.Sprintf("A description is a line of at most %d characters.", MaxDescription)}
	}
	return name, description, nil
}

func groupError(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrUnknownGroup
	case errors.Is(err, store.ErrExists):
		return ErrExists
	}
	return fmt.Errorf("identity: groups: %w", err)
}
