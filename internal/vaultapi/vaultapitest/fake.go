// Package vaultapitest has a server for tests that answers as HashiCorp Vault 1.x does, for the requests that packages here send:
// the bodies have the shape its API documents, with what is not read left in. Tests that run on it run on a real one too
// (testbed.StartVault), so that it stays true.
package vaultapitest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// RootToken may do everything.
const RootToken = "s.root"

// AppRole of the fake, at auth/approle.
const (
	RoleID   = "gateway"
	SecretID = "s3cret-id"
)

// Fake is the server. Its fields are read and set by way of With, which holds its lock.
type Fake struct {
	URL    string
	CAFile string

	t      testing.TB
	addr   string
	server *httptest.Server // nil: stopped

	mu sync.Mutex
	State
}

// State is what the server knows.
type State struct {
	Tokens   map[string]bool
	Secrets  map[string]map[string]any // of the KV store "secret", by path
	Requests []*http.Request
	Logins   int
	Lease    int                                               // seconds, of an AppRole's token
	Answer   func(w http.ResponseWriter, r *http.Request) bool // asked first; true: it has answered

	keys map[string]*transitKey
}

// transitKey is a key of the transit engine.
type transitKey struct {
	versions [][]byte
	oldest   int // version that opens
}

// Start starts a server that knows RootToken and nothing else. It ends with the test.
func Start(t testing.TB) *Fake {
	t.Helper()
	f := &Fake{t: t, addr: "127.0.0.1:0", State: State{
		Tokens: map[string]bool{RootToken: true}, Secrets: map[string]map[string]any{}, Lease: 2764800, keys: map[string]*transitKey{},
	}}
	f.Start()
	f.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
	if err := os.WriteFile(f.CAFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return f
}

// Start starts the server again, at the same address and with what it knew.
func (f *Fake) Start() {
	f.t.Helper()
	listener, err := net.Listen("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.addr = listener.Addr().String()
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.server.Listener.Close()
	f.server.Listener = listener
	f.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.server.StartTLS()
	f.URL = "https://" + f.addr
}

// Stop stops the server: connections are refused.
func (f *Fake) Stop() {
	if f.server != nil {
		f.server.Close()
		f.server = nil
	}
}

// Post sends a request to a path below /v1/ as root, which must come to a good end.
func (f *Fake) Post(path string, body any) {
	f.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		f.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.URL+"/v1/"+path, bytes.NewReader(b))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", RootToken)
	res, err := f.server.Client().Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		f.t.Fatalf("%s: %s", path, res.Status)
	}
	f.server.Client().CloseIdleConnections()
}

// With reads or changes what the server knows.
func (f *Fake) With(do func(s *State)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do(&f.State)
}

// refused is an answer other than a good one.
type refused struct {
	status int
	text   string
}

func (f *Fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Requests = append(f.Requests, r)
	if f.Answer != nil && f.Answer(w, r) {
		return
	}
	var ask map[string]any
	if r.Method != http.MethodGet {
		_ = json.NewDecoder(r.Body).Decode(&ask) // none is as good as an empty one
	}
	data, no := f.answer(r, ask)
	if no != nil {
		w.WriteHeader(no.status)
		fmt.Fprintf(w, `{"errors":[%q]}`, no.text)
		return
	}
	if data == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer := map[string]any{
		"request_id": "0f9ab7e3", "lease_id": "", "renewable": false, "lease_duration": 0, "data": nil, "wrap_info": nil, "warnings": nil, "auth": nil,
	}
	maps.Copy(answer, data)
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *Fake) answer(r *http.Request, ask map[string]any) (map[string]any, *refused) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	if path == "auth/approle/login" {
		if ask["role_id"] != RoleID || ask["secret_id"] != SecretID {
			return nil, &refused{400, "invalid role or secret ID"}
		}
		f.Logins++
		token := fmt.Sprintf("s.app%d", f.Logins)
		f.Tokens[token] = true
		return map[string]any{"auth": map[string]any{
			"client_token": token, "accessor": "kJx", "policies": []string{"default"}, "token_policies": []string{"default"},
			"metadata": map[string]any{"role_name": "gw"}, "lease_duration": f.Lease, "renewable": true, "entity_id": "e", "token_type": "service", "orphan": true,
		}}, nil
	}
	if !f.Tokens[r.Header.Get("X-Vault-Token")] {
		return nil, &refused{403, "permission denied"}
	}
	if name, ok := strings.CutPrefix(path, "secret/data/"); ok && r.Method == http.MethodGet && f.Secrets[name] != nil {
		return map[string]any{"mount_type": "kv", "data": map[string]any{"data": f.Secrets[name], "metadata": map[string]any{
			"created_time": "2024-06-28T15:53:30.395814Z", "custom_metadata": nil, "deletion_time": "", "destroyed": false, "version": 3,
		}}}, nil
	}
	if rest, ok := strings.CutPrefix(path, "transit/"); ok && r.Method == http.MethodPost {
		return f.transit(rest, ask)
	}
	return nil, &refused{404, "no handler for route"}
}

