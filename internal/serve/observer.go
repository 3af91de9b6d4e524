package serve

import (
	"context"
	"strings"
	"sync"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/worker"
)

// observer hears from the workers what becomes of their sessions, writes it down and wakes the uploader. The calls for
// one session come one after the other.
type observer struct {
	ledger   *ledger
	uploader *recording.Uploader
	workers  workers         // to end a session
	ending   func(id string) // told first that a session is over; nil: nobody
	over     func(id string) // told next; nil: nobody
	// alert hears of what rules of detection find, justified what is said to those that ask why, quiet that a session is over; nil: nobody.
	alert     func(id string, a worker.Alert)
	justified func(id string, j worker.Justification)
	quiet     func(id string)
	// told is told last, when it is written down; nil: nobody.
	told func(id, code, message string)

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

// certificate is told which certificate the target of a session has shown and was taken at first use. When another was
// taken meanwhile, by a session that began at the same time, one of the two was not the target's, and this one ends.
func (o *observer) certificate(id, fingerprint string) {
	held, err := o.ledger.certificate(id, fingerprint)
	if err != nil || held == fingerprint {
		return // what could not be written down is taken anew next time
	}
	end := session.NewEnd(session.EndTargetCertificate, "another session has just seen another one")
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := o.workers.Terminate(ctx, id, policy.Subject{}, string(end.Code), end.Message); err != nil {
		o.ledger.log.Error("session with the wrong target not ended", "session_id", id, "error", err)
	}
}

// fileClosed is told that a file of the recording is complete and durable in the spool.
func (o *observer) fileClosed(id, name string) {
	o.uploader.Notify(id, name)
	if o.ledger.changed != nil && strings.HasPrefix(name, "events-") {
		o.ledger.changed(id)
	}
}

// ended is told that a session is over and its worker gone.
func (o *observer) ended(id, code, message string) {
	o.mu.Lock()
	delete(o.running, id)
	o.mu.Unlock()
	if o.ending != nil {
		o.ending(id)
	}
	if o.over != nil {
		o.over(id)
	}
	if o.quiet != nil {
		o.quiet(id)
	}
	o.ledger.ended(id, code, message)
	o.uploader.Finished(id, recording.EndReason{Code: code, Message: message})
	if o.told != nil {
		o.told(id, code, message)
	}
}
