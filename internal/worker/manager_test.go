package worker

import (
	"image"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
	"github.com/vitrine-psm/vitrine/internal/session"
)

// TestSession is a session from its beginning to its end.
func TestSession(t *testing.T) {
	d := startTarget(t, demotarget.Options{Size: image.Pt(1280, 720), Name: "Desk"})
	r := newRig(t)
	s := r.create(d.addr)
	got, err := r.Get(s.ID())
	require.NoError(t, err)
	require.Same(t, s, got)
	snapshot := s.Snapshot()
	require.Equal(t, image.Pt(1280, 720), snapshot.Size)
	require.Equal(t, "Desk", snapshot.DesktopName)
	require.Equal(t, "full", snapshot.Sandbox)

	b := watch(t, s, session.RoleControl)
	b.works(d)
	eventually(t, "the viewer is not told", func() bool { return len(s.Snapshot().Viewers) == 1 })
	require.Equal(t, session.Viewer{
		ID: b.id, Person: session.Person{ID: "u1", Name: "alice"}, Role: session.RoleControl, Address: "192.0.2.7",
	}, s.Snapshot().Viewers[0])
	eventually(t, "figures are not told", func() bool {
		stats := s.Snapshot().Stats
		return stats.Frames > 0 && stats.InputEvents == 2 && stats.RecordedBytes > 0
	})

	require.NoError(t, s.Terminate(t.Context(), session.End{Code: session.EndUserDisconnected, Message: "alice disconnected."}))
	require.Equal(t, session.End{Code: session.EndUserDisconnected, Message: "alice disconnected."}, r.gone(s))
	eventually(t, "the viewer did not hear the end", b.heard("ended user_disconnected"))
	code, by := r.manifest(s.ID())
	require.Equal(t, "user_disconnected", code)
	require.Equal(t, "worker", by)
	_, err = r.Get(s.ID())
	require.ErrorIs(t, err, ErrNotFound)
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Contains(t, r.files[s.ID()], "manifest.json")
	require.Contains(t, r.files[s.ID()], "seg-000000.m4s")
}
