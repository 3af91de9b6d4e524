package session

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

// Message shows a text to the session's own person and returns its id; that they have read it is told by Acknowledge. It returns a
// Refusal: RefusedTooLong, RefusedMalformed, RefusedMessages, RefusedNotRecorded, RefusedEnded.
func (s *Session) Message(ctx context.Context, from Person, text string) (id string, err error) {
	text = strings.TrimSpace(text)
	if err := checkText(text, maxMessageBytes); err != nil {
		return "", err
	}
	if text == "" {
		return "", RefusedMalformed
	}
	m := Message{ID: rand.Text(), From: from, Text: text, At: time.Now()}
	return m.ID, s.change(ctx, func() error {
		if len(s.messages) == maxMessages {
			return RefusedMessages
		}
		if s.record(recording.MessageEvent{Actor: from.Name, Action: "sent", ID: m.ID, Text: text}) != nil {
			return RefusedNotRecorded
		}
		s.messages = append(s.messages, m)
		s.door.ShowMessage(m)
		return nil
	})
}

// Acknowledge tells that v has read a message. Only the first time counts, and only of the session's own person.
func (s *Session) Acknowledge(v Viewer, id string) {
	s.loop.post(func() {
		i := slices.IndexFunc(s.messages, func(m Message) bool { return m.ID == id })
		if i < 0 || v.Person.ID != s.cfg.Owner.ID || s.isEnding() {
			return
		}
		s.messages = slices.Delete(s.messages, i, i+1)
		_ = s.record(recording.MessageEvent{Actor: v.Person.Name, Action: "acknowledged", ID: id})
	})
}
