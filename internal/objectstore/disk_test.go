package objectstore_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/objectstore/objectstoretest"
)

func openDisk(t *testing.T, dir string) *objectstore.Disk {
	t.Helper()
	d, err := objectstore.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestDisk(t *testing.T) {
	objectstoretest.Run(t, func(t *testing.T) objectstore.Store { return openDisk(t, t.TempDir()) })
}

func TestDiskRemovesHalfWrittenObjects(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	objectstoretest.Put(t, openDisk(t, dir), "a/k", []byte("whole"))
	torn := filepath.Join(dir, "a", ".put-0")
	if err := os.WriteFile(torn, []byte("ha"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := openDisk(t, dir)
	if _, err := os.Stat(torn); !os.IsNotExist(err) {
		t.Errorf("the temporary file is still there: %v", err)
	}
	if got := objectstoretest.Get(t, d, "a/k"); string(got) != "whole" {
		t.Errorf("got %q", got)
	}
}

func TestDiskStaysInItsFolder(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if f, err := openDisk(t, dir).Get(t.Context(), "link", objectstore.Range{}); err == nil {
		t.Error("a link out of the folder was followed")
		_ = f.Close()
	}
}

func TestDiskLock(t *testing.T) {
	d, err := objectstore.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	now := time.Now()
	d.Clock = func() time.Time { return now }
	objectstoretest.RunLock(t, d, func(until time.Time) { now = until })
}
