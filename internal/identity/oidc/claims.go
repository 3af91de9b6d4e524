package oidc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/internal/identity"
)

// Bounds of what is taken from a provider.
const (
	maxSubjectBytes = 255 // OpenID Connect Core, 2
	maxTextBytes    = 512
	maxGroups       = 1000
	maxGroupBytes   = 256
)

// claims are what a provider says of a person, as JSON has it.
type claims map[string]any

// get returns a claim by its name, or by a path with dots into claims that are objects, as Keycloak's realm_access.roles.
func (c claims) get(path string) any {
	if v, ok := c[path]; ok {
		return v
	}
	at := map[string]any(c)
	parts := strings.Split(path, ".")
	for i, part := range parts {
		v, ok := at[part]
		if !ok || i == len(parts)-1 {
			return v
		}
		if at, ok = v.(map[string]any); !ok {
			return nil
		}
	}
	return nil
}

// text returns a claim that is text without control characters and not too long, or "".
func (c claims) text(path string) string {
	s, _ := c.get(path).(string)
	s = strings.TrimSpace(s)
	if len(s) > maxTextBytes || !plain(s) {
		return ""
	}
	return s
}

func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// verifiedEmail returns the address the provider has verified, or "".
func (c claims) verifiedEmail(path string) string {
	if v := c["email_verified"]; v != true && v != "true" {
		return ""
	}
	return c.text(path)
}

// groups returns the groups, sorted. There must not be more of them than are told: a policy may forbid by group.
func (c claims) groups(path string) ([]string, error) {
	if elsewhere, ok := c["_claim_names"].(map[string]any); ok && elsewhere[path] != nil {
		return nil, fmt.Errorf("the claim %q is too large for the provider to tell", path)
	}
	var list []any
	switch v := c.get(path).(type) {
	case nil:
		return nil, nil
	case string:
		list = []any{v}
	case []any:
		list = v
	default:
		return nil, fmt.Errorf("the claim %q is not a list of names", path)
	}
	if len(list) > maxGroups {
		return nil, fmt.Errorf("the claim %q has %d groups, more than %d", path, len(list), maxGroups)
	}
	var out []string
	for _, v := range list {
		name, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("the claim %q is not a list of names", path)
		}
		if name != "" && len(name) <= maxGroupBytes && plain(name) { // others no rule can name
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// mfa tells whether amr or acr hold one of the values that mean a second factor.
func (c claims) mfa(values []string) bool {
	if acr, ok := c["acr"].(string); ok && slices.Contains(values, acr) {
		return true
	}
	list, _ := c["amr"].([]any)
	return slices.ContainsFunc(list, func(v any) bool {
		s, ok := v.(string)
		return ok && slices.Contains(values, s)
	})
}

// lacks tells whether the ID token leaves something out that userinfo may have.
func (p *provider) lacks(c claims) bool {
	for _, name := range []string{p.cfg.Claims.Username, p.cfg.Claims.Email, p.cfg.Claims.Groups} {
		if c.get(name) == nil {
			return true
		}
	}
	return false
}

// identity is who the claims are about.
func (p *provider) identity(ctx context.Context, subject string, c claims) (identity.ExternalIdentity, error) {
	var none identity.ExternalIdentity
	groups, err := c.groups(p.cfg.Claims.Groups)
	if err != nil {
		return none, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	email := c.verifiedEmail(p.cfg.Claims.Email)
	if len(p.cfg.AllowedDomains) > 0 {
		domain := email[strings.LastIndexByte(email, '@')+1:]
		if !slices.ContainsFunc(p.cfg.AllowedDomains, func(d string) bool { return strings.EqualFold(d, domain) }) {
			p.log.WarnContext(ctx, "somebody of another domain, or without a verified address, wants to sign in", "domain", shorten(domain))
			return none, ErrNotAllowed
		}
	}
	name := c.text(p.cfg.Claims.Username)
	if name == "" {
		if name = email; name == "" {
			name = subject
		}
	}
	return identity.ExternalIdentity{
		Source: "oidc:" + p.cfg.Name, Subject: subject, Name: name, DisplayName: c.text(p.cfg.Claims.DisplayName), Email: email,
		Groups: groups, MFA: c.mfa(p.cfg.MFA), Mapping: identity.MappingOf(p.cfg.Mapping),
	}, nil
}
