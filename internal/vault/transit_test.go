package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/internal/vaultapi"
	"github.com/vitrine-psm/vitrine/internal/vaultapi/vaultapitest"
)

// engine is a server with a transit engine, the fake one or HashiCorp's own, that knows the keys "vitrine" and "other".
type engine struct {
	server config.VaultServer
	do     func(method, path string, body any) // as root, what must come to a good end
	forbid func()                              // takes the gateway's rights away
}

func eachEngine(t *testing.T, test func(t *testing.T, e *engine)) {
	t.Run("fake", func(t *testing.T) { test(t, fakeEngine(t)) })
	t.Run("real", func(t *testing.T) {
		if testing.Short() {
			t.Skip("starts a HashiCorp Vault")
		}
		test(t, realEngine(t))
	})
}

func fakeEngine(t *testing.T) *engine {
	t.Helper()
	f := vaultapitest.Start(t)
	secret := filepath.Join(t.TempDir(), "secret-id")
	require.NoError(t, os.WriteFile(secret, []byte(vaultapitest.SecretID), 0o600))
	root, err := vaultapi.New(config.VaultServer{Address: f.URL, CAFile: f.CAFile, Token: config.NewSecret(vaultapitest.RootToken)})
	require.NoError(t, err)
	e := &engine{
		server: config.VaultServer{Name: "corp", Address: f.URL, CAFile: f.CAFile, AppRole: &config.AppRole{Mount: "approle", RoleID: vaultapitest.RoleID, SecretIDFile: secret}},
		do: func(_, path string, body any) {
			t.Helper()
			b := []byte("{}")
			if m, ok := body.(map[string]any); ok {
				b = fmt.Appendf(nil, `{"min_decryption_version":%v}`, m["min_decryption_version"])
			}
			_, err := root.Post(t.Context(), path, b)
			require.NoError(t, err)
		},
		forbid: func() {
			f.With(func(s *vaultapitest.State) {
				s.Answer = func(w http.ResponseWriter, r *http.Request) bool {
					if strings.Contains(r.URL.Path, "/transit/") {
						w.WriteHeader(http.StatusForbidden)
						return true
					}
					return false
				}
			})
		},
	}
	e.do("POST", "transit/keys/vitrine", nil)
	e.do("POST", "transit/keys/other", nil)
	return e
}

// gatewayPolicy is what the documentation tells people to give a gateway.
const gatewayPolicy = `
path "transit/encrypt/vitrine" { capabilities = ["update"] }
path "transit/decrypt/vitrine" { capabilities = ["update"] }
path "transit/rewrap/vitrine"  { capabilities = ["update"] }
`

func realEngine(t *testing.T) *engine {
	t.Helper()
	v := testbed.StartVault(t)
	e := &engine{do: func(method, path string, body any) { t.Helper(); v.Must(method, path, body) }}
	e.do("POST", "sys/mounts/transit", map[string]any{"type": "transit"})
	e.do("POST", "transit/keys/vitrine", nil)
	e.do("POST", "transit/keys/other", nil)
	e.do("POST", "sys/auth/approle", map[string]any{"type": "approle"})
	e.do("POST", "sys/policies/acl/gateway", map[string]any{"policy": gatewayPolicy})
	e.do("POST", "auth/approle/role/gateway", map[string]any{"token_policies": "gateway", "token_ttl": "1h"})
	role := v.Must("GET", "auth/approle/role/gateway/role-id", nil)["data"].(map[string]any)["role_id"].(string)
	id := v.Must("POST", "auth/approle/role/gateway/secret-id", map[string]any{})["data"].(map[string]any)["secret_id"].(string)
	secret := filepath.Join(t.TempDir(), "secret-id")
	require.NoError(t, os.WriteFile(secret, []byte(id), 0o600))
	e.server = config.VaultServer{Name: "corp", Address: v.URL, CAFile: v.CAFile, AppRole: &config.AppRole{Mount: "approle", RoleID: role, SecretIDFile: secret}}
	e.forbid = func() { e.do("DELETE", "sys/policies/acl/gateway", nil) }
	return e
}

func (e *engine) open(t *testing.T, f *fixture, change ...func(*config.Transit)) *Vault {
	t.Helper()
	c := config.Secrets{MasterKeyFile: f.path, Transit: config.Transit{Vault: "corp", Mount: "transit", Key: "vitrine", Timeout: 10 * time.Second}}
	for _, change := range change {
		change(&c.Transit)
	}
	v, err := f.try(t, c, e.server)
	require.NoError(t, err)
	return v
}

