package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Identity is how people prove who they are.
type Identity struct {
	MFA MFA `yaml:"mfa"` // whether a second factor is asked for
	// MFARoles are the roles that need one when mfa is required; empty: everybody does.
	MFARoles []string `yaml:"mfa_roles,omitempty"`
	// IdleTimeout is how long a sign-in lasts that is not used; SignInLifetime how long it lasts at most.
	IdleTimeout    time.Duration `yaml:"idle_timeout"`
	SignInLifetime time.Duration `yaml:"sign_in_lifetime"`
	// MinPasswordLength is how many characters a new password has at least.
	MinPasswordLength int `yaml:"min_password_length"`
	// MaxTokenLifetime is how long an API token lasts at most.
	MaxTokenLifetime time.Duration `yaml:"max_token_lifetime"`
	// StepUpAge is how old a second factor may be when factors are changed.
	StepUpAge time.Duration `yaml:"step_up_age"`
	OIDC      []OIDC        `yaml:"oidc,omitempty"`
	LDAP      []LDAP        `yaml:"ldap,omitempty"`
}

// Bounds of values.
const (
	maxSignInLifetime = 30 * 24 * time.Hour
	minPasswordLength = 8 // characters
	maxPasswordLength = 128
	maxTokenLifetime  = 366 * 24 * time.Hour
)

// MFA says whether a second factor is asked for.
type MFA string

// Whether a second factor is asked for.
const (
	MFAOff      MFA = "off"      // never, also of those who have one
	MFAOptional MFA = "optional" // of those who have one
	MFARequired MFA = "required" // of everybody concerned; whoever has none enrols one at the next sign-in
)

// OIDC is an OpenID provider people may sign in at.
type OIDC struct {
	Name             string     `yaml:"name"`  // in addresses and in the names of users' sources; never change it
	Label            string     `yaml:"label"` // on the button
	Issuer           string     `yaml:"issuer"`
	ClientID         string     `yaml:"client_id"`
	ClientSecret     Secret     `yaml:"client_secret,omitempty"` // none: a public client
	ClientSecretFile string     `yaml:"client_secret_file,omitempty"`
	ClientSecretEnv  string     `yaml:"client_secret_env,omitempty"`
	CAFile           string     `yaml:"ca_file,omitempty"` // PEM; empty: the system's roots
	Scopes           []string   `yaml:"scopes,omitempty"`
	Claims           OIDCClaims `yaml:"claims"`
	// AllowedDomains are those of verified e-mail addresses; empty: everybody the provider signs in.
	AllowedDomains []string `yaml:"allowed_domains,omitempty"`
	// MFA are values of amr or acr that mean the provider had a second factor proved.
	MFA       []string      `yaml:"mfa,omitempty"`
	ClockSkew time.Duration `yaml:"clock_skew"` // how far its clock may be off ours
	Mapping   Mapping       `yaml:"mapping"`
}

// OIDCClaims are the names of claims.
type OIDCClaims struct {
	Username    string `yaml:"username"`
	DisplayName string `yaml:"display_name"`
	Email       string `yaml:"email"`
	Groups      string `yaml:"groups"`
}

// LDAP is a directory whose people may sign in with their name and password there.
type LDAP struct {
	Name             string   `yaml:"name"`  // in the names of users' sources; never change it
	Label            string   `yaml:"label"` // for people
	Type             LDAPType `yaml:"type"`  // what the defaults below follow
	URL              string   `yaml:"url"`   // ldaps://host:636 or ldap://host:389
	TLS              LDAPTLS  `yaml:"tls"`
	BindDN           string   `yaml:"bind_dn"` // who looks people up; empty: anonymously
	BindPassword     Secret   `yaml:"bind_password,omitempty"`
	BindPasswordFile string   `yaml:"bind_password_file,omitempty"`
	BindPasswordEnv  string   `yaml:"bind_password_env,omitempty"`

	Users  LDAPUsers  `yaml:"users"`
	Groups LDAPGroups `yaml:"groups"`

	Timeout   time.Duration `yaml:"timeout"`    // of dialling and of each question
	MaxGroups int           `yaml:"max_groups"` // of a person; with more nobody is signed in
	// Recheck is how often people who are signed in are looked up again; those gone or disabled are signed out. 0: never.
	Recheck time.Duration `yaml:"recheck"`
	Mapping Mapping       `yaml:"mapping"`
}

