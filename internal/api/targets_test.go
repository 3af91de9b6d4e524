package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/target/manifest"
)

// send sends a request with a JSON body, wants that status, and reads the answer into out unless it is nil.
func (f *fixture) send(method, path string, body any, status int, out any) {
	f.t.Helper()
	r := request{method: method, path: "/api/v1" + path}
	if body != nil {
		b, err := json.Marshal(body)
		require.NoError(f.t, err)
		r.body = string(b)
	}
	res := f.do(r)
	text := bodyOf(f.t, res)
	require.Equal(f.t, status, res.StatusCode, "%s", text)
	if out != nil {
		reflect.ValueOf(out).Elem().SetZero()
		require.NoError(f.t, json.Unmarshal([]byte(text), out), "%s", text)
	}
}

// refused is send for what must fail with that code.
func (f *fixture) refused(method, path string, body any, status int, code string) string {
	f.t.Helper()
	var p apigen.Problem
	f.send(method, path, body, status, &p)
	require.Equal(f.t, code, p.Code, "%s", valueOr(p.Detail, ""))
	return valueOr(p.Detail, "")
}

type object = map[string]any

// TestTargetsEdited makes a target and its accounts, changes and removes them, as the console does.
func TestTargetsEdited(t *testing.T) {
	f := newFixture(t).signIn()
	settings := object{
		"name": "New", "protocol": "rdp", "address": "new.test:3389", "tags": []string{"b", "a"}, "tls": object{"mode": "first_use"},
		"clipboard": object{"from_target": false}, "record_keys": "none",
		"rdp": object{"security": "nla", "keyboard_layout": "de-CH", "kerberos": object{"realm": "TEST"}, "performance": object{"wallpaper": false}},
	}
	var made apigen.Target
	f.send("POST", "/targets", object{"id": "new", "settings": settings}, 201, &made)
	require.Equal(t, apigen.TargetOriginConsole, made.Origin)
	require.Equal(t, []string{"a", "b"}, made.Tags)
	require.Empty(t, made.Accounts)
	f.refused("POST", "/targets", object{"id": "new", "settings": settings}, 409, "target_exists")
	f.refused("POST", "/targets", object{"id": "desk", "settings": settings}, 409, "target_exists")

	// What was written is read, with what was left out filled in; and written again as it was read it is the same.
	var got apigen.Target
	f.send("GET", "/targets/new", nil, 200, &got)
	require.False(t, *got.Settings.Clipboard.FromTarget)
	require.True(t, *got.Settings.Clipboard.ToTarget)
	require.Equal(t, "0x00000807", *got.Settings.Rdp.KeyboardLayout)
	require.Equal(t, "TEST", got.Settings.Rdp.Kerberos.Realm)
	require.False(t, *got.Settings.Rdp.Performance.Wallpaper)
	require.True(t, *got.Settings.Rdp.Performance.Themes)
	require.Equal(t, apigen.RDPSettingsColorDepth(32), *got.Settings.Rdp.ColorDepth)
	var again apigen.Target
	f.send("PUT", "/targets/new", object{"revision": got.Revision, "settings": got.Settings}, 200, &again)
	require.Equal(t, got.Settings, again.Settings)
	f.refused("PUT", "/targets/new", object{"revision": got.Revision, "settings": got.Settings}, 409, "stale")

	var account apigen.TargetAccount
	f.send("POST", "/targets/new/accounts", object{
		"settings": object{"name": "op", "username": `CORP\op`}, "credential": object{"kind": "stored", "password": "s3cret-0f-op"},
	}, 201, &account)
	require.Equal(t, apigen.CredentialKindStored, account.Credential.Kind)
	require.WithinDuration(t, time.Now(), *account.Credential.SetAt, time.Minute)
	at := "/targets/new/accounts/" + account.Id
	f.refused("POST", "/targets/new/accounts", object{"settings": object{"name": "op"}}, 409, "account_exists")
	f.send("PUT", at, object{"revision": 1, "settings": object{"name": "op", "description": "Operator"}}, 200, &account)
	f.refused("PUT", at, object{"revision": 1, "settings": object{"name": "op"}}, 409, "stale")
	f.send("PUT", at+"/credential", object{"revision": 2, "credential": object{
		"kind": "vault", "vault": object{"vault": "corp", "path": "a/b"},
	}}, 200, &account)
	require.Equal(t, "a/b", account.Credential.Vault.Path)
	f.send("PUT", at+"/credential", object{"revision": 3, "credential": object{
		"kind": "command", "command": object{"command": "pass", "reference": "x"},
	}}, 200, &account)
	require.Equal(t, "x", *account.Credential.Command.Reference)
	f.send("PUT", at+"/credential", object{"revision": 4, "credential": object{"kind": "stored", "password": "s3cret-0f-op"}}, 200, &account)
	require.Nil(t, account.Credential.Command)

	for name, credential := range map[string]object{
		"no such vault":     {"kind": "vault", "vault": object{"vault": "other", "path": "a"}},
		"no such command":   {"kind": "command", "command": object{"command": "/bin/sh"}},
		"path goes up":      {"kind": "vault", "vault": object{"vault": "corp", "path": "../../sys/seal"}},
		"no password":       {"kind": "stored"},
		"password and none": {"kind": "none", "password": "x"},
		"vault is missing":  {"kind": "vault"},
		"vault and stored":  {"kind": "stored", "password": "x", "vault": object{"vault": "corp", "path": "a"}},
	} {
		f.refused("PUT", at+"/credential", object{"revision": 5, "credential": credential}, 422, "target_invalid")
		require.NotContains(t, f.log.String(), "s3cret", name)
	}
	f.refused("PUT", at+"/credential", object{"revision": 5, "credential": object{"kind": "config"}}, 400, "request_invalid")
	f.refused("PUT", at+"/credential", object{"revision": 5, "credential": object{"kind": "stored", "password": 17}}, 400, "request_invalid")
	detail := f.refused("PUT", at+"/credential", object{"revision": 5, "credential": object{"kind": "stored", "password": strings.Repeat("s3cret", 1000)}}, 400, "request_invalid")
	require.NotContains(t, detail, "s3cret")
	f.refused("PUT", "/targets/desk/accounts/"+account.Id, object{"revision": 5, "settings": object{"name": "op"}}, 409, "target_configured")
	f.refused("PUT", "/targets/gone/accounts/"+account.Id, object{"revision": 5, "settings": object{"name": "op"}}, 404, "target_not_found")
	f.refused("PUT", "/targets/new/accounts/"+unknownID, object{"revision": 5, "settings": object{"name": "op"}}, 404, "account_not_found")
	f.refused("DELETE", "/targets/new/accounts/"+unknownID+"?revision=1", nil, 404, "account_not_found")

	f.refused("DELETE", at, nil, 400, "request_invalid")
	f.refused("DELETE", at+"?revision=2", nil, 409, "stale")
	f.send("DELETE", at+"?revision=5", nil, 204, nil)
	f.refused("DELETE", "/targets/new?revision=1", nil, 409, "stale")
	f.refused("DELETE", "/targets/desk?revision=1", nil, 409, "target_configured")
	f.refused("PUT", "/targets/desk", object{"revision": 1, "settings": settings}, 409, "target_configured")
	f.send("DELETE", fmt.Sprintf("/targets/new?revision=%d", again.Revision), nil, 204, nil)
	f.refused("GET", "/targets/new", nil, 404, "target_not_found")
	require.NotContains(t, f.log.String(), "s3cret")
}