func row(t *testing.T, f *fixture, purpose Purpose, record string) store.SealedSecret {
	t.Helper()
	s, err := f.db.Secrets.Get(t.Context(), string(purpose), record)
	require.NoError(t, err)
	return s
}

// TestTransit: keys of recordings are wrapped by the engine and by nothing else, and open only as what they are.
func TestTransit(t *testing.T) {
	eachEngine(t, func(t *testing.T, e *engine) {
		f := newFixture(t)
		v := e.open(t, f)
		require.NoError(t, v.Check(t.Context()))
		require.NoError(t, v.Seal(t.Context(), RecordingKey, "one", []byte("first")))
		require.NoError(t, v.Seal(t.Context(), RecordingKey, "two", []byte("second")))
		require.NoError(t, v.Seal(t.Context(), TOTPSeed, "u", []byte("seed")))
		one, two := row(t, f, RecordingKey, "one"), row(t, f, RecordingKey, "two")
		require.Equal(t, "transit:transit/vitrine:v1", one.KeyID)
		require.True(t, bytes.HasPrefix(one.DataKey, []byte("vault:v1:")))
		require.False(t, isTransit(row(t, f, TOTPSeed, "u").KeyID), "a Vault that is away keeps nobody from signing in")

		again := e.open(t, f)
		for record, want := range map[string]string{"one": "first", "two": "second"} {
			got, err := again.Open(t.Context(), RecordingKey, record)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		}
		// A wrapped key in another row does not open there.
		swapped := two
		swapped.DataKey = one.DataKey
		require.NoError(t, f.db.Secrets.Put(t.Context(), swapped))
		_, err := e.open(t, f).Open(t.Context(), RecordingKey, "two")
		require.ErrorIs(t, err, ErrCorrupt)
		// Nor does one that was changed, is of a key there is not, or is no wrapped key at all.
		for name, change := range map[string]func(s *store.SealedSecret){
			"changed":     func(s *store.SealedSecret) { s.DataKey[len(s.DataKey)-6] ^= 3 },
			"too new":     func(s *store.SealedSecret) { s.DataKey = bytes.Replace(s.DataKey, []byte(":v1:"), []byte(":v9:"), 1) },
			"other key":   func(s *store.SealedSecret) { s.KeyID = "transit:transit/other:v1" },
			"other mount": func(s *store.SealedSecret) { s.KeyID = "transit:transit2/vitrine:v1" },
			"no text":     func(s *store.SealedSecret) { s.DataKey = []byte(`vault:v1:"},{"ciphertext":"x`) },
		} {
			require.NoError(t, f.db.Secrets.Put(t.Context(), with(one, change)))
			_, err := e.open(t, f).Open(t.Context(), RecordingKey, "one")
			require.Error(t, err, name)
			require.True(t, errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNoKey) || errors.Is(err, ErrUnavailable), "%s: %v", name, err)
		}
		// Without the engine nothing of it opens, and the log says so.
		require.NoError(t, f.db.Secrets.Put(t.Context(), one))
		f.log.Reset()
		v = f.open(t)
		_, err = v.Open(t.Context(), RecordingKey, "one")
		require.ErrorIs(t, err, ErrNoKey)
		require.Contains(t, f.log.String(), "master key that is not there")
	})
}

