package ldap

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
)

// hostile is a directory on one port that says to each connection what say writes, and then nothing more.
func hostile(t *testing.T, say func(net.Conn)) *Directory {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() { // ends when the listener is closed
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			say(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	d, err := New(config.LDAP{
		Name: "bad", URL: "ldap://" + l.Addr().String(), TLS: config.LDAPTLS{Mode: config.LDAPPlain}, BindDN: "cn=v", BindPassword: config.NewSecret("p"),
		Users: config.LDAPUsers{Base: "dc=x", Filter: "(uid={username})", ID: "id", Username: "uid"}, Timeout: time.Second, MaxGroups: 10,
	}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return d
}

func TestHostileDirectory(t *testing.T) {
	for name, say := range map[string]func(net.Conn){
		"hangs up": func(net.Conn) {},
		"says nothing": func(c net.Conn) {
			_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
			for b := make([]byte, 512); ; {
				if _, err := c.Read(b); err != nil {
					return
				}
			}
		},
		"HTTP":               func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n") },
		"a message of 2 GiB": func(c net.Conn) { _, _ = c.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x02}) },
		"endless nesting":    func(c net.Conn) { _, _ = c.Write([]byte(strings.Repeat("\x30\x80", 100_000))) },
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := hostile(t, say).SignIn(t.Context(), "erin", "x")
			require.ErrorIs(t, err, ErrUnreachable)
			require.Less(t, time.Since(start), 10*time.Second)
		})
	}
}

func TestSubjects(t *testing.T) {
	guid := []byte{0x12, 0x00, 0xff, '*', '(', ')', '\\', 0x80, 1, 2, 3, 4, 5, 6, 7, 8}
	for _, tc := range []struct {
		raw         []byte
		subject, in string
	}{
		{[]byte("0c5b2c8e-uuid"), "0c5b2c8e-uuid", "0c5b2c8e-uuid"},
		{guid, "hex:1200ff2a28295c800102030405060708", `\12\00\ff\2a\28\29\5c\80\01\02\03\04\05\06\07\08`},
		{[]byte("hex:00"), "hex:6865783a3030", `\68\65\78\3a\30\30`},
		{[]byte("a)(b=*"), "a)(b=*", `a\29\28b=\2a`},
		{nil, "", ""},
		{[]byte(strings.Repeat("x", 200)), "", ""},
	} {
		require.Equal(t, tc.subject, subjectOf(tc.raw))
		require.Equal(t, tc.in, escapeSubject(tc.subject))
	}
}

func TestGroupsByDistinguishedName(t *testing.T) {
	dn, err := ldap.ParseDN("CN=Ops Team,OU=Groups,DC=example,DC=org")
	require.NoError(t, err)
	g := groups{names: []string{"Ops Team"}, dns: []*ldap.DN{dn}}
	names, m := g.apply(identity.Mapping{Rules: []identity.MappingRule{
		{Group: "cn=ops team, ou=groups, dc=EXAMPLE, dc=org", Groups: []string{"a"}},
		{Group: "cn=ops team,ou=evil,dc=example,dc=org", Groups: []string{"b"}},
		{Group: "Ops Team", Groups: []string{"c"}},
	}})
	require.Equal(t, []string{"Ops Team"}, names)
	require.Equal(t, []identity.MappingRule{{Group: "*", Groups: []string{"a"}}, {Group: "Ops Team", Groups: []string{"c"}}}, m.Rules)
}

// FuzzFill: whatever is typed stays a value of the filter it was put into.
func FuzzFill(f *testing.F) {
	for _, s := range []string{"erin", "*", "a)(uid=*", `\2a`, "\x00", "{dn}", "{username}"} {
		f.Add(s)
	}
	const filter = "(&(objectClass=person)(uid={username}))"
	f.Fuzz(func(t *testing.T, name string) {
		text := fill(filter, map[string]string{"{username}": name})
		p, err := ldap.CompileFilter(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if p.Tag != ldap.FilterAnd || len(p.Children) != 2 || p.Children[1].Tag != ldap.FilterEqualityMatch {
			t.Fatalf("%q is another filter", text)
		}
		if got := p.Children[1].Children[1].Data.String(); got != name {
			t.Fatalf("%q became %q", name, got)
		}
	})
}

func FuzzSubject(f *testing.F) {
	f.Add([]byte("abc"))
	f.Add([]byte{0, 0xff, '*'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := subjectOf(raw)
		if s == "" {
			return
		}
		p, err := ldap.CompileFilter("(id=" + escapeSubject(s) + ")")
		if err != nil {
			t.Fatal(err)
		}
		if p.Tag != ldap.FilterEqualityMatch || p.Children[1].Data.String() != string(raw) {
			t.Fatalf("%x became %x", raw, p.Children[1].Data.String())
		}
	})
}
