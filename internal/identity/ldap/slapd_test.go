package ldap

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	people = "ou=people,dc=example,dc=org"
	teams  = "ou=groups,dc=example,dc=org"
	secret = "pass & word"
)

// directory is a slapd with people and groups.
type directory struct {
	t     *testing.T
	slapd *testbed.Slapd
	admin *ldap.Conn
}

func newDirectory(t *testing.T) *directory {
	if testing.Short() {
		t.Skip("starts slapd")
	}
	d := &directory{t: t, slapd: testbed.StartSlapd(t)}
	var err error
	d.admin, err = ldap.DialURL("ldap://" + d.slapd.Addr)
	require.NoError(t, err)
	t.Cleanup(func() { d.admin.Close() })
	require.NoError(t, d.admin.Bind(d.slapd.AdminDN, d.slapd.Password))
	for _, ou := range []string{"people", "groups", "elsewhere"} {
		d.add("ou="+ou+",dc=example,dc=org", "objectClass", "organizationalUnit", "ou", ou)
	}
	d.person("erin", "Erin Example", "erin@example.org")
	d.person("frank", "Frank (the * boss)", "frank@example.org")
	d.add("cn=vitrine,dc=example,dc=org", "objectClass", "organizationalRole", "objectClass", "simpleSecurityObject", "cn", "vitrine", "userPassword", "lookup")
	d.group("operators", teams, "erin", "frank")
	d.group("admins", "ou=elsewhere,dc=example,dc=org", "erin") // not below where groups are
	d.add("cn=unix,"+teams, "objectClass", "posixGroup", "cn", "unix", "gidNumber", "5", "memberUid", "erin")
	return d
}

func (d *directory) add(dn string, attributes ...string) {
	d.t.Helper()
	r := ldap.NewAddRequest(dn, nil)
	values := map[string][]string{}
	for i := 0; i < len(attributes); i += 2 {
		values[attributes[i]] = append(values[attributes[i]], attributes[i+1])
	}
	for name, list := range values {
		r.Attribute(name, list)
	}
	require.NoError(d.t, d.admin.Add(r))
}

func (d *directory) person(uid, cn, mail string) {
	d.add("uid="+uid+","+people, "objectClass", "inetOrgPerson", "uid", uid, "cn", cn, "sn", cn, "mail", mail, "userPassword", secret, "employeeType", "active")
}

func (d *directory) group(cn, base string, members ...string) {
	r := ldap.NewAddRequest("cn="+cn+","+base, nil)
	r.Attribute("objectClass", []string{"groupOfNames"})
	r.Attribute("cn", []string{cn})
	var dns []string
	for _, m := range members {
		dns = append(dns, "uid="+m+","+people)
	}
	r.Attribute("member", dns)
	require.NoError(d.t, d.admin.Add(r))
}

func (d *directory) set(uid, attribute string, values ...string) {
	r := ldap.NewModifyRequest("uid="+uid+","+people, nil)
	r.Replace(attribute, values)
	require.NoError(d.t, d.admin.Modify(r))
}

// open returns the Directory of a configuration file, so that its defaults are those of production.
func (d *directory) open(change ...func(*config.LDAP)) *Directory {
	d.t.Helper()
	_, port, _ := strings.Cut(d.slapd.TLSAddr, ":")
	cfg, err := config.Parse(fmt.Appendf(nil, `data_dir: data
identity:
  ldap:
    - {name: corp, url: "ldaps://localhost:%s", tls: {ca_file: %q}, bind_dn: "cn=vitrine,dc=example,dc=org", bind_password: lookup,
       users: {base: %q, disabled_filter: "(employeeType=gone)"}, groups: {base: %q}, recheck: 1m,
       mapping: {roles: [user], rules: [{group: operators, roles: [supervisor]}, {group: "CN=Unix, %s", groups: [unix people]}, {group: admins, roles: [administrator]}]}}
`, port, d.slapd.Cert.CertFile, people, teams, teams), d.t.TempDir(), nil)
	require.NoError(d.t, err)
	l := cfg.Identity.LDAP[0]
	for _, c := range change {
		c(&l)
	}
	dir, err := New(l, slog.New(slog.DiscardHandler))
	require.NoError(d.t, err)
	return dir
}

