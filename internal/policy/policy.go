// Package policy decides who may do what. Every handler asks one Authorizer before it acts; nothing else in the
// gateway compares permissions.
//
// This package is the seam: subjects, actions, resources and decisions. Today's Authorizer is Permissions, which
// looks at what a subject was granted at sign-in; a policy engine takes its place without the handlers noticing.
package policy

import (
	"context"
	"fmt"
	"slices"
)

// Action is something a person may do.
type Action string

// The actions, as policies and the API name them.
const (
	Connect             Action = "connect"                // start a session to a target
	ViewLive            Action = "view_live"              // watch a running session
	TakeOver            Action = "take_over"              // control a session somebody else started
	Terminate           Action = "terminate"              // end a session
	Replay              Action = "replay"                 // watch, search and verify a recording
	Export              Action = "export"                 // take a recording out
	ClipboardToTarget   Action = "clipboard::to_target"   // paste into a target
	ClipboardFromTarget Action = "clipboard::from_target" // copy out of a target
	ManageTargets       Action = "manage_targets"         // forget the certificate a target is held to
)

// All returns every action there is, in a fixed order.
func All() []Action {
	return []Action{Connect, ViewLive, TakeOver, Terminate, Replay, Export, ClipboardToTarget, ClipboardFromTarget, ManageTargets}
}

// Subject is who asks.
type Subject struct {
	ID          string
	Name        string
	Permissions []Action // what sign-in granted
}

// Kind is a kind of resource.
type Kind string

// Kinds of resources.
const (
	KindTarget    Kind = "target"
	KindSession   Kind = "session"
	KindRecording Kind = "recording"
)

// Resource is what the action is about.
type Resource struct {
	Kind  Kind
	ID    string
	Owner string   // the id of the person whose session or recording it is
	Tags  []string // of the target
}

// Decision is an answer. Reason is for people, and for the log.
type Decision struct {
	Allowed bool
	Reason  string
}

// Authorizer decides. An error means that no decision could be made, which callers treat as no.
type Authorizer interface {
	Authorize(ctx context.Context, subject Subject, action Action, resource Resource) (Decision, error)
}

// DeniedError is a decision of no.
type DeniedError struct {
	Action Action
	Reason string
}

func (e *DeniedError) Error() string { return fmt.Sprintf("policy: %s denied: %s", e.Action, e.Reason) }

// Check asks a for a decision and returns nil for yes, *DeniedError for no, and the error when there is none.
func Check(ctx context.Context, a Authorizer, subject Subject, action Action, resource Resource) error {
	d, err := a.Authorize(ctx, subject, action, resource)
	if err != nil {
		return fmt.Errorf("policy: decide %s: %w", action, err)
	}
	if !d.Allowed {
		return &DeniedError{Action: action, Reason: d.Reason}
	}
	return nil
}

// Permissions allows each subject the actions it was granted, on every resource. Nobody is denied everything.
type Permissions struct{}

var _ Authorizer = Permissions{}

// Authorize implements Authorizer.
func (Permissions) Authorize(_ context.Context, subject Subject, action Action, _ Resource) (Decision, error) {
	switch {
	case subject.ID == "":
		return Decision{Reason: "nobody is signed in"}, nil
	case !slices.Contains(subject.Permissions, action):
		return Decision{Reason: fmt.Sprintf("%s does not have the permission %s", subject.Name, action)}, nil
	}
	return Decision{Allowed: true, Reason: "granted at sign-in"}, nil
}
