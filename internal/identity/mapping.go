package identity

import "github.com/vitrine-psm/vitrine/internal/config"

// MappingOf is the mapping of a configured source.
func MappingOf(m config.Mapping) Mapping {
	out := Mapping{Roles: rolesOf(m.Roles), AllGroups: m.AllGroups}
	for _, r := range m.Rules {
		out.Rules = append(out.Rules, MappingRule{Group: r.Group, Groups: r.Groups, Roles: rolesOf(r.Roles)})
	}
	return out
}
