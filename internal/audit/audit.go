// Package audit is the record of who did what, when, from where, whether they were allowed to and by which policies.
//
// It is a Merkle tree after RFC 6962: every entry is a leaf, in the order in which they were written, and signed
// checkpoints state how many leaves there are and the hash over all of them. Entries are only ever added. Whoever
// changes, removes, inserts or reorders one, in the database or anywhere else, changes that hash, and what was signed
// before tells. Checkpoints are also kept outside of the database, so that one put back to an earlier state is found.
//
// FORMAT.md beside this file specifies entries, hashes, checkpoints and keys; Verify needs nothing else, and
// golang.org/x/mod/sumdb's packages tlog and note can check all of it.
//
// Callers hold a Recorder. What becomes of an act whose entry cannot be written is theirs to decide, and they decide
// that it fails: an error of Record is an error of the act.
package audit

import (
	"context"
	"errors"
	"time"
)

// Recorder writes an entry. When Record returns nil the entry is durable. It does not stop with ctx, because what it
// tells of has happened; it takes a bounded time instead.
type Recorder interface {
	Record(ctx context.Context, e Entry) error
}

// Entry is one thing that happened. Texts longer than limits.go allows are cut, and never hold secrets, nor what
// people typed into fields for secrets.
type Entry struct {
	Time      time.Time // when it happened; zero: now
	Actor     Actor
	Source    string // the client's IP address; "" for what did not come over a network
	Action    string // snake_case: terminate_session, session_ended, sign_in
	Outcome   Outcome
	Object    Object // what it was done to
	SessionID string // the session it concerns, if any
	Policies  []string
	Details   map[string]string // by snake_case keys
}

// Actor is who did it.
type Actor struct {
	ID   string // of the user; "" for others
	Name string // of the user, the operating system's user (cli), or the gateway's part (system)
	Kind string // KindUser, KindToken, KindCLI, KindSystem, KindAnonymous
}

// Kinds of actors.
const (
	KindUser      = "user"      // somebody signed in
	KindToken     = "token"     // an API token of a user; details hold token_id
	KindCLI       = "cli"       // the command line, by the operating system's user
	KindSystem    = "system"    // the gateway itself
	KindAnonymous = "anonymous" // nobody signed in
)

// Outcome is how it went.
type Outcome string

// The outcomes.
const (
	Success Outcome = "success"
	Denied  Outcome = "denied" // not allowed, also a sign-in refused
	Failed  Outcome = "failed" // allowed, but it did not come about
)

// Object is what something is done to.
type Object struct{ Kind, ID, Name string }

// Actions the log itself and its readers give a meaning to.
const (
	ActionSessionStarted = "session_started" // details: account, protocol, address, tags
	ActionSessionEnded   = "session_ended"   // details: code, message, duration_ms
	ActionSessionAlert   = "session_alert"   // details: rule, name, severity, action, source, excerpt, person, user_name, repeated
	// ActionSessionJustification is an answer to a rule that asks why; details: rule, name, answer, reason, person, user_name, released
	ActionSessionJustification = "session_justification"
	ActionRecordingSealed      = "recording_sealed" // details: manifest_sha256, sealed_by, files, bytes
	ActionGatewayStarted       = "gateway_started"  // details: version, config_sha256
	ActionGatewayStopped       = "gateway_stopped"
	ActionLogCreated           = "audit_log_created"      // details: key
	ActionKeyRotated           = "audit_key_rotated"      // details: old_key, new_key, signature
	ActionLogResumed           = "audit_log_resumed"      // somebody accepted that; details: reason, kept, abandoned, abandoned_root
	ActionLogInconsistent      = "audit_log_inconsistent" // the log is not what a checkpoint says; details: problem
)

// What callers tell apart.
var (
	// ErrUnavailable: the entry could not be written.
	ErrUnavailable = errors.New("audit: the log cannot be written")
	// ErrKey: the key file does not hold the key the log is signed with.
	ErrKey = errors.New("audit: not the key of this log")

	errNoHash = errors.New("is not stored")
)

// Discard is a Recorder for tests that are about something else.
type Discard struct{}

var _ Recorder = Discard{}

// Record implements Recorder.
func (Discard) Record(context.Context, Entry) error { return nil }
