package vaultapi

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/vaultapi/vaultapitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func client(t *testing.T, s config.VaultServer) *Client {
	t.Helper()
	c, err := New(s)
	require.NoError(t, err)
	return c
}

func TestAppRole(t *testing.T) {
	v := vaultapitest.Start(t)
	v.With(func(s *vaultapitest.State) { s.Secrets["x"] = map[string]any{"a": "b"} })
	server := config.VaultServer{
		Name: "corp", Address: v.URL, CAFile: v.CAFile, Namespace: "team",
		AppRole: &config.AppRole{Mount: "approle", RoleID: vaultapitest.RoleID, SecretIDFile: file(t, vaultapitest.SecretID+"\n")},
	}
	c := client(t, server)
	logins := func() (n int) {
		v.With(func(s *vaultapitest.State) { n = s.Logins })
		return n
	}
	get := func() error {
		_, err := c.Get(t.Context(), "secret/data/x")
		return err
	}
	require.NoError(t, get())
	require.NoError(t, get())
	require.Equal(t, 1, logins(), "one sign-in for many requests")
	v.With(func(s *vaultapitest.State) {
		s.Tokens = map[string]bool{}
		for _, r := range s.Requests {
			require.Equal(t, "team", r.Header.Get("X-Vault-Namespace"), "also of the sign-in")
		}
	})
	require.NoError(t, get(), "a revoked token is replaced")
	require.Equal(t, 2, logins())
	c.now = func() time.Time { return time.Now().Add(40 * 24 * time.Hour) }
	require.NoError(t, get(), "and so is one that has expired")
	require.Equal(t, 3, logins())
	require.NoError(t, os.WriteFile(server.AppRole.SecretIDFile, []byte("wr0ng-id"), 0o600))
	c.forget("s.app3")
	err := get()
	require.ErrorContains(t, err, "sign in by approle: it answered 400")
	require.NotContains(t, err.Error(), "wr0ng")
}

// TestHostile: neither the token nor the path of a secret gets to anybody but the server whose certificate is right, nor into errors.
func TestHostile(t *testing.T) {
	v := vaultapitest.Start(t)
	server := config.VaultServer{Name: "corp", Address: v.URL, Token: config.NewSecret(vaultapitest.RootToken)}
	get := func(s config.VaultServer) error {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err := client(t, s).Get(ctx, "secret/data/servers/build")
		require.Error(t, err)
		require.NotContains(t, err.Error(), vaultapitest.RootToken)
		require.NotContains(t, err.Error(), "servers/build")
		return err
	}
	require.ErrorContains(t, get(server), "certificate", "not of these authorities")
	v.With(func(s *vaultapitest.State) { require.Empty(t, s.Requests, "the token was not sent") })
	server.CAFile = v.CAFile
	require.ErrorIs(t, get(server), ErrNotFound)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed to %s with %q", r.URL, r.Header.Get("X-Vault-Token"))
	}))
	defer elsewhere.Close()
	for want, answer := range map[string]func(w http.ResponseWriter){
		"it answered 307": func(w http.ResponseWriter) {
			w.Header().Set("Location", elsewhere.URL+"/v1/secret/data/servers/build")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"more than 1048576 bytes": func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, maxAnswerBytes+1)) },
		"deadline exceeded":       func(http.ResponseWriter) { time.Sleep(900 * time.Millisecond) },
	} {
		v.With(func(s *vaultapitest.State) {
			s.Answer = func(w http.ResponseWriter, _ *http.Request) bool { answer(w); return true }
		})
		require.ErrorContains(t, get(server), want)
	}
	v.With(func(s *vaultapitest.State) { s.Answer, s.Tokens = nil, map[string]bool{} })
	require.ErrorIs(t, get(server), ErrForbidden)
	// The file of a token is read again each time.
	server.Token, server.TokenFile = config.Secret{}, file(t, "two\nlines")
	require.ErrorContains(t, get(server), "does not hold one line")
	_, err := New(config.VaultServer{CAFile: file(t, "nothing")})
	require.ErrorContains(t, err, "holds no certificate")
}

// TestTriesAgain: what may pass is tried three times and no more, nothing else is, and a wait never outlasts the caller.
func TestTriesAgain(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		bad     int // answers of that status, before good ones
		limit   time.Duration
		asked   int
		waited  time.Duration
		succeed bool
	}{
		"sealed for a moment":    {503, 2, time.Minute, 3, firstWait + 3*firstWait, true},
		"sealed":                 {503, 9, time.Minute, 3, firstWait + 3*firstWait, false},
		"too many requests":      {429, 1, time.Minute, 2, firstWait, true},
		"a standby node":         {412, 1, time.Minute, 2, firstWait, true},
		"no such key":            {400, 9, time.Minute, 1, 0, false},
		"no right":               {403, 9, time.Minute, 1, 0, false},
		"no time for a new try":  {503, 9, firstWait / 2, 1, 0, false},
		"no time for a third":    {503, 9, 2 * firstWait, 2, firstWait, false},
		"connections are broken": {0, 2, time.Minute, 3, firstWait + 3*firstWait, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				api := client(t, config.VaultServer{Name: "corp", Address: "http://vault.test", Token: config.NewSecret("x")})
				api.http.Transport = transport(func(*http.Request) (*http.Response, error) {
					if asked++; asked > c.bad {
						rec := httptest.NewRecorder()
						fmt.Fprint(rec, "{}")
						return rec.Result(), nil
					}
					if c.status == 0 {
						return nil, net.ErrClosed
					}
					rec := httptest.NewRecorder()
					rec.WriteHeader(c.status)
					return rec.Result(), nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				began := time.Now()
				_, err := api.Post(ctx, "transit/encrypt/k", []byte("{}"))
				require.Equal(t, c.succeed, err == nil, "%v", err)
				require.Equal(t, c.asked, asked)
				require.Equal(t, c.waited, time.Since(began))
			})
		})
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