// TestTransitRotates: a new version wraps what is new, rewrapping brings the rest under it, and then the old one may go. A key that
// is taken away is said to be.
func TestTransitRotates(t *testing.T) {
	eachEngine(t, func(t *testing.T, e *engine) {
		f := newFixture(t)
		local := f.open(t)
		const n = rewrapMost + 3
		for i := range n {
			require.NoError(t, local.Seal(t.Context(), RecordingKey, fmt.Sprintf("%04d", i), fmt.Append(nil, "key ", i)))
		}
		require.NoError(t, local.Seal(t.Context(), AccountPassword, "a", []byte("password")))
		_, err := local.Rewrap(t.Context())
		require.ErrorIs(t, err, ErrNoTransit)

		// From the master key to the engine.
		v := e.open(t, f)
		r, err := v.Rewrap(t.Context())
		require.NoError(t, err)
		require.Equal(t, Rewrapping{"transit:transit/vitrine:v1", n}, r)
		master := row(t, f, AccountPassword, "a").KeyID
		list, err := v.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, []KeyStatus{{ID: master, Secrets: 1, Seals: true, Known: true}, {ID: r.KeyID, Secrets: n, Seals: true, Known: true, Elsewhere: true}}, list)

		// To a new version of its key; a master key that is replaced meanwhile leaves it alone.
		e.do("POST", "transit/keys/vitrine/rotate", nil)
		require.NoError(t, v.Seal(t.Context(), RecordingKey, "new", []byte("fresh")))
		require.Equal(t, "transit:transit/vitrine:v2", row(t, f, RecordingKey, "new").KeyID)
		before := row(t, f, RecordingKey, "0007")
		rotated, err := v.Rotate(t.Context(), true)
		require.NoError(t, err)
		require.Equal(t, 1, rotated.Rewrapped)
		require.Equal(t, before, row(t, f, RecordingKey, "0007"))
		list, err = v.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, []KeyStatus{
			{ID: rotated.KeyID, Secrets: 1, Seals: true, Known: true},
			{ID: "transit:transit/vitrine:v2", Secrets: 1, Seals: true, Known: true, Elsewhere: true},
			{ID: "transit:transit/vitrine:v1", Secrets: n, Known: true, Elsewhere: true},
		}, list)
		r, err = v.Rewrap(t.Context())
		require.NoError(t, err)
		require.Equal(t, Rewrapping{"transit:transit/vitrine:v2", n}, r)
		after := row(t, f, RecordingKey, "0007")
		require.Equal(t, before.Ciphertext, after.Ciphertext)
		require.NotEqual(t, before.DataKey, after.DataKey)
		e.do("POST", "transit/keys/vitrine/config", map[string]any{"min_decryption_version": 2})
		got, err := e.open(t, f).Open(t.Context(), RecordingKey, "0007")
		require.NoError(t, err)
		require.Equal(t, "key 7", string(got))
		require.NoError(t, f.db.Secrets.Put(t.Context(), before))
		_, err = e.open(t, f).Open(t.Context(), RecordingKey, "0007")
		require.ErrorIs(t, err, ErrUnavailable, "the version it needs is not to be used any more")
		require.ErrorContains(t, err, "refused (400)")
		require.NoError(t, f.db.Secrets.Put(t.Context(), after))

		// And back to the master key.
		v = e.open(t, f, func(c *config.Transit) { c.Retired = true })
		require.NoError(t, v.Seal(t.Context(), RecordingKey, "newer", []byte("here")))
		r, err = v.Rewrap(t.Context())
		require.NoError(t, err)
		require.Equal(t, Rewrapping{rotated.KeyID, n + 1}, r)
		got, err = f.open(t).Open(t.Context(), RecordingKey, "0007")
		require.NoError(t, err)
		require.Equal(t, "key 7", string(got))

		v = e.open(t, f)
		e.forbid()
		require.ErrorIs(t, v.Check(t.Context()), ErrUnavailable)
		err = v.Seal(t.Context(), RecordingKey, "late", []byte("x"))
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorContains(t, err, "403")
		_, err = f.db.Secrets.Get(t.Context(), string(RecordingKey), "late")
		require.ErrorIs(t, err, store.ErrNotFound)
		list, err = v.Status(t.Context())
		require.NoError(t, err)
		require.Contains(t, list[len(list)-1].Problem, "403")
	})
}

