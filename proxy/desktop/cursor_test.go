package desktop

import (
	"image"
	"testing"
)

func TestCursor(t *testing.T) {
	f := newFramebuffer(t, 64, 64)
	if c := f.Cursor(); c != (Cursor{}) {
		t.Fatalf("at first %+v", c)
	}
	shape := image.NewNRGBA(image.Rect(0, 0, 10, 12))
	if err := f.SetCursor(shape, image.Pt(3, 4), false); err != nil {
		t.Fatal(err)
	}
	if c, want := f.Cursor(), (Cursor{Serial: 1, Shape: shape, Hotspot: image.Pt(3, 4)}); c != want {
		t.Fatalf("%+v, want %+v", c, want)
	}
	if err := f.SetCursor(nil, image.Point{}, true); err != nil {
		t.Fatal(err)
	}
	if c, want := f.Cursor(), (Cursor{Serial: 2, Hidden: true}); c != want {
		t.Fatalf("%+v, want %+v", c, want)
	}
	for _, r := range []image.Rectangle{image.Rect(0, 0, MaxCursorSide+1, 1), image.Rect(0, 0, 1, MaxCursorSide+1)} {
		if err := f.SetCursor(image.NewNRGBA(r), image.Point{}, false); err == nil {
			t.Errorf("cursor of %v was accepted", r)
		}
	}
	if c := f.Cursor(); c.Serial != 2 {
		t.Errorf("a refused shape counts: %+v", c)
	}
}

func TestWatchCursor(t *testing.T) {
	f := newFramebuffer(t, 64, 64)
	a, b := make(chan struct{}, 1), make(chan struct{}, 1)
	stopA, stopB := f.WatchCursor(a), f.WatchCursor(b)
	set := func() {
		t.Helper()
		if err := f.SetCursor(nil, image.Point{}, false); err != nil {
			t.Fatal(err)
		}
	}
	got := func(ch chan struct{}) bool {
		select {
		case <-ch:
			return true
		default:
			return false
		}
	}
	set()
	set() // a full channel is not waited for
	if !got(a) || !got(b) || got(a) {
		t.Fatal("watchers were not told once")
	}
	stopA()
	stopA() // a second time does nothing
	set()
	if got(a) || !got(b) {
		t.Fatal("the wrong watcher was told")
	}
	stopB()
	set()
	if got(a) || got(b) {
		t.Fatal("told after the end")
	}
}
