package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/native"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/ticket"
	"github.com/vitrine-psm/vitrine/internal/ticket/rdpfile"
)

// fakeNative is a door that remembers what it was asked for.
type fakeNative struct {
	info  NativeInfo
	bound ticket.Bound
	form  ticket.Form
	file  rdpfile.Settings
	err   error

	approved bool
	approver string
}

func (f *fakeNative) Info() NativeInfo { return f.info }

func (f *fakeNative) Issue(_ context.Context, form ticket.Form, b ticket.Bound) (ticket.Ticket, error) {
	f.form, f.bound = form, b
	t := ticket.Ticket{Form: form, Secret: "s3cret", ExpiresAt: time.Now().Add(time.Minute)}
	if form == ticket.NLA {
		t.ID = "v-abc"
	}
	return t, f.err
}

func (f *fakeNative) Waiting(code string) (native.Waiting, error) {
	if code != "BCDF-2479" {
		return native.Waiting{}, native.ErrCode
	}
	return native.Waiting{Client: "laptop", Source: netip.MustParseAddr("192.0.2.9"), Target: "desk", ExpiresAt: time.Now()}, nil
}

func (f *fakeNative) Decide(code string, s policy.Subject, approve bool) (native.Waiting, error) {
	f.approved, f.approver = approve, s.Name
	return f.Waiting(code)
}

func (f *fakeNative) File(s rdpfile.Settings) ([]byte, error) {
	f.file = s
	return []byte{0xff, 0xfe, 'x', 0}, nil
}

func TestNativeTicket(t *testing.T) {
	door := &fakeNative{info: NativeInfo{Address: ":3389", NLAAddress: "rdp.test:3390", CertificateSHA256: "ab"}}
	f := newFixture(t, func(o *Options) { o.Native = door }).signIn()
	var info struct {
		Enabled       bool   `json:"enabled"`
		Address       string `json:"address"`
		NLAAddress    string `json:"nla_address"`
		ClientAddress string `json:"client_address"`
	}
	ask := func(method, path, body string, into any) *http.Response {
		t.Helper()
		res := f.do(request{method: method, path: "/api/v1" + path, body: body})
		text := bodyOf(t, res)
		if into != nil {
			require.NoError(t, json.Unmarshal([]byte(text), into), text)
		}
		return res
	}
	ask("GET", "/native-client", "", &info)
	require.True(t, info.Enabled)
	require.Equal(t, "example.com:3389", info.Address, "the console's host, where there is no other")
	require.Equal(t, "rdp.test:3390", info.NLAAddress)
	require.Equal(t, "192.0.2.1", info.ClientAddress)

	var got struct {
		Username, Password, Command, Address string
		File                                 []byte
		FileName                             string `json:"file_name"`
	}
	res := ask("POST", "/native-tickets", `{"target_id":"desk","reason":" disk full ","ticket":"CHG-1","bind_address":true,"width":1280,"height":800}`, &got)
	require.Equal(t, http.StatusCreated, res.StatusCode)
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	require.Equal(t, "xfreerdp /v:example.com:3389 /u:alice /shell:s3cret /sec:tls /dynamic-resolution /size:1280x800", got.Command)
	require.Equal(t, []byte{0xff, 0xfe, 'x', 0}, got.File)
	require.Equal(t, "Desk.rdp", got.FileName)
	require.Empty(t, got.Password)
	require.Equal(t, rdpfile.Settings{Address: "example.com:3389", Username: "alice", Shell: "s3cret", Width: 1280, Height: 800, Clipboard: true}, door.file)
	b := door.bound
	require.Equal(t, ticket.Shell, door.form)
	require.Equal(t, []string{f.aliceID, "alice", "desk", "disk full", "CHG-1", "192.0.2.1"}, []string{b.UserID, b.UserName, b.TargetID, b.Reason, b.Change, b.Source.String()})
	require.NotEmpty(t, b.AccountID)
	e := f.audit.entries[len(f.audit.entries)-1]
	require.Equal(t, "create_native_ticket", e.Action)
	require.Equal(t, "desk", e.Object.ID)
	require.NotContains(t, f.log.String(), "s3cret")

	ask("POST", "/native-tickets", `{"target_id":"desk","form":"nla"}`, &got)
	require.Equal(t, "v-abc", got.Username)
	require.Equal(t, "s3cret", got.Password)
	require.NotContains(t, got.Command, "s3cret")
	require.True(t, door.file.NLA)
	require.Empty(t, door.file.Shell)
	require.False(t, door.bound.Source.IsValid())

	var problem struct{ Code string }
	door.err = &ticket.TooManyError{RetryAfter: 1500 * time.Millisecond}
	res = ask("POST", "/native-tickets", `{"target_id":"desk"}`, &problem)
	require.Equal(t, "rate_limited", problem.Code)
	require.Equal(t, "2", res.Header.Get("Retry-After"))
	door.info = NativeInfo{Address: ":3389"}
	ask("POST", "/native-tickets", `{"target_id":"desk","form":"nla"}`, &problem)
	require.Equal(t, "native_clients_off", problem.Code)
	f.policy.denied = map[policy.Action]bool{policy.Connect: true}
	res = ask("POST", "/native-tickets", `{"target_id":"desk"}`, &problem)
	require.Equal(t, http.StatusForbidden, res.StatusCode)
}

func TestNativeSignIn(t *testing.T) {
	door := &fakeNative{}
	f := newFixture(t, func(o *Options) { o.Native = door }).signIn()
	look := func(code string) *http.Response {
		return f.do(request{method: "POST", path: "/api/v1/native-sign-ins/look", body: `{"code":"` + code + `"}`})
	}
	text := bodyOf(t, look("BCDF-2479"))
	require.Contains(t, text, `"client":"laptop"`)
	require.Contains(t, text, `"client_address":"192.0.2.9"`)
	require.Contains(t, bodyOf(t, look("XXXX-2222")), "sign_in_not_waiting")
	decide := func(code, approve string) int {
		return f.do(request{method: "POST", path: "/api/v1/native-sign-ins/decide", body: `{"code":"` + code + `","approve":` + approve + `}`}).StatusCode
	}
	require.Equal(t, http.StatusNoContent, decide("BCDF-2479", "true"))
	require.True(t, door.approved)
	require.Equal(t, "alice", door.approver)
	e := f.audit.entries[len(f.audit.entries)-1]
	require.Equal(t, "decide_native_sign_in", e.Action)
	require.Equal(t, "laptop", e.Details["client"])
	require.NotContains(t, e.Details, "code")
	require.Equal(t, http.StatusNoContent, decide("BCDF-2479", "false"))
	require.False(t, door.approved)
	require.Equal(t, http.StatusConflict, decide("XXXX-2222", "true"))
}

func TestNativeOff(t *testing.T) {
	f := newFixture(t).signIn()
	require.Contains(t, bodyOf(t, f.do(request{method: "GET", path: "/api/v1/native-client"})), `"enabled":false`)
	require.Equal(t, http.StatusConflict, f.do(request{method: "POST", path: "/api/v1/native-tickets", body: `{"target_id":"desk"}`}).StatusCode)
}

func TestWords(t *testing.T) {
	for in, want := range map[string]string{"alice": "alice", "o'hara": `'o'\''hara'`, "a b": "'a b'", "": "''", "$x": "'$x'"} {
		require.Equal(t, want, quoted(in))
	}
	for in, want := range map[string]string{"Web 1": "Web 1.rdp", "../../x": "x.rdp", "///": "desktop.rdp", "Büro": "Büro.rdp"} {
		require.Equal(t, want, fileName(in))
	}
}