func TestTargetsInvalid(t *testing.T) {
	f := newFixture(t).signIn()
	good := func() object {
		return object{"name": "X", "protocol": "vnc", "address": "h:1"}
	}
	for want, change := range map[string]func(object){
		"address:":                 func(s object) { s["address"] = "h" },
		"tls.fingerprint:":         func(s object) { s["tls"] = object{"mode": "pin"} },
		"tls.ca:":                  func(s object) { s["tls"] = object{"mode": "verify", "ca": "-----BEGIN NOTHING-----"} },
		"rdp:":                     func(s object) { s["rdp"] = object{} },
		"is only for mode pin":     func(s object) { s["tls"] = object{"mode": "off", "fingerprint": strings.Repeat("ab", 32)} },
		`"mars" is not a keyboard`: func(s object) { s["protocol"], s["rdp"] = "rdp", object{"keyboard_layout": "mars"} },
		"redirect_to[0]":           func(s object) { s["protocol"], s["rdp"] = "rdp", object{"redirect_to": []string{"a b"}} },
		"control character":        func(s object) { s["name"] = "a\u202e\x07" },
	} {
		s := good()
		change(s)
		require.Contains(t, f.refused("POST", "/targets", object{"id": "x", "settings": s}, 422, "target_invalid"), want)
	}
	for _, body := range []any{
		object{},
		object{"id": "x"},
		[]int{1},
		"x",
		object{"id": "../x", "settings": good()},
		object{"id": 7, "settings": good()},
		object{"id": "x", "settings": object{"name": "X", "protocol": "ssh", "address": "h:1"}},
		object{"id": "x", "settings": object{"name": "X", "protocol": "vnc", "address": "h:1", "tags": "a"}},
		object{"id": "x", "settings": object{"name": strings.Repeat("x", 129), "protocol": "vnc", "address": "h:1"}},
	} {
		f.refused("POST", "/targets", body, 400, "request_invalid")
	}
	f.refused("POST", "/targets", object{"id": "x", "settings": object{"description": strings.Repeat("x", maxBodyBytes)}}, 413, "body_too_large")
	f.refused("GET", "/targets?after=%21", nil, 400, "request_invalid")
	f.refused("GET", "/targets?limit=501", nil, 400, "request_invalid")
}

