package session

import (
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

// rejections keeps refused input from flooding the recording: the first of a kind is noted at once, more of it are
// counted and noted together. The loop owns it.
type rejections struct {
	record func(e recording.Event) error
	post   func(fn func())   // runs fn in the loop
	seen   map[rejection]int // how many since the last event of the kind
	timer  *time.Timer       // ends the window; nil when none is open
}

// rejection is one kind of refused input.
type rejection struct{ actor, what, message string }

func newRejections(record func(recording.Event) error, post func(func())) *rejections {
	return &rejections{record: record, post: post, seen: map[rejection]int{}}
}

// note counts one refused input.
func (r *rejections) note(actor, what, message string) {
	kind := rejection{actor, what, message}
	if _, known := r.seen[kind]; !known && len(r.seen) >= maxRejections {
		kind = rejection{what: "other", message: "More kinds of refused input."}
	}
	n, known := r.seen[kind]
	if known {
		r.seen[kind] = n + 1
		return
	}
	r.seen[kind] = 0
	_ = r.record(recording.RejectedEvent{Actor: kind.actor, What: kind.what, Message: kind.message})
	if r.timer == nil {
		r.timer = time.AfterFunc(rejectionWindow, func() { r.post(r.flush) })
	}
}

// flush notes what was counted and begins anew.
func (r *rejections) flush() {
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	for kind, n := range r.seen {
		if n > 0 {
			_ = r.record(recording.RejectedEvent{Actor: kind.actor, What: kind.what, Message: kind.message, Count: n})
		}
	}
	clear(r.seen)
}