// LDAPType is a kind of directory.
type LDAPType string

// Kinds of directories.
const (
	LDAPGeneric         LDAPType = "ldap"
	LDAPActiveDirectory LDAPType = "active_directory"
)

// LDAPTLS is the connection to a directory.
type LDAPTLS struct {
	Mode       LDAPTLSMode `yaml:"mode"`
	CAFile     string      `yaml:"ca_file,omitempty"`     // PEM; empty: the system's roots
	ServerName string      `yaml:"server_name,omitempty"` // empty: the host of the URL
}

// LDAPTLSMode says when TLS begins.
type LDAPTLSMode string

// When TLS begins.
const (
	LDAPSImplicit LDAPTLSMode = "ldaps"    // at once: ldaps://
	LDAPStartTLS  LDAPTLSMode = "starttls" // before anything is told: ldap://
	LDAPPlain     LDAPTLSMode = "off"      // never: passwords can be read on the way
)

// LDAPUsers says how people are found. In Filter {username} stands for what was typed, escaped.
type LDAPUsers struct {
	Base        string `yaml:"base"`
	Filter      string `yaml:"filter"`
	Disabled    string `yaml:"disabled_filter"` // matches who may not sign in; empty: nobody
	ID          string `yaml:"id"`              // the attribute that never changes
	Username    string `yaml:"username"`
	DisplayName string `yaml:"display_name"`
	Email       string `yaml:"email"`
	MemberOf    string `yaml:"member_of"` // the attribute with the DNs of groups; empty: none
}

// LDAPGroups says how groups are found besides by the attribute of people. In Filter {dn} stands for the person's
// distinguished name and {username} for their name, both escaped.
type LDAPGroups struct {
	Base   string `yaml:"base"` // empty: groups are not searched
	Filter string `yaml:"filter"`
	Name   string `yaml:"name"` // the attribute that names them
	// Nested finds groups within groups by Active Directory's matching rule.
	Nested bool `yaml:"nested"`
}

// Mapping says what a source's groups mean here.
type Mapping struct {
	Roles     []string      `yaml:"roles,omitempty"` // everybody of the source has them
	AllGroups bool          `yaml:"all_groups"`      // its groups are groups here, by the same names
	Rules     []MappingRule `yaml:"rules,omitempty"`
}

// MappingRule gives the members of a group of the source groups and roles here.
type MappingRule struct {
	Group  string   `yaml:"group"`
	Groups []string `yaml:"groups,omitempty"`
	Roles  []string `yaml:"roles,omitempty"`
}

// Bounds of values.
const (
	maxProviders    = 20
	maxMappingRules = 500
	maxScopes       = 20
	minRecheck      = 10 * time.Second
	maxClockSkew    = 10 * time.Minute
)

// roles are those of internal/policy, which this package may not know.
var roles = []string{"administrator", "user", "supervisor", "reviewer"}

// sourceName is part of addresses and of users' sources.
var sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

func (i *Identity) derive() {
	for n := range i.OIDC {
		o := &i.OIDC[n]
		setDefault(&o.Label, o.Name)
		setDefault(&o.Claims.Username, "preferred_username")
		setDefault(&o.Claims.DisplayName, "name")
		setDefault(&o.Claims.Email, "email")
		setDefault(&o.Claims.Groups, "groups")
		if len(o.Scopes) == 0 {
			o.Scopes = []string{"openid", "profile", "email"}
		}
		if o.ClockSkew == 0 {
			o.ClockSkew = time.Minute
		}
	}
	for n := range i.LDAP {
		i.LDAP[n].derive()
	}
}

