package api

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

const ended = "/api/v1/recordings/" + endedID

func TestSealedRecording(t *testing.T) {
	f := newFixture(t).signIn()
	f.seal(recording.EndReason{Code: "user_disconnected"})
	files := filepath.Join(f.stored, "recordings", endedID)

	res := f.do(request{method: "GET", path: ended + "/index"})
	require.Equal(t, 200, res.StatusCode)
	var index recording.Index
	require.NoError(t, json.Unmarshal([]byte(bodyOf(t, res)), &index))
	require.True(t, index.Sealed)
	require.False(t, index.Live)
	require.Equal(t, 160, index.Width)
	require.Greater(t, len(index.Segments), 1)

	for _, name := range []string{index.Inits[0].Name, index.Segments[0].Name, "session.json", "manifest.json"} {
		res = f.do(request{method: "GET", path: ended + "/files/" + name})
		require.Equal(t, 200, res.StatusCode, name)
		require.Equal(t, sealedMaxAge, res.Header.Get("Cache-Control"), name)
		want, err := os.ReadFile(filepath.Join(files, name))
		require.NoError(t, err)
		require.Equal(t, string(want), bodyOf(t, res), name)
		require.Equal(t, strconv.Itoa(len(want)), res.Header.Get("Content-Length"))
	}
	res = f.do(request{method: "GET", path: ended + "/files/seg-000099.m4s"})
	require.Equal(t, 404, res.StatusCode)
	requireProblem(t, res, bodyOf(t, res), "recording_not_found")

	res = f.do(request{method: "GET", path: ended + "/events?limit=1"})
	require.Equal(t, 200, res.StatusCode)
	body := bodyOf(t, res)
	require.Contains(t, body, `"kind":"key"`)
	var page recording.EventPage
	require.NoError(t, json.Unmarshal([]byte(body), &page))
	res = f.do(request{method: "GET", path: ended + "/events?after=" + page.Next})
	require.Contains(t, bodyOf(t, res), `"events":[]`)
	res = f.do(request{method: "GET", path: ended + "/events?after=nonsense"})
	require.Equal(t, 400, res.StatusCode)
	requireProblem(t, res, bodyOf(t, res), "request_invalid")

	res = f.do(request{method: "POST", path: ended + "/verify"})
	require.Equal(t, 200, res.StatusCode)
	require.Contains(t, bodyOf(t, res), `"ok":true`)
}

func TestIndexIsCompressed(t *testing.T) {
	f := newFixture(t).signIn()
	f.seal(recording.EndReason{})
	res := f.do(request{method: "GET", path: ended + "/index", header: http.Header{"Accept-Encoding": {"br, gzip"}}})
	require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	require.Contains(t, gunzip(t, bodyOf(t, res)), `"segments"`)
}

func TestDamagedRecording(t *testing.T) {
	f := newFixture(t).signIn()
	f.seal(recording.EndReason{})
	files := filepath.Join(f.stored, "recordings", endedID)
	segment := filepath.Join(files, "seg-000000.m4s")
	content, err := os.ReadFile(segment)
	require.NoError(t, err)

	content[len(content)-1] ^= 1
	require.NoError(t, os.Remove(segment))
	require.NoError(t, os.WriteFile(segment, content, 0o600))
	res := f.do(request{method: "GET", path: ended + "/files/seg-000000.m4s"})
	require.Equal(t, 422, res.StatusCode)
	body := bodyOf(t, res)
	requireProblem(t, res, body, "recording_corrupt")
	require.Contains(t, body, "seg-000000.m4s")

	res = f.do(request{method: "POST", path: ended + "/verify"})
	require.Equal(t, 200, res.StatusCode)
	body = bodyOf(t, res)
	require.Contains(t, body, `"ok":false`)
	require.Contains(t, body, "seg-000000.m4s is altered")

	require.NoError(t, os.Remove(segment))
	res = f.do(request{method: "GET", path: ended + "/files/seg-000000.m4s"})
	require.Equal(t, 404, res.StatusCode)
}

func TestRunningRecording(t *testing.T) {
	f := newFixture(t).signIn()
	r := f.record(runningID)
	defer r.seal(t, recording.EndReason{})
	running := "/api/v1/recordings/" + runningID

	var index recording.Index
	require.Eventually(t, func() bool { // 10 pictures, each an IDR, are nine closed segments and an open one
		index = recording.Index{}
		body := bodyOf(t, f.do(request{method: "GET", path: running + "/index"}))
		return json.Unmarshal([]byte(body), &index) == nil && len(index.Segments) == 10
	}, waitLong, tick)
	require.True(t, index.Live)
	for i, s := range index.Segments {
		require.Equal(t, i == 9, s.Open)
		res := f.do(request{method: "GET", path: running + "/files/" + s.Name})
		require.Equal(t, 200, res.StatusCode)
		require.Equal(t, s.Open, res.Header.Get("Cache-Control") == "no-store", "only closed segments may be kept")
	}

	res := f.do(request{method: "POST", path: running + "/verify"})
	require.Equal(t, 409, res.StatusCode)
	requireProblem(t, res, bodyOf(t, res), "recording_not_sealed")
	require.Equal(t, 404, f.do(request{method: "GET", path: running + "/files/manifest.json"}).StatusCode)
}
