package outbox

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func text(s string) func(b []byte) []byte { return func(b []byte) []byte { return append(b, s...) } }

// TestOrder: everything comes whole and in order, from several senders.
func TestOrder(t *testing.T) {
	q := New(8, 1<<20)
	var got bytes.Buffer
	var writer, senders sync.WaitGroup
	writer.Go(func() {
		q.Run(func(b []byte) error {
			got.Write(b)
			return nil
		})
	})
	const each = 500
	for _, s := range []string{"aaaa", "bbbb"} {
		senders.Go(func() {
			for range each {
				if err := q.Push(text(s)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	senders.Wait()
	q.Flush(time.Minute)
	q.Close()
	writer.Wait()
	if n := bytes.Count(got.Bytes(), []byte("aaaa")); got.Len() != 8*each || n < each {
		t.Errorf("%d bytes, %d whole messages of one sender", got.Len(), n)
	}
}

// TestBounds: Push waits at the soft cap, Add goes on to the hard one.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(4, 8)
		for range 2 {
			if err := q.Add(text("1234")); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.Add(text("5")); !errors.Is(err, ErrFull) || !errors.Is(err, desktop.ErrProtocol) {
			t.Errorf("above the hard cap: %v", err)
		}
		pushed := make(chan error, 1)
		go func() { pushed <- q.Push(text("6")) }()
		synctest.Wait()
		select {
		case err := <-pushed:
			t.Fatalf("push did not wait: %v", err)
		default:
		}
		release := make(chan struct{})
		go q.Run(func([]byte) error { <-release; return nil })
		release <- struct{}{}
		if err := <-pushed; err != nil { // what was there is written
			t.Error(err)
		}
		begun := time.Now()
		q.Flush(3 * time.Second) // the writer is stuck
		if waited := time.Since(begun); waited != 3*time.Second {
			t.Errorf("flush waited %v", waited)
		}
		close(release)
		q.Flush(time.Minute)
		q.Close()
		if err := q.Push(text("7")); !errors.Is(err, desktop.ErrNotConnected) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestFailure: an error of the writer ends the queue, for those who wait as well.
func TestFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(1, 100)
		if err := q.Add(text("x")); err != nil {
			t.Fatal(err)
		}
		pushed := make(chan error, 1)
		fail := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			q.Run(func([]byte) error { <-fail; return errors.New("broken") })
		}()
		synctest.Wait()
		if err := q.Add(text("y")); err != nil {
			t.Fatal(err)
		}
		go func() { pushed <- q.Push(text("z")) }()
		synctest.Wait()
		close(fail)
		if err := <-pushed; !errors.Is(err, desktop.ErrNotConnected) {
			t.Errorf("waited for: %v", err)
		}
		<-done
	})
}
