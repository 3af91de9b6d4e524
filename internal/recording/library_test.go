package recording

import (
	"testing"

	"github.com/vitrine-psm/vitrine/codec/fmp4/fmp4test"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
)

func newClip(t testing.TB) *fmp4test.Clip { return fmp4test.New(t) }

// openRecording opens the test's session; a nil store is an empty one.
func openRecording(t *testing.T, root string, store objectstore.Store) *Recording {
	t.Helper()
	if store == nil {
		disk, err := objectstore.OpenDisk(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = disk.Close() })
		store = disk
	}
	rec, err := NewLibrary(root, store).Open(t.Context(), testID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rec.Close(); err != nil {
			t.Error(err)
		}
	})
	return rec
}
