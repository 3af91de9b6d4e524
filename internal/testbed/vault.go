package testbed

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Vault is HashiCorp Vault's own server, in memory, with the engines "transit" and "kv" to be mounted and the sign-in method
// "approle" to be enabled.
type Vault struct {
	URL    string
	CAFile string
	Token  string // may do everything

	t       TB
	client  *http.Client
	program string
	args    []string
	process *Process
}

// StartVault starts the server that `deploy/install-deps.sh vault` built, or the one VITRINE_VAULT names. Building it takes longer
// than all tests together, so a machine that has not done so skips what needs it.
func StartVault(t TB) *Vault {
	t.Helper()
	program, err := cached("vaultserver", "VITRINE_VAULT")
	if err != nil {
		t.Skipf("testbed: SKIPPED: %v; run deploy/install-deps.sh vault", err)
	}
	own, listen := NewCert(t, "127.0.0.1"), freeAddr(t)
	v := &Vault{
		URL: "https://" + listen, CAFile: own.CertFile, t: t, program: program,
		args:   []string{"-listen", listen, "-cert", own.CertFile, "-key", own.KeyFile},
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: own.Pool}}},
	}
	v.process = start(t, spawn{name: v.program, args: v.args})
	Eventually(t, startTimeout, "vault answers", func() bool {
		if !v.process.Alive() {
			t.Fatalf("testbed: vault has ended\n%s", v.process.Output())
		}
		res, err := v.client.Get(v.URL + "/v1/sys/health")
		if err != nil {
			return false
		}
		return res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	_, rest, _ := strings.Cut(v.process.Output(), "root token ")
	v.Token, _, _ = strings.Cut(rest, "\n")
	return v
}

// Call sends a request below /v1/ with a token and returns the answer's status and body.
func (v *Vault) Call(token, method, path string, body any) (status int, answer map[string]any) {
	v.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		v.t.Fatalf("testbed: %v", err)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, v.URL+"/v1/"+strings.TrimPrefix(path, "/"), bytes.NewReader(b))
	if err != nil {
		v.t.Fatalf("testbed: %v", err)
	}
	req.Header.Set("X-Vault-Token", token)
	res, err := v.client.Do(req)
	if err != nil {
		v.t.Fatalf("testbed: vault: %v", err)
		return 0, nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatalf("testbed: vault: %v", err)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			v.t.Fatalf("testbed: vault: %v", err)
		}
	}
	return res.StatusCode, answer
}

// Must is Call as root for what must come to a good end.
func (v *Vault) Must(method, path string, body any) map[string]any {
	v.t.Helper()
	status, answer := v.Call(v.Token, method, path, body)
	if status >= 300 {
		v.t.Fatalf("testbed: vault: %s %s: %d %v", method, path, status, answer)
	}
	return answer
}

// Stop ends the server, and with it all it knows.
func (v *Vault) Stop() { v.process.Stop() }
