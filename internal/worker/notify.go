package worker

import (
	"sync"

	"github.com/vitrine-psm/vitrine/internal/session"
)

// Observer hears what becomes of sessions. Calls about one session come one after the other, those about different ones
// at the same time; a call may take its time without holding anything up.
type Observer interface {
	// SessionChanged tells how a session is now. Changes that follow fast are told together.
	SessionChanged(s Snapshot)
	// FileClosed tells that a file of the recording is complete and durable in the spool. A call may be lost when there
	// are very many.
	FileClosed(id, name string)
	// CertificateTrusted tells which certificate the session's target has shown and was taken at first use, once the session
	// is active.
	CertificateTrusted(id, fingerprint string)
	// AlertRaised tells of a rule of detection that fits. A call may be lost when there are very many.
	AlertRaised(id string, a Alert)
	// Justified tells what became of a rule's question why, after the alert. A call may be lost when there are very many.
	Justified(id string, j Justification)
	// SessionEnded is called last, once for each session whose worker was started, when that worker is gone. What it left
	// in the spool belongs to serve from now on.
	SessionEnded(id string, end session.End)
}

// notifier tells an Observer of one session in order, without its caller waiting.
type notifier struct {
	observer Observer
	id       string
	snapshot func() Snapshot
	wake     chan struct{} // capacity 1: there is something to tell

	mu      sync.Mutex
	changed bool
	trusted string          // fingerprint; empty: none
	files   []string        // at most maxFeedFiles
	alerts  []Alert         // at most maxFeedAlerts
	answers []Justification // at most maxFeedAlerts
	end     *session.End
}

func newNotifier(o Observer, id string, snapshot func() Snapshot) *notifier {
	return &notifier{observer: o, id: id, snapshot: snapshot, wake: make(chan struct{}, 1)}
}

func (n *notifier) note(fn func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fn()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *notifier) sessionChanged() { n.note(func() { n.changed = true }) }

func (n *notifier) fileClosed(name string) {
	n.note(func() {
		if len(n.files) == maxFeedFiles {
			n.files = n.files[1:]
		}
		n.files = append(n.files, name)
	})
}

func (n *notifier) certificateTrusted(fingerprint string) { n.note(func() { n.trusted = fingerprint }) }

func (n *notifier) alertRaised(a Alert) {
	n.note(func() {
		if len(n.alerts) == maxFeedAlerts {
			n.alerts = n.alerts[1:]
		}
		n.alerts = append(n.alerts, a)
	})
}

func (n *notifier) justified(j Justification) {
	n.note(func() {
		if len(n.answers) == maxFeedAlerts {
			n.answers = n.answers[1:]
		}
		n.answers = append(n.answers, j)
	})
}

// sessionEnded is the last word.
func (n *notifier) sessionEnded(end session.End) { n.note(func() { n.end = &end }) }

// run tells until the session has ended.
func (n *notifier) run() {
	for range n.wake {
		n.mu.Lock()
		changed, trusted, files, alerts, answers, end := n.changed, n.trusted, n.files, n.alerts, n.answers, n.end
		n.changed, n.trusted, n.files, n.alerts, n.answers = false, "", nil, nil, nil
		n.mu.Unlock()
		if trusted != "" {
			n.observer.CertificateTrusted(n.id, trusted)
		}
		if changed {
			n.observer.SessionChanged(n.snapshot())
		}
		for _, a := range alerts {
			n.observer.AlertRaised(n.id, a)
		}
		for _, j := range answers {
			n.observer.Justified(n.id, j)
		}
		for _, name := range files {
			n.observer.FileClosed(n.id, name)
		}
		if end != nil {
			n.observer.SessionEnded(n.id, *end)
			return
		}
	}
}
