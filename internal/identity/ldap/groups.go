package ldap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/vitrine-psm/vitrine/internal/identity"
)

// groups are those of a person.
type groups struct {
	names []string // sorted, each once
	dns   []*ldap.DN
}

// groups returns those the person's attribute names and those a search finds. Where there is a base, only groups below it count:
// elsewhere somebody may be able to make a group of the same name.
func (c *conn) groups(e *ldap.Entry) (groups, error) {
	cfg := &c.d.cfg
	var g groups
	var base *ldap.DN
	if cfg.Groups.Base != "" {
		var err error
		if base, err = ldap.ParseDN(cfg.Groups.Base); err != nil {
			return g, fmt.Errorf("%w: groups.base: %w", ErrUnreachable, err)
		}
	}
	add := func(text, name string) {
		dn, err := ldap.ParseDN(text)
		if err != nil || len(dn.RDNs) == 0 || (base != nil && !base.AncestorOfFold(dn)) {
			return
		}
		if name == "" {
			name = dn.RDNs[0].Attributes[0].Value
		}
		if name = strings.TrimSpace(name); name == "" || len(name) > maxTextBytes || !plain(name) {
			return // no rule can name it
		}
		g.names, g.dns = append(g.names, name), append(g.dns, dn)
	}
	if cfg.Users.MemberOf != "" {
		list := e.GetEqualFoldAttributeValues(cfg.Users.MemberOf)
		if len(list) > cfg.MaxGroups {
			return g, fmt.Errorf("%w: %q is in %d groups, more than %d", ErrUnreachable, e.DN, len(list), cfg.MaxGroups)
		}
		for _, dn := range list {
			add(dn, "")
		}
	}
	if base != nil {
		found, err := c.searchGroups(e)
		if err != nil {
			return g, err
		}
		if len(found) > cfg.MaxGroups {
			return g, fmt.Errorf("%w: %q is in %d groups, more than %d", ErrUnreachable, e.DN, len(found), cfg.MaxGroups)
		}
		for _, f := range found {
			add(f.DN, f.GetEqualFoldAttributeValue(cfg.Groups.Name))
		}
	}
	slices.Sort(g.names)
	g.names = slices.Compact(g.names)
	return g, nil
}

func (c *conn) searchGroups(e *ldap.Entry) ([]*ldap.Entry, error) {
	cfg := &c.d.cfg
	filter := fill(cfg.Groups.Filter, map[string]string{"{dn}": e.DN, "{username}": e.GetEqualFoldAttributeValue(cfg.Users.Username)})
	res, err := c.lib.SearchWithPaging(ldap.NewSearchRequest(cfg.Groups.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		0, seconds(cfg.Timeout), false, filter, []string{cfg.Groups.Name}, nil), pageSize)
	if err != nil {
		return nil, c.failed("search groups", err)
	}
	return res.Entries, nil
}

// apply returns the names of the groups and the mapping as it is for them: rules that name a group by its distinguished name
// become rules for everybody, or go.
func (g groups) apply(m identity.Mapping) ([]string, identity.Mapping) {
	var rules []identity.MappingRule
	for _, r := range m.Rules {
		dn, err := ldap.ParseDN(r.Group)
		if err != nil || !strings.Contains(r.Group, "=") {
			rules = append(rules, r) // a name
			continue
		}
		if slices.ContainsFunc(g.dns, dn.EqualFold) {
			r.Group = "*"
			rules = append(rules, r)
		}
	}
	m.Rules = rules
	return g.names, m
}
