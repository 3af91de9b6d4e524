package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// SessionFilter says which sessions, or recordings of sessions, a list holds. What is zero says nothing.
type SessionFilter struct {
	Running *bool     // nil: all
	Query   string    // words, all of which must be in the names of person, target and account, or in the addresses
	User    string    // id
	Target  string    // id
	Since   time.Time // only those that started then or later
	Until   time.Time // only those that started before
	Review  string    // of recordings: only those whose review is in this state
	Before  string    // only those that started before the session of this id; "": from the newest
	Limit   int
}

// clockSlack is how far the time in a session's id may be from when it started.
const clockSlack = time.Minute

// where returns the condition on the table sessions, and its arguments.
func (f *SessionFilter) where() (string, []any) {
	conditions, args := []string{"1 = 1"}, []any(nil)
	with := func(format string, value any) {
		args = append(args, value)
		conditions = append(conditions, fmt.Sprintf(format, fmt.Sprintf("$%d", len(args))))
	}
	if f.Before != "" {
		with(`sessions.id < %s`, f.Before)
	}
	if f.Running != nil && *f.Running {
		conditions = append(conditions, `sessions.state <> 'ended'`)
	} else if f.Running != nil {
		conditions = append(conditions, `sessions.state = 'ended'`)
	}
	if f.User != "" {
		with(`sessions.user_id = %s`, f.User)
	}
	if f.Target != "" {
		with(`sessions.target_id = %s`, f.Target)
	}
	// The id begins with the time, and leads there without reading what is newer.
	if !f.Since.IsZero() {
		with(`sessions.id >= %s`, firstID(f.Since.Add(-clockSlack)))
		with(`sessions.started_at >= %s`, toMicros(f.Since))
	}
	if !f.Until.IsZero() {
		with(`sessions.id < %s`, firstID(f.Until.Add(clockSlack)))
		with(`sessions.started_at < %s`, toMicros(f.Until))
	}
	words := strings.Fields(strings.ToLower(f.Query))
	for _, w := range words[:min(len(words), maxSearchWords)] {
		with(`sessions.search LIKE %s ESCAPE '\'`, "%"+escapeLike(w)+"%")
	}
	return strings.Join(conditions, ` AND `), args
}

// page returns the condition for one page, and its arguments. Where words are looked for it finds the ids first, in an
// index that has all it needs: most rows are then never read.
func (f *SessionFilter) page() (string, []any) {
	where, args := f.where()
	if strings.TrimSpace(f.Query) == "" {
		return where, args
	}
	return fmt.Sprintf(`sessions.id IN (SELECT id FROM sessions WHERE %s ORDER BY id DESC LIMIT %d)`, where, f.Limit), args
}

// firstID is the least id of a session that starts at t.
func firstID(t time.Time) string {
	var id ulid.ULID
	ms := min(max(t.UnixMilli(), 0), int64(ulid.MaxTime()))
	if err := id.SetTime(uint64(ms)); err != nil { // bounded above
		return ""
	}
	return id.String()
}

// searchText is what sessions are searched by.
func (s *Session) searchText() string {
	return strings.ToLower(strings.Join([]string{s.UserName, s.TargetID, s.TargetName, s.TargetAddress, s.AccountName, s.ClientAddress}, " "))
}