func TestSlapd(t *testing.T) {
	d := newDirectory(t)
	dir, ctx := d.open(), t.Context()
	erin, err := dir.SignIn(ctx, " Erin ", secret)
	require.NoError(t, err)
	require.Equal(t, "ldap:corp", erin.Source)
	require.Regexp(t, `^[0-9a-f-]{36}$`, erin.Subject)
	require.Equal(t, "erin", erin.Name)
	require.Equal(t, "Erin Example", erin.DisplayName)
	require.Equal(t, "erin@example.org", erin.Email)
	require.Equal(t, []string{"operators", "unix"}, erin.Groups, "memberOf and search, but none from elsewhere")
	require.Equal(t, identity.Mapping{
		Roles: identity.MappingOf(config.Mapping{Roles: []string{"user"}}).Roles,
		Rules: identity.MappingOf(config.Mapping{Rules: []config.MappingRule{
			{Group: "operators", Roles: []string{"supervisor"}}, {Group: "*", Groups: []string{"unix people"}}, {Group: "admins", Roles: []string{"administrator"}},
		}}).Rules,
	}, erin.Mapping)

	t.Run("refused", func(t *testing.T) {
		for _, tc := range []struct{ name, user, password string }{
			{"wrong password", "erin", "wrong"},
			{"empty password: slapd would bind anonymously", "erin", ""},
			{"unknown", "nobody", secret},
			{"empty name", "", secret},
			{"everybody", "*", secret},
			{"a prefix", "eri*", secret},
			{"an injected filter", "erin)(uid=*))(|(uid=*", secret},
			{"an injected or", "x)(|(uid=erin)", secret},
			{"an escape", `\65rin`, secret},
			{"a NUL", "erin\x00", secret},
			{"a line", "erin\n", secret + "\n"},
			{"bytes that are no text", "erin\xff", secret},
			{"a distinguished name", "uid=erin," + people, secret},
			{"endless name", strings.Repeat("e", 10_000), secret},
			{"endless password", "erin", strings.Repeat("p", 10_000)},
			{"Vitrine's own account", "vitrine", "lookup"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				_, err := dir.SignIn(ctx, tc.user, tc.password)
				require.ErrorIs(t, err, ErrRefused)
				require.ErrorIs(t, err, identity.ErrBadCredentials)
			})
		}
	})
	t.Run("names that look like filters are found by what they are", func(t *testing.T) {
		d.person("we(i)rd*", "Weird", "w@example.org")
		who, err := dir.SignIn(ctx, "we(i)rd*", secret)
		require.NoError(t, err)
		require.Equal(t, "we(i)rd*", who.Name)
	})
	t.Run("two of one name", func(t *testing.T) {
		d.add("uid=twin,"+people, "objectClass", "inetOrgPerson", "uid", "twin", "cn", "a", "sn", "a", "userPassword", secret)
		d.add("cn=twin,"+people, "objectClass", "inetOrgPerson", "uid", "twin", "cn", "twin", "sn", "a", "userPassword", secret)
		_, err := dir.SignIn(ctx, "twin", secret)
		require.ErrorIs(t, err, ErrRefused)
	})
	t.Run("StartTLS", func(t *testing.T) {
		_, port, _ := strings.Cut(d.slapd.Addr, ":")
		who, err := d.open(func(l *config.LDAP) { l.URL, l.TLS.Mode = "ldap://localhost:"+port, config.LDAPStartTLS }).SignIn(ctx, "erin", secret)
		require.NoError(t, err)
		require.Equal(t, erin.Subject, who.Subject)
	})
	t.Run("a certificate that is not trusted", func(t *testing.T) {
		other := testbed.NewCert(t, "localhost")
		_, port, _ := strings.Cut(d.slapd.Addr, ":")
		for name, change := range map[string]func(*config.LDAP){
			"another authority": func(l *config.LDAP) { l.TLS.CAFile = other.CertFile },
			"the system's":      func(l *config.LDAP) { l.TLS.CAFile = "" },
			"another name":      func(l *config.LDAP) { l.TLS.ServerName = "ldap.example.org" },
			"by StartTLS": func(l *config.LDAP) {
				l.URL, l.TLS.Mode, l.TLS.CAFile = "ldap://localhost:"+port, config.LDAPStartTLS, other.CertFile
			},
		} {
			_, err := d.open(change).SignIn(ctx, "erin", secret)
			require.ErrorIs(t, err, ErrUnreachable, name)
			require.NotErrorIs(t, err, ErrRefused, name)
			require.NotContains(t, err.Error(), secret)
			require.NotContains(t, err.Error(), "lookup")
		}
	})
	t.Run("Vitrine's own password is wrong", func(t *testing.T) {
		_, err := d.open(func(l *config.LDAP) { l.BindPassword = config.NewSecret("wrong") }).SignIn(ctx, "erin", secret)
		require.ErrorIs(t, err, ErrUnreachable)
		require.NotErrorIs(t, err, identity.ErrBadCredentials, "it is not the person's fault")
	})
	t.Run("disabled", func(t *testing.T) {
		who, err := dir.SignIn(ctx, "frank", secret)
		require.NoError(t, err)
		require.Equal(t, "Frank (the * boss)", who.DisplayName)
		d.set("frank", "employeeType", "gone")
		_, err = dir.SignIn(ctx, "frank", secret)
		require.ErrorIs(t, err, ErrRefused)
		_, err = dir.Look(ctx, who.Subject)
		require.ErrorIs(t, err, ErrGone)
		d.set("frank", "employeeType", "active")
		again, err := dir.Look(ctx, who.Subject)
		require.NoError(t, err)
		require.Equal(t, who, again)
		require.NoError(t, d.admin.Del(ldap.NewDelRequest("uid=frank,"+people, nil)))
		_, err = dir.Look(ctx, who.Subject)
		require.ErrorIs(t, err, ErrGone)
	})
	t.Run("a new person of an old name is another", func(t *testing.T) {
		d.person("frank", "Frank the second", "frank@example.org")
		_, err := dir.SignIn(ctx, "frank", secret)
		require.NoError(t, err)
	})
	t.Run("too many groups", func(t *testing.T) {
		for i := range 4 {
			d.group(fmt.Sprint("more", i), teams, "erin")
		}
		_, err := d.open(func(l *config.LDAP) { l.MaxGroups = 3 }).SignIn(ctx, "erin", secret)
		require.ErrorIs(t, err, ErrUnreachable)
		require.ErrorContains(t, err, "more than 3")
	})
	t.Run("it leaves when asked to", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_, err := dir.SignIn(ctx, "erin", secret)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("down", func(t *testing.T) {
		d.slapd.Stop()
		_, err := dir.SignIn(ctx, "erin", secret)
		require.ErrorIs(t, err, ErrUnreachable)
		_, err = dir.Look(ctx, erin.Subject)
		require.ErrorIs(t, err, ErrUnreachable)
		require.NotErrorIs(t, err, ErrGone, "nobody is signed out because of that")
		d.slapd.Start(t)
		_, err = dir.SignIn(ctx, "erin", secret)
		require.NoError(t, err)
	})
}

func TestNewRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(empty, []byte("nothing"), 0o600))
	_, err := New(config.LDAP{Name: "a", URL: "ldaps://x.test", TLS: config.LDAPTLS{CAFile: empty}, Timeout: time.Second}, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "holds no certificate")
}