func (f *Fake) transit(path string, ask map[string]any) (map[string]any, *refused) {
	parts := strings.Split(path, "/")
	if len(parts) < 2 {
		return nil, &refused{404, "unsupported path"}
	}
	what, name := parts[0], parts[1]
	k := f.keys[name]
	switch {
	case what == "keys" && len(parts) == 2:
		if k == nil {
			f.keys[name] = &transitKey{versions: [][]byte{newKey()}, oldest: 1}
		}
		return map[string]any{"data": map[string]any{"name": name, "type": "aes256-gcm96", "latest_version": 1}}, nil
	case k == nil:
		return nil, &refused{400, "encryption key not found"}
	case what == "keys" && parts[2] == "rotate":
		k.versions = append(k.versions, newKey())
		return map[string]any{"data": map[string]any{"name": name, "latest_version": len(k.versions)}}, nil
	case what == "keys" && parts[2] == "config":
		if oldest, ok := ask["min_decryption_version"].(float64); ok {
			k.oldest = int(oldest)
		}
		return map[string]any{"data": map[string]any{"name": name, "min_decryption_version": k.oldest}}, nil
	}
	items, _ := ask["batch_input"].([]any)
	results := []any{}
	for _, item := range items {
		in, _ := item.(map[string]any)
		out, err := k.do(what, in)
		if err != "" {
			return nil, &refused{400, err}
		}
		results = append(results, out)
	}
	return map[string]any{"data": map[string]any{"batch_results": results}}, nil
}

func newKey() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return key
}

func (k *transitKey) do(what string, in map[string]any) (map[string]any, string) {
	var plain []byte
	if what == "encrypt" {
		var err error
		text, _ := in["plaintext"].(string)
		if plain, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, "failed to base64-decode plaintext"
		}
	} else {
		text, _ := in["ciphertext"].(string)
		rest, ok := strings.CutPrefix(text, "vault:v")
		number, body, _ := strings.Cut(rest, ":")
		version, err := strconv.Atoi(number)
		switch {
		case !ok || err != nil:
			return nil, "invalid ciphertext: no prefix"
		case version < 1 || version > len(k.versions):
			return nil, "invalid ciphertext: version is too new"
		case version < k.oldest:
			return nil, "ciphertext or signature version is disallowed by policy (too old)"
		}
		b, err := base64.StdEncoding.DecodeString(body)
		if err != nil || len(b) < 12 {
			return nil, "invalid ciphertext: could not decode base64"
		}
		if plain, err = k.gcm(version).Open(nil, b[:12], b[12:], nil); err != nil {
			return nil, "cipher: message authentication failed"
		}
	}
	switch what {
	case "decrypt":
		return map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)}, ""
	case "encrypt", "rewrap":
		nonce := make([]byte, 12)
		rand.Read(nonce) // never fails
		newest := len(k.versions)
		b := k.gcm(newest).Seal(nonce, nonce, plain, nil)
		return map[string]any{"ciphertext": fmt.Sprintf("vault:v%d:%s", newest, base64.StdEncoding.EncodeToString(b)), "key_version": newest}, ""
	}
	return nil, "unsupported operation"
}

func (k *transitKey) gcm(version int) cipher.AEAD {
	block, err := aes.NewCipher(k.versions[version-1])
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}