func (l *LDAP) derive() {
	setDefault(&l.Label, l.Name)
	setDefault(&l.Type, LDAPGeneric)
	if l.TLS.Mode == "" {
		l.TLS.Mode = LDAPSImplicit
		if strings.HasPrefix(l.URL, "ldap:") {
			l.TLS.Mode = LDAPStartTLS
		}
	}
	switch l.Type {
	case LDAPActiveDirectory:
		setDefault(&l.Users.Filter, "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={username})(userPrincipalName={username})))")
		setDefault(&l.Users.Disabled, "(userAccountControl:1.2.840.113556.1.4.803:=2)")
		setDefault(&l.Users.ID, "objectGUID")
		setDefault(&l.Users.Username, "sAMAccountName")
		setDefault(&l.Users.DisplayName, "displayName")
		setDefault(&l.Groups.Filter, map[bool]string{
			false: "(&(objectClass=group)(member={dn}))",
			true:  "(&(objectClass=group)(member:1.2.840.113556.1.4.1941:={dn}))",
		}[l.Groups.Nested])
	default:
		setDefault(&l.Users.Filter, "(&(objectClass=person)(uid={username}))")
		setDefault(&l.Users.ID, "entryUUID")
		setDefault(&l.Users.Username, "uid")
		setDefault(&l.Users.DisplayName, "cn")
		setDefault(&l.Groups.Filter, "(|(&(objectClass=groupOfNames)(member={dn}))(&(objectClass=groupOfUniqueNames)(uniqueMember={dn}))(&(objectClass=posixGroup)(memberUid={username})))")
	}
	setDefault(&l.Users.Email, "mail")
	setDefault(&l.Users.MemberOf, "memberOf")
	setDefault(&l.Groups.Name, "cn")
	if l.Timeout == 0 {
		l.Timeout = 10 * time.Second
	}
	if l.MaxGroups == 0 {
		l.MaxGroups = 1000
	}
}

func setDefault[T ~string](v *T, fallback T) {
	if *v == "" {
		*v = fallback
	}
}

func (v *validator) identity(c *Config) {
	i := &c.Identity
	v.oneOf("identity.mfa", string(i.MFA), string(MFAOff), string(MFAOptional), string(MFARequired))
	v.roles("identity.mfa_roles", i.MFARoles)
	if i.IdleTimeout < time.Minute || i.IdleTimeout > i.SignInLifetime {
		v.fail("identity.idle_timeout", "%v is not between 1m and sign_in_lifetime, which is %v", i.IdleTimeout, i.SignInLifetime)
	}
	if i.SignInLifetime > maxSignInLifetime {
		v.fail("identity.sign_in_lifetime", "%v is more than %v", i.SignInLifetime, maxSignInLifetime)
	}
	v.between("identity.min_password_length", int64(i.MinPasswordLength), minPasswordLength, maxPasswordLength)
	if i.MaxTokenLifetime < time.Hour || i.MaxTokenLifetime > maxTokenLifetime {
		v.fail("identity.max_token_lifetime", "%v is not between 1h and %v", i.MaxTokenLifetime, maxTokenLifetime)
	}
	if i.StepUpAge < time.Minute || i.StepUpAge > 24*time.Hour {
		v.fail("identity.step_up_age", "%v is not between 1m and 24h", i.StepUpAge)
	}
	if len(i.OIDC) > maxProviders || len(i.LDAP) > maxProviders {
		v.fail("identity", "has more than %d providers or directories", maxProviders)
		return
	}
	if len(i.OIDC) > 0 && c.HTTP.PublicURL == "" {
		v.fail("http.public_url", "is needed for identity.oidc: providers send people back to it")
	}
	seen := map[string]bool{}
	for n := range i.OIDC {
		path := fmt.Sprintf("identity.oidc[%d]", n)
		v.source(path, i.OIDC[n].Name, "oidc:", seen)
		v.oidc(path, &i.OIDC[n])
	}
	for n := range i.LDAP {
		path := fmt.Sprintf("identity.ldap[%d]", n)
		v.source(path, i.LDAP[n].Name, "ldap:", seen)
		v.ldap(path, &i.LDAP[n])
	}
}

func (v *validator) source(path, name, kind string, seen map[string]bool) {
	if !sourceName.MatchString(name) {
		v.fail(path+".name", "%q is not a name: 1 to 31 lower-case letters, digits and dashes", name)
	}
	if seen[kind+name] {
		v.fail(path+".name", "%q is the name of another", name)
	}
	seen[kind+name] = true
}