// TestTargetsPaged goes through many targets, of which the caller sees some, and searches them.
func TestTargetsPaged(t *testing.T) {
	f := newFixture(t).signIn()
	many(t, f, 250)
	var seen []string
	for path, pages := "/targets?q=many&limit=40", 0; ; pages++ {
		require.Less(t, pages, 10)
		var page struct {
			Targets []apigen.Target
			Next    *string
		}
		f.send("GET", path, nil, 200, &page)
		for _, x := range page.Targets {
			seen = append(seen, x.Id)
		}
		if page.Next == nil {
			break
		}
		path = "/targets?q=many&limit=40&after=" + url.QueryEscape(*page.Next)
	}
	require.Len(t, seen, 250)
	var page struct{ Targets []apigen.Target }
	f.send("GET", "/targets?tag=even&tag=third", nil, 200, &page)
	require.Len(t, page.Targets, 42)
	f.send("GET", "/targets?protocol=rdp", nil, 200, &page)
	require.Len(t, page.Targets, 1)

	// Only what is tagged "third" is the caller's business: pages are full all the same.
	f.policy.decide = func(q policy.Query) bool {
		for _, tag := range q.Resource.Tags {
			if tag == "third" && q.Action == policy.Connect {
				return true
			}
		}
		return false
	}
	f.send("GET", "/targets?limit=80", nil, 200, &page)
	require.Len(t, page.Targets, 80)
	require.Nil(t, page.Targets[0].Accounts[0].Credential, "who may connect is not told where the password is")
	require.Nil(t, page.Targets[0].Accounts[0].Revision)
	require.Nil(t, page.Targets[0].Settings)
	f.refused("GET", "/targets/m0001", nil, 404, "target_not_found")
	f.refused("PUT", "/targets/m0003", object{"revision": 1, "settings": object{"name": "X", "protocol": "vnc", "address": "h:1"}}, 403, "forbidden")
	f.refused("PUT", "/targets/m0001", object{"revision": 1, "settings": object{"name": "X", "protocol": "vnc", "address": "h:1"}}, 404, "target_not_found")
	f.refused("GET", "/credential-providers", nil, 403, "forbidden")
}