// TestTransitAway: what fails says so in bounded time, nothing is sealed, what was opened lately still opens for a while, and what
// a server makes up is not believed.
func TestTransitAway(t *testing.T) {
	server := vaultapitest.Start(t)
	f, e := newFixture(t), &engine{server: config.VaultServer{Name: "corp", Address: server.URL, CAFile: server.CAFile, Token: config.NewSecret(vaultapitest.RootToken)}}
	v := e.open(t, f, func(c *config.Transit) { c.Timeout = 400 * time.Millisecond; c.Cache = time.Minute })
	require.ErrorContains(t, v.Check(t.Context()), "there is no such key")
	root, err := vaultapi.New(e.server)
	require.NoError(t, err)
	_, err = root.Post(t.Context(), "transit/keys/vitrine", []byte("{}"))
	require.NoError(t, err)
	require.NoError(t, v.Seal(t.Context(), RecordingKey, "one", []byte("first")))
	for name, answer := range map[string]func(w http.ResponseWriter){
		"sealed":          func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"hangs":           func(http.ResponseWriter) { time.Sleep(600 * time.Millisecond) },
		"no results":      func(w http.ResponseWriter) { fmt.Fprint(w, `{"data":{"batch_results":[]}}`) },
		"too many":        func(w http.ResponseWriter) { fmt.Fprint(w, `{"data":{"batch_results":[{},{}]}}`) },
		"no key":          func(w http.ResponseWriter) { fmt.Fprint(w, `{"data":{"batch_results":[{"ciphertext":"vault:v1:"}]}}`) },
		"an error within": func(w http.ResponseWriter) { fmt.Fprint(w, `{"data":{"batch_results":[{"error":"no"}]}}`) },
		"no JSON":         func(w http.ResponseWriter) { fmt.Fprint(w, `<html>`) },
	} {
		server.With(func(s *vaultapitest.State) {
			s.Answer = func(w http.ResponseWriter, _ *http.Request) bool { answer(w); return true }
		})
		require.ErrorIs(t, v.Seal(t.Context(), RecordingKey, "two", []byte("second")), ErrUnavailable, name)
		require.ErrorIs(t, v.Check(t.Context()), ErrUnavailable, name)
		_, err := f.db.Secrets.Get(t.Context(), string(RecordingKey), "two")
		require.ErrorIs(t, err, store.ErrNotFound, name)
	}
	server.With(func(s *vaultapitest.State) { s.Answer = nil })
	server.Stop()
	require.ErrorIs(t, v.Check(t.Context()), ErrUnavailable)
	got, err := v.Open(t.Context(), RecordingKey, "one")
	require.NoError(t, err, "it was made a moment ago")
	require.Equal(t, "first", string(got))
	require.NoError(t, v.Forget(t.Context(), RecordingKey, "one"))
	_, err = v.Open(t.Context(), RecordingKey, "one")
	require.ErrorIs(t, err, ErrNotFound, "shredded is shredded")

	server.Start()
	require.NoError(t, v.Seal(t.Context(), RecordingKey, "one", []byte("first")))
	server.Stop()
	v.transit.opened.now = func() time.Time { return time.Now().Add(time.Minute) }
	_, err = v.Open(t.Context(), RecordingKey, "one")
	require.ErrorIs(t, err, ErrUnavailable)
	require.Empty(t, v.transit.opened.keys)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, v.Seal(ctx, RecordingKey, "one", nil))
}

// TestBinding: what the engine encrypts says whose key it is.
func TestBinding(t *testing.T) {
	one, two := store.SealedSecret{Purpose: "p", RecordID: "one"}, store.SealedSecret{Purpose: "p", RecordID: "two"}
	key := bytes.Repeat([]byte{7}, keyBytes)
	b := payload(&one, key)
	got, err := keyOf(&one, b)
	require.NoError(t, err)
	require.Equal(t, key, got)
	_, err = keyOf(&two, b)
	require.ErrorIs(t, err, ErrCorrupt)
	for _, bad := range [][]byte{nil, b[:len(b)-1], append(bytes.Clone(b), 0), append([]byte{9}, b[1:]...)} {
		_, err := keyOf(&one, bad)
		require.ErrorIs(t, err, ErrCorrupt)
	}
}

func TestOpenedKeysAreBounded(t *testing.T) {
	o := openedKeys{life: time.Minute, now: time.Now, keys: map[[32]byte]openedKey{}}
	for i := range 2 * maxOpenedKeys {
		o.keep(fmt.Append(nil, i), []byte{1})
	}
	require.Len(t, o.keys, maxOpenedKeys)
	key, ok := o.get(fmt.Append(nil, 2*maxOpenedKeys-1))
	require.True(t, ok)
	key[0] = 9
	key, _ = o.get(fmt.Append(nil, 2*maxOpenedKeys-1))
	require.Equal(t, []byte{1}, key, "it is a copy")
	o.life = 0
	o.keep([]byte("x"), []byte{1})
	_, ok = o.get([]byte("x"))
	require.False(t, ok)
}

// FuzzTransitAnswer: whatever a server answers, nothing panics, and only texts that can be put into JSON as they are pass as wrapped keys.
func FuzzTransitAnswer(f *testing.F) {
	f.Add([]byte(`{"data":{"batch_results":[{"ciphertext":"vault:v1:AAAA","key_version":1}]}}`))
	f.Add([]byte(`{"data":{"batch_results":[{"plaintext":"AA\u0041="}]}}`))
	f.Add([]byte(`{"data":{"batch_results":[{"error":"x"}]}}`))
	f.Add([]byte(`{"data":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		results, err := parseBatch(b, 1)
		if err != nil {
			return
		}
		text := []byte(results[0].Ciphertext)
		version, err := wrappedVersion(text)
		if err == nil && (version < 1 || bytes.ContainsAny(text, "\"\\\r\n") || len(text) > maxWrapped) {
			t.Errorf("%q passes as version %d", text, version)
		}
	})
}
