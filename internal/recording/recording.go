// Package recording keeps what happened in a session: the pictures as they were shown and the events beside them.
//
// FORMAT.md specifies the files. They pass through three hands:
//
//   - the Recorder, in the worker, writes them to the session's spool folder and flushes them to the disk;
//   - the Uploader, in serve, brings every closed file to the store, closes what a dead worker left open (Recover), and
//     stores the manifest last;
//   - the Library, in serve, reads a recording back, from the spool, from the store, or from both while it moves.
//
// INVARIANT: whoever writes to a spool folder holds its lock: the worker from its start to its end, then serve. A folder
// whose lock is free belongs to no living worker.
//
// INVARIANT: a closed file is in the spool until the store has confirmed it, and the journal is there until the store
// has confirmed the manifest. So a reader that looks in the spool first and in the store second finds every file.
package recording

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
)

// FormatVersion is the version FORMAT.md describes.
const FormatVersion = 2

// unchainedFormat is what recordings had before their entries were chained and their manifests signed. They are still read.
const unchainedFormat = 1

// KeyMode says how much of what was typed is recorded.
type KeyMode string

const (
	// KeysFull records keys and typed text.
	KeysFull KeyMode = "full"
	// KeysCommands records which key it was of those that write nothing, such as Enter and F4; the others, and typed text, as
	// KeysNone.
	KeysCommands KeyMode = "commands"
	// KeysNone records that a key went down or up, not which, and of typed text the length only.
	KeysNone KeyMode = "none"
)

// SessionInfo is session.json.
type SessionInfo struct {
	Format    int    `json:"format"` // set by NewRecorder
	SessionID string `json:"session_id"`
	// StartedAt is the wall-clock time of 0 on the session's clock. For NewRecorder it must carry a monotonic reading:
	// the very time.Time from which the hub counts AccessUnit.PTS.
	StartedAt     time.Time `json:"started_at"`
	User          Person    `json:"user"`
	Target        Target    `json:"target"`
	ClientAddress string    `json:"client_address"`
	Recorder      string    `json:"recorder"` // name and version of the program
	Keys          KeyMode   `json:"keys"`     // set by NewRecorder
}

// Person is who is recorded.
type Person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Target is where the session went.
type Target struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Protocol string `json:"protocol"`
	Address  string `json:"address"`
}

// EndReason says why a session ended: Code for programs, Message for people.
type EndReason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Hash is a SHA-256, in hex in JSON.
type Hash [sha256.Size]byte

// MarshalText writes lower-case hex.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads hex of exactly 32 bytes.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("recording: sha256 of %d characters", len(text))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// Ticks is a time on the session's clock in 1/90000 s.
type Ticks uint64

// Duration converts to a time.Duration.
func (t Ticks) Duration() time.Duration { return fmp4.Duration(uint64(t)) }

// toTicks converts a time on the session's clock; one before its start becomes 0.
func toTicks(d time.Duration) Ticks { return Ticks(fmp4.Ticks(max(d, 0))) }

// parseSession reads session.json.
func parseSession(b []byte) (SessionInfo, error) {
	var s SessionInfo
	if err := json.Unmarshal(b, &s); err != nil {
		return SessionInfo{}, &CorruptError{File: sessionFile, Offset: -1, Err: err}
	}
	if s.Format != FormatVersion && s.Format != unchainedFormat {
		return SessionInfo{}, fmt.Errorf("%w: %d", ErrFormatVersion, s.Format)
	}
	return s, nil
}
