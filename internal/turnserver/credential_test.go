package turnserver

import (
	"crypto/x509"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGrant(t *testing.T) {
	g := grant{time.Unix(1700000000, 0), "01JA", "u:with:colons"}
	require.Equal(t, "1700000000:01JA:u:with:colons", g.String())
	back, err := parseGrant(g.String())
	require.NoError(t, err)
	require.Equal(t, g, back)
	for _, bad := range []string{
		"", ":", "::", "1", "1:", "1:s", "1:s:", "1::p", "x:s:p", "+1:s:p", "01:s:p", " 1:s:p", "9223372036854775808:s:p",
		"1:s:" + strings.Repeat("p", maxUsername),
	} {
		_, err := parseGrant(bad)
		require.ErrorIs(t, err, errUsername, bad)
	}
}

func TestPasswords(t *testing.T) {
	a, b := newSecret(), newSecret()
	require.NotEqual(t, a.password("1:s:p"), b.password("1:s:p"))
	require.NotEqual(t, a.password("1:s:p"), a.password("2:s:p"))
	require.Equal(t, a.password("1:s:p"), a.password("1:s:p"))
}

func TestReach(t *testing.T) {
	addr := netip.MustParseAddr
	r, err := newReach(addr("10.0.0.5"), []netip.Addr{addr("203.0.113.7"), addr("::ffff:203.0.113.8"), addr("2001:db8::1"), addr("10.0.0.5")})
	require.NoError(t, err)
	require.Equal(t, reach{
		addr("10.0.0.5"): addr("10.0.0.5"), addr("203.0.113.7"): addr("10.0.0.5"), addr("203.0.113.8"): addr("10.0.0.5"),
	}, r, "a public address without one inside of its family is none")
	require.True(t, r.family(true))
	require.False(t, r.family(false))

	for _, bind := range []netip.Addr{{}, addr("0.0.0.0"), addr("::")} {
		r, err = newReach(bind, []netip.Addr{addr("203.0.113.7")})
		require.NoError(t, err)
		require.Equal(t, addr("127.0.0.1"), r[addr("127.0.0.1")])
		require.Equal(t, addr("127.0.0.1"), r[addr("203.0.113.7")])
		own, err := net.InterfaceAddrs()
		require.NoError(t, err)
		require.LessOrEqual(t, len(r), len(own)+1)
	}
}

func FuzzParseGrant(f *testing.F) {
	for _, s := range []string{"1700000000:01JA:u", "1:s:", "::", "-1:s:p", "1:s:p:q"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g, err := parseGrant(s)
		if err != nil {
			return
		}
		if g.String() != s || g.session == "" || g.person == "" || strings.Contains(g.session, ":") {
			t.Fatalf("%q is read as %+v", s, g)
		}
	})
}

func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}
