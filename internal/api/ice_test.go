package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

// fakeRelay says for whom its credentials are.
type fakeRelay struct{ only bool }

func (r fakeRelay) Only() bool { return r.only }

func (fakeRelay) Credential(session, person string) RelayCredential {
	return RelayCredential{
		URLs:     []string{"turn:gw.test:3478?transport=udp", "turns:gw.test:5349?transport=tcp"},
		Username: "1:" + session + ":" + person, Password: `p"w\`,
	}
}

type iceServers struct {
	Servers []struct {
		URLs                 []string
		Username, Credential string
	} `json:"ice_servers"`
	Policy string `json:"ice_transport_policy"`
}

func (f *fixture) iceServers(session string) iceServers {
	f.t.Helper()
	res := f.do(request{method: "GET", path: "/api/v1/sessions/" + session + "/ice-servers"})
	require.Equal(f.t, http.StatusOK, res.StatusCode)
	require.Equal(f.t, "no-store", res.Header.Get("Cache-Control"))
	var out iceServers
	require.NoError(f.t, json.Unmarshal([]byte(bodyOf(f.t, res)), &out))
	return out
}

func TestICEServers(t *testing.T) {
	f := newFixture(t).signIn()
	require.Equal(t, "all", f.iceServers(runningID).Policy)
	require.Empty(t, f.iceServers(runningID).Servers, "there is no relay")

	f = newFixture(t, func(o *Options) { o.Relay = fakeRelay{} }).signIn()
	got := f.iceServers(runningID)
	require.Equal(t, "all", got.Policy)
	require.Len(t, got.Servers, 1)
	require.Equal(t, "1:"+runningID+":"+f.aliceID, got.Servers[0].Username, "for the caller and this session")
	require.Equal(t, `p"w\`, got.Servers[0].Credential)
	require.Equal(t, fakeRelay{}.Credential("", "").URLs, got.Servers[0].URLs)
	require.Empty(t, f.iceServers(endedID).Servers)
	require.Len(t, f.iceServers(bobsID).Servers, 1, "whoever may watch")
	require.NotContains(t, f.log.String(), `p\"w`)

	f.server.relay = fakeRelay{only: true}
	require.Equal(t, "relay", f.iceServers(runningID).Policy)
}

// TestICEServersAreForViewers: no credential for who may not see the session, on none of the ways.
func TestICEServersAreForViewers(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Relay = fakeRelay{} })
	ask := func(method, path string, status int) {
		t.Helper()
		res := f.do(request{method: method, path: "/api/v1/sessions/" + path})
		require.Equal(t, status, res.StatusCode)
		require.Empty(t, res.Header.Values("Link"))
		require.NotContains(t, bodyOf(t, res), "credential")
	}
	ask("GET", runningID+"/ice-servers", http.StatusUnauthorized)
	ask("OPTIONS", runningID+"/whep", http.StatusUnauthorized)
	f.signIn()
	ask("GET", unknownID+"/ice-servers", http.StatusNotFound)
	ask("OPTIONS", unknownID+"/whep", http.StatusNotFound)
	f.policy.denied = map[policy.Action]bool{policy.ViewLive: true}
	ask("GET", bobsID+"/ice-servers", http.StatusForbidden)
	ask("OPTIONS", bobsID+"/whep", http.StatusForbidden)
}

// TestWHEPLinks: players learn of the relay as WHIP and WHEP have it.
func TestWHEPLinks(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Relay = fakeRelay{} }).signIn()
	for _, r := range []request{
		{method: "OPTIONS", path: "/api/v1/sessions/" + runningID + "/whep"},
		{method: "POST", path: "/api/v1/sessions/" + runningID + "/whep", kind: sdpKind, body: "v=0"},
	} {
		res := f.do(r)
		require.Less(t, res.StatusCode, 300)
		tail := `rel="ice-server"; username="1:` + runningID + ":" + f.aliceID + `"; credential="p\"w\\"; credential-type="password"`
		require.Equal(t, []string{"<turn:gw.test:3478?transport=udp>; " + tail, "<turns:gw.test:5349?transport=tcp>; " + tail}, res.Header.Values("Link"))
	}
	f = newFixture(t).signIn()
	require.Empty(t, strings.Join(f.do(request{method: "OPTIONS", path: "/api/v1/sessions/" + runningID + "/whep"}).Header.Values("Link"), ""))
}