func (v *validator) oidc(path string, o *OIDC) {
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "https" && u.Scheme != "http"):
		v.fail(path+".issuer", "%q is not an address such as https://login.example.com", o.Issuer)
	case u.Scheme == "http" && !thisMachine(u.Hostname()):
		v.fail(path+".issuer", "%q is not https, so anybody on the way could sign in as anybody", o.Issuer)
	}
	v.required(path+".client_id", o.ClientID)
	if !slices.Contains(o.Scopes, "openid") {
		v.fail(path+".scopes", "lack openid")
	}
	if len(o.Scopes) > maxScopes {
		v.fail(path+".scopes", "are more than %d", maxScopes)
	}
	if o.ClockSkew < 0 || o.ClockSkew > maxClockSkew {
		v.fail(path+".clock_skew", "%v is not between 0 and %v", o.ClockSkew, maxClockSkew)
	}
	if o.CAFile != "" {
		v.readable(path+".ca_file", o.CAFile)
	}
	for n, domain := range o.AllowedDomains {
		if !hostName.MatchString(domain) {
			v.fail(fmt.Sprintf("%s.allowed_domains[%d]", path, n), "%q is not a domain", domain)
		}
	}
	v.mapping(path+".mapping", &o.Mapping)
}

func (v *validator) ldap(path string, l *LDAP) {
	v.oneOf(path+".type", string(l.Type), string(LDAPGeneric), string(LDAPActiveDirectory))
	v.oneOf(path+".tls.mode", string(l.TLS.Mode), string(LDAPSImplicit), string(LDAPStartTLS), string(LDAPPlain))
	u, err := url.Parse(l.URL)
	want := "ldap"
	if l.TLS.Mode == LDAPSImplicit {
		want = "ldaps"
	}
	if err != nil || u.Host == "" || u.Scheme != want || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		v.fail(path+".url", "%q is not %s://host or %s://host:port, as tls.mode %s wants", l.URL, want, want, l.TLS.Mode)
	} else if l.TLS.Mode == LDAPPlain && !thisMachine(u.Hostname()) {
		v.fail(path+".tls.mode", "is off and %s another machine: passwords would go over the network readable for all", u.Hostname())
	}
	if l.TLS.CAFile != "" {
		v.readable(path+".tls.ca_file", l.TLS.CAFile)
	}
	if l.BindDN == "" && !l.BindPassword.IsZero() {
		v.fail(path+".bind_dn", "is needed with a bind_password")
	}
	if l.BindDN != "" && l.BindPassword.IsZero() {
		v.fail(path+".bind_password", "is needed with a bind_dn: without one directories bind anonymously, whoever is named")
	}
	v.required(path+".users.base", l.Users.Base)
	if !strings.Contains(l.Users.Filter, "{username}") {
		v.fail(path+".users.filter", "%q does not hold {username}", l.Users.Filter)
	}
	if l.Groups.Base != "" && !strings.Contains(l.Groups.Filter, "{dn}") && !strings.Contains(l.Groups.Filter, "{username}") {
		v.fail(path+".groups.filter", "%q holds neither {dn} nor {username}", l.Groups.Filter)
	}
	if l.Groups.Nested && l.Type != LDAPActiveDirectory {
		v.fail(path+".groups.nested", "is by a rule of Active Directory; the type is %s", l.Type)
	}
	if l.Groups.Nested && l.Groups.Base == "" {
		v.fail(path+".groups.base", "is needed for nested groups")
	}
	if l.Timeout < time.Second || l.Timeout > time.Minute {
		v.fail(path+".timeout", "%v is not between 1s and 1m", l.Timeout)
	}
	v.between(path+".max_groups", int64(l.MaxGroups), 1, 10_000)
	if l.Recheck != 0 && (l.Recheck < minRecheck || l.Recheck > 24*time.Hour) {
		v.fail(path+".recheck", "%v is neither 0 nor between %v and 24h", l.Recheck, minRecheck)
	}
	v.mapping(path+".mapping", &l.Mapping)
}

func (v *validator) mapping(path string, m *Mapping) {
	v.roles(path+".roles", m.Roles)
	if len(m.Rules) > maxMappingRules {
		v.fail(path+".rules", "are %d, more than %d", len(m.Rules), maxMappingRules)
		return
	}
	for n, r := range m.Rules {
		at := fmt.Sprintf("%s.rules[%d]", path, n)
		v.required(at+".group", r.Group)
		if len(r.Groups) == 0 && len(r.Roles) == 0 {
			v.fail(at, "gives neither groups nor roles")
		}
		v.roles(at+".roles", r.Roles)
	}
}

func (v *validator) roles(path string, list []string) {
	for n, r := range list {
		v.oneOf(fmt.Sprintf("%s[%d]", path, n), r, roles...)
	}
}