// many makes n targets with an account each, straight in the database.
func many(t testing.TB, f *fixture, n int) {
	t.Helper()
	require.NoError(t, f.targets.Change(t.Context(), func(tx *target.Tx) error {
		for i := range n {
			x := target.Target{
				ID: fmt.Sprintf("m%04d", i), Name: fmt.Sprintf("Many %04d", i), Protocol: "vnc", Address: fmt.Sprintf("10.0.%d.%d:5900", i/250, i%250),
				TLS: target.TLS{FirstUse: true}, Origin: store.OriginApply, Tags: []string{"many"},
			}
			if i%2 == 0 {
				x.Tags = append(x.Tags, "even")
			}
			if i%3 == 0 {
				x.Tags = append(x.Tags, "third")
			}
			if err := tx.Create(t.Context(), x); err != nil {
				return err
			}
			if _, err := tx.CreateAccount(t.Context(), target.Account{TargetID: x.ID, Name: "op"}, target.Password{}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// TestSessionAccounts: one account is the one; of several one must be named, and only one that is allowed.
func TestSessionAccounts(t *testing.T) {
	f := newFixture(t).signIn()
	f.send("POST", "/targets", object{"id": "new", "settings": object{"name": "New", "protocol": "vnc", "address": "h:1", "tls": object{"mode": "off"}}}, 201, nil)
	f.refused("POST", "/sessions", object{"target_id": "new"}, 409, "no_account")
	var ann, bob apigen.TargetAccount
	f.send("POST", "/targets/new/accounts", object{"settings": object{"name": "ann", "tags": []string{"low"}}}, 201, &ann)
	f.send("POST", "/sessions", object{"target_id": "new"}, 201, nil)
	require.Equal(t, ann.Id, f.sessions.got.Account.ID)
	f.send("POST", "/targets/new/accounts", object{"settings": object{"name": "root"}}, 201, &bob)
	f.refused("POST", "/sessions", object{"target_id": "new"}, 422, "account_needed")
	f.send("POST", "/sessions", object{"target_id": "new", "account": "root"}, 201, nil)
	require.Equal(t, bob.Id, f.sessions.got.Account.ID)
	f.send("POST", "/sessions", object{"target_id": "new", "account": ann.Id}, 201, nil)
	require.Equal(t, ann.Id, f.sessions.got.Account.ID)
	f.refused("POST", "/sessions", object{"target_id": "new", "account": "nobody"}, 404, "account_not_found")

	// Who may use one account needs not name it, and learns of no other.
	f.policy.decide = func(q policy.Query) bool { return q.Action == policy.Connect && q.Resource.Account == "ann" }
	f.send("POST", "/sessions", object{"target_id": "new"}, 201, nil)
	require.Equal(t, ann.Id, f.sessions.got.Account.ID)
	var got apigen.Target
	f.send("GET", "/targets/new", nil, 200, &got)
	require.Len(t, got.Accounts, 1)
	f.refused("POST", "/sessions", object{"target_id": "new", "account": "root"}, 404, "account_not_found")
	f.policy.decide = func(q policy.Query) bool {
		return q.Action == policy.Connect && len(q.Resource.Tags) == 1 && q.Resource.Tags[0] == "low"
	}
	f.send("POST", "/sessions", object{"target_id": "new"}, 201, nil)
}

// BenchmarkTargets is a page of 100 from 10,000 targets.
func BenchmarkTargets(b *testing.B) {
	f := newFixture(b).signIn()
	many(b, f, 10_000)
	after := writeTargetCursor(target.Cursor{Name: "Many 6000", ID: "m6000"})
	for name, path := range map[string]string{
		"first page": "/api/v1/targets", "in the midst": "/api/v1/targets?after=" + after, "search": "/api/v1/targets?q=10.0.7.",
		"search finds nothing": "/api/v1/targets?q=zzz", "tag": "/api/v1/targets?tag=third&tag=even", "of 500": "/api/v1/targets?limit=500",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.Equal(b, http.StatusOK, f.do(request{method: "GET", path: path}).StatusCode)
			}
		})
	}
}

func TestImport(t *testing.T) {
	f := newFixture(t).signIn()
	yaml := `
kind: Target
id: new
protocol: vnc
address: new.test:5900
accounts: [{name: op, credential: {password: s3cret-0f-op}}]
`
	var plan apigen.ImportPlan
	f.send("POST", "/import-targets", object{"yaml": yaml, "dry_run": true}, 200, &plan)
	require.Len(t, plan.Changes, 1)
	require.Equal(t, apigen.ImportPlanChangesOp(manifest.Create), plan.Changes[0].Op)
	f.refused("GET", "/targets/new", nil, 404, "target_not_found")
	f.refused("POST", "/import-targets", object{"yaml": yaml, "digest": strings.Repeat("0", 64)}, 409, "stale")
	f.send("POST", "/import-targets", object{"yaml": yaml, "digest": plan.Digest}, 200, &plan)
	var got apigen.Target
	f.send("GET", "/targets/new", nil, 200, &got)
	require.Equal(t, apigen.TargetOriginApply, got.Origin)
	require.Equal(t, apigen.CredentialKindStored, got.Accounts[0].Credential.Kind)
	f.send("POST", "/import-targets", object{"yaml": yaml, "dry_run": true}, 200, &plan)
	require.Empty(t, plan.Changes)
	f.send("POST", "/import-targets", object{"yaml": "", "prune": true, "dry_run": true}, 200, &plan)
	require.Equal(t, apigen.ImportPlanChangesOp(manifest.Delete), plan.Changes[0].Op)

	for yaml, want := range map[string]string{
		"kind: Target\nid: desk\nprotocol: vnc\naddress: h:1":                                                               `import:1: id: "desk" is in the gateway's configuration file`,
		"kind: Target\nid: x\nprotocol: vnc\naddress: h:1\ntls: {ca_file: /etc/passwd}":                                     "names a file, which only",
		"kind: Target\nid: x\nprotocol: vnc\naddress: h:1\naccounts: [{name: a, credential: {password_file: /etc/shadow}}]": "names a file, which only",
		"kind: Target\nid: x\nprotocol: vnc\naddress: h:1\naccounts: [{name: a, credential: {password_env: HOME}}]":         "names a variable, which only",
		"kind: Target\nid: x\nprotocol: vnc\naddress: h:1\naccounts: [{name: a, credential: {command: {name: /bin/sh}}}]":   `the configuration has no command "/bin/sh"`,
		"kind: Target\ntags: &t [*t]": "anchor",
		"a: [":                        "line 1",
	} {
		require.Contains(t, f.refused("POST", "/import-targets", object{"yaml": yaml}, 422, "import_invalid"), want)
	}
	f.refused("POST", "/import-targets", object{"yaml": strings.Repeat("#", 900_001)}, 400, "request_invalid")
	f.refused("POST", "/import-targets", object{"yaml": 7}, 400, "request_invalid")

	f.policy.decide = func(q policy.Query) bool { return q.Action == policy.ManageTargets && q.Resource.ID != "new" }
	f.refused("POST", "/import-targets", object{"yaml": yaml}, 403, "forbidden")
	f.policy.decide = func(policy.Query) bool { return false }
	f.refused("POST", "/import-targets", object{"yaml": yaml}, 403, "forbidden")
	require.NotContains(t, f.log.String(), "s3cret")
}
