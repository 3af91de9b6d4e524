package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/risk"
)

func TestSessionRisk(t *testing.T) {
	f := newFixture(t).signIn()
	f.sessions.list[2].Tags = []string{"production"}
	f.sessions.list[2].Risk = &risk.Risk{Score: 25, Level: risk.Elevated, Reasons: []string{"target is tagged production"}}
	body := bodyOf(t, f.do(request{method: "GET", path: "/api/v1/sessions/" + bobsID}))
	require.Contains(t, body, `"risk":{"level":"elevated","reasons":["target is tagged production"],"score":25}`)
	require.Contains(t, body, `"tags":["production"]`)
	require.NotContains(t, bodyOf(t, f.do(request{method: "GET", path: "/api/v1/sessions/" + runningID})), `"risk"`, "not known")
}

func TestSessionThumbnail(t *testing.T) {
	f := newFixture(t).signIn()
	res := f.do(request{method: "GET", path: "/api/v1/sessions/" + bobsID + "/thumbnail"})
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "image/jpeg", res.Header.Get("Content-Type"))
	require.Equal(t, "private, no-cache", res.Header.Get("Cache-Control"))
	require.Equal(t, "\xff\xd8\xff"+bobsID, bodyOf(t, res))
	tag := res.Header.Get("ETag")
	require.Equal(t, `"tag-`+bobsID+`"`, tag)
	require.Equal(t, "watch_thumbnails", f.audit.entries[len(f.audit.entries)-1].Action)
	entries := len(f.audit.entries)

	for _, given := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		res = f.do(request{method: "GET", path: "/api/v1/sessions/" + bobsID + "/thumbnail", header: http.Header{"If-None-Match": {given}}})
		require.Equal(t, http.StatusNotModified, res.StatusCode, given)
		require.Equal(t, tag, res.Header.Get("ETag"))
		require.Empty(t, bodyOf(t, res))
	}
	res = f.do(request{method: "GET", path: "/api/v1/sessions/" + bobsID + "/thumbnail", header: http.Header{"If-None-Match": {`"other"`}}})
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Len(t, f.audit.entries, entries, "who looks at a wall all day is written down once an hour")

	f.policy.denied = map[policy.Action]bool{policy.ViewLive: true}
	asked := len(f.sessions.calls)
	res = f.do(request{method: "GET", path: "/api/v1/sessions/" + bobsID + "/thumbnail"})
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	require.Len(t, f.sessions.calls, asked, "nobody's picture was made")
	require.Equal(t, http.StatusOK, f.do(request{method: "GET", path: "/api/v1/sessions/" + runningID + "/thumbnail"}).StatusCode, "one's own")

	f.sessions.err = &Error{Status: http.StatusNotFound, Code: "no_thumbnail", Detail: "The desktop has drawn nothing yet."}
	require.Equal(t, http.StatusNotFound, f.do(request{method: "GET", path: "/api/v1/sessions/" + runningID + "/thumbnail"}).StatusCode)
}

func TestRecordingThumbnail(t *testing.T) {
	f := newFixture(t).signIn()
	path := "/api/v1/recordings/" + endedID + "/thumbnail"
	f.seal(recording.EndReason{Code: "user_disconnected"})
	res := f.do(request{method: "GET", path: path + "?at=5000"})
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "image/jpeg", res.Header.Get("Content-Type"))
	require.Equal(t, `"`+endedID+`-thumb-000000.jpg"`, res.Header.Get("ETag"))
	require.Equal(t, "\xff\xd8\xffpicture", bodyOf(t, res))
	require.Equal(t, "preview_recording", f.audit.entries[len(f.audit.entries)-1].Action)
	res = f.do(request{method: "GET", path: path, header: http.Header{"If-None-Match": {res.Header.Get("ETag")}}})
	require.Equal(t, http.StatusNotModified, res.StatusCode)

	f.policy.denied = map[policy.Action]bool{policy.Replay: true}
	require.Equal(t, http.StatusForbidden, f.do(request{method: "GET", path: path}).StatusCode)
}
