package serve

import (
	"sync"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// observer hears from the workers what becomes of their sessions, writes it down and wakes the uploader. The calls for
// one session come one after the other.
type observer struct {
	ledger   *ledger
	uploader *recording.Uploader

	mu      sync.Mutex
	running map[string]observed
}

// observed is what was last written down of a running session.
type observed struct {
	store.Progress
	recorded bool // the recording has a row
}

func newObserver(l *ledger, u *recording.Uploader) *observer {
	return &observer{ledger: l, uploader: u, running: map[string]observed{}}
}

// changed is told how a running session is. Only changes are written.
func (o *observer) changed(id string, p store.Progress) {
	o.mu.Lock()
	before := o.running[id]
	now := observed{p, before.recorded || p.State == stateActive}
	o.running[id] = now
	o.mu.Unlock()
	if now.recorded && !before.recorded {
		o.ledger.recording(id)
	}
	if now.Progress != before.Progress {
		o.ledger.progress(id, p)
	}
}

// fileClosed is told that a file of the recording is complete and durable in the spool.
func (o *observer) fileClosed(id, name string) { o.uploader.Notify(id, name) }

// ended is told that a session is over and its worker gone.
func (o *observer) ended(id, code, message string) {
	o.mu.Lock()
	delete(o.running, id)
	o.mu.Unlock()
	o.ledger.ended(id, code, message)
	o.uploader.Finished(id, recording.EndReason{Code: code, Message: message})
}
