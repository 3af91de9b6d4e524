package serve

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/custody"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// TestCustody is what becomes of a recording: kept, held, shredded, and in the end deleted.
func TestCustody(t *testing.T) {
	g := start(t, t.TempDir(), "recording: {retention: 1h}\n"+targetsYAML)
	g.signIn(g.password)
	policy := `{"id":"keep","name":"Keep","text":"@retention(\"30d\") permit (principal, action == Action::\"connect\", resource);"}`
	require.Equal(t, 201, g.call("POST", "/policies", policy, nil))
	s := g.create()
	require.Equal(t, 204, g.call("POST", "/sessions/"+s.ID+"/terminate", "", nil))
	g.sealed(s.ID)
	path := "/recordings/" + s.ID
	var rec struct {
		State   string
		Custody struct {
			RetentionS     int64     `json:"retention_s"`
			RetainUntil    time.Time `json:"retain_until"`
			ManifestSHA256 string    `json:"manifest_sha256"`
			Hold, Deleted  *struct{ By, Reason string }
		}
	}
	require.Equal(t, 200, g.call("GET", path, "", &rec))
	require.EqualValues(t, 30*24*3600, rec.Custody.RetentionS, "the policy's, not the configuration's")
	var session struct {
		EndedAt time.Time `json:"ended_at"`
	}
	require.Equal(t, 200, g.call("GET", "/sessions/"+s.ID, "", &session))
	require.WithinDuration(t, session.EndedAt.Add(30*24*time.Hour), rec.Custody.RetainUntil, time.Minute)

	var p struct{ Code string }
	confirmed := `{"reason":"asked to","confirm":"` + s.ID + `"}`
	require.Equal(t, 200, g.call("PUT", path+"/hold", `{"reason":"a case"}`, &rec))
	require.Equal(t, "a case", rec.Custody.Hold.Reason)
	require.Equal(t, 409, g.call("POST", path+"/shred", confirmed, &p))
	require.Equal(t, "recording_held", p.Code)
	rec.Custody.Hold = nil
	require.Equal(t, 200, g.call("POST", path+"/hold/release", `{"reason":"closed"}`, &rec))
	require.Nil(t, rec.Custody.Hold)
	require.Equal(t, 422, g.call("POST", path+"/shred", `{"reason":"asked to","confirm":"yes"}`, &p))
	require.Equal(t, 200, g.call("POST", path+"/shred", confirmed, nil))
	require.Equal(t, 410, g.call("GET", path+"/index", "", &p))
	require.Equal(t, "recording_shredded", p.Code)
	var v struct{ OK bool }
	require.Equal(t, 200, g.call("POST", path+"/verify", "", &v))
	require.True(t, v.OK)

	// The day after the month.
	later := func() time.Time { return time.Now().Add(31 * 24 * time.Hour) }
	g.opened.objects.(*objectstore.Disk).Clock = later
	options := g.opened.custody.Options
	options.Now, options.Node = later, "later"
	n, err := custody.New(options).Delete(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, 200, g.call("GET", path, "", &rec))
	require.Equal(t, "deleted", rec.State)
	require.NotNil(t, rec.Custody.Deleted)
	require.Len(t, rec.Custody.ManifestSHA256, 64)
	require.Equal(t, 410, g.call("GET", path+"/index", "", &p))
	require.Equal(t, "recording_deleted", p.Code)

	found := map[string]string{}
	list, err := g.opened.db.Audit.List(t.Context(), store.AuditFilter{Session: s.ID, Before: -1, Limit: 100})
	require.NoError(t, err)
	for _, row := range list {
		_, e, err := audit.Decode([]byte(row.Entry))
		require.NoError(t, err)
		found[e.Action] = e.Details["manifest_sha256"]
	}
	for _, action := range []string{"hold_recording", "release_recording", "shred_recording", "recording_deletion_begun", "recording_deleted"} {
		require.Contains(t, found, action)
	}
	require.Equal(t, rec.Custody.ManifestSHA256, found["recording_deleted"])
	require.Equal(t, rec.Custody.ManifestSHA256, found[audit.ActionRecordingSealed])
	g.end()
}
