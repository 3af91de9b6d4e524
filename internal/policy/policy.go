// Package policy decides who may do what. Every handler asks one Authorizer before it acts; nothing else in the
// gateway compares permissions.
//
// policy.go is the seam: subjects, actions, resources and decisions. Behind it the Engine decides by policies in Cedar
// (https://docs.cedarpolicy.com): nothing is allowed but what a permit allows, and a forbid wins over every permit. What
// policies may name is in schema.cedarschema, against which each text is checked before it is saved (Inspect). Annotations
// of permits are obligations, such as @max_duration("4h"); the strictest of those that decided hold. A Book keeps the
// policies with their history. Vitrine comes with some (Defaults), which give the roles their meaning.
package policy

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Action is something a person may do.
type Action string

// The actions, as policies and the API name them.
const (
	Connect             Action = "connect"                // start a session to a target with an account
	ViewLive            Action = "view_live"              // watch a running session
	TakeOver            Action = "take_over"              // control a session somebody else started
	Freeze              Action = "freeze"                 // block a session's input and picture for a while
	Message             Action = "message"                // show a text to the person in a session
	Terminate           Action = "terminate"              // end a session
	LockUser            Action = "lock_user"              // keep the person whose session it is from coming back
	Replay              Action = "replay"                 // watch, search and verify a recording
	Export              Action = "export"                 // take a recording out
	ClipboardToTarget   Action = "clipboard::to_target"   // paste into a target
	ClipboardFromTarget Action = "clipboard::from_target" // copy out of a target
	RequestAccess       Action = "request_access"         // ask for access to a target
	ApproveAccess       Action = "approve_access"         // decide on somebody's access request
	BreakGlass          Action = "break_glass"            // connect without the approval that is needed
	ManageTargets       Action = "manage_targets"         // targets, their accounts and certificates
	ManageUsers         Action = "manage_users"           // users, groups, roles, others' sign-ins and tokens
	ManagePolicies      Action = "manage_policies"        // policies
	ReadAudit           Action = "read_audit"             // the audit log
	ReadRules           Action = "read_rules"             // rules of detection
	ManageRules         Action = "manage_rules"           // change rules of detection
	ReadAlerts          Action = "read_alerts"            // what rules found in a session
	AcknowledgeAlerts   Action = "acknowledge_alerts"     // note that an alert was seen to
	ManageSystem        Action = "manage_system"          // what concerns the gateway as a whole
)

// All returns every action there is, in a fixed order.
func All() []Action {
	return []Action{
		Connect, ViewLive, TakeOver, Freeze, Message, Terminate, LockUser, Replay, Export, ClipboardToTarget, ClipboardFromTarget,
		RequestAccess, ApproveAccess, BreakGlass, ManageTargets, ManageUsers, ManagePolicies, ReadAudit,
		ReadRules, ManageRules, ReadAlerts, AcknowledgeAlerts, ManageSystem,
	}
}

// Role is what a person is to Vitrine. Policies give roles their meaning; a person may have several.
type Role string

// The roles.
const (
	Administrator Role = "administrator" // of Vitrine: users, targets, policies
	Member        Role = "user"          // connects to targets
	Supervisor    Role = "supervisor"    // watches and steps in
	Reviewer      Role = "reviewer"      // replays recordings and reads the audit log
)

// Roles returns every role, in a fixed order.
func Roles() []Role { return []Role{Administrator, Member, Supervisor, Reviewer} }

// Subject is who asks.
type Subject struct {
	ID          string
	Name        string
	Roles       []Role
	Groups      []string  // names, sorted
	MFAAt       time.Time // when this sign-in proved a second factor; zero: it did not
	Scopes      []Action  // of an API token, which may do nothing else; nil: no token, no such bound
	Permissions []Action  // what sign-in granted
}

// Kind is a kind of resource.
type Kind string

// Kinds of resources.
const (
	KindTarget    Kind = "target"
	KindSession   Kind = "session"
	KindRecording Kind = "recording"
	KindRequest   Kind = "access_request"
	KindUser      Kind = "user"
	KindSystem    Kind = "system" // the gateway itself; it has no id
)

// Resource is what the action is about. For a session, a recording and an access request Target, Account and Tags are
// those of the target it is about.
type Resource struct {
	Kind    Kind
	ID      string
	Owner   string // the id of the person whose session, recording or request it is
	Target  string // id
	Account string // name of the account on the target
	Tags    []string
}

// ResourceOf returns what an action is about on a target, with or without an account, and whose it is: for questions that are
// only supposed. Without a target it is the gateway.
func ResourceOf(action Action, target, account, owner string) Resource {
	kind := KindSystem
	switch action {
	case Connect, ClipboardToTarget, ClipboardFromTarget, RequestAccess, BreakGlass, ManageTargets:
		kind = KindTarget
	case ViewLive, TakeOver, Freeze, Message, Terminate, LockUser, ReadAlerts, AcknowledgeAlerts:
		kind = KindSession
	case Replay, Export:
		kind = KindRecording
	case ApproveAccess:
		kind = KindRequest
	case ManageUsers, ManagePolicies, ReadAudit, ReadRules, ManageRules, ManageSystem:
	}
	if kind == KindSystem || kind == KindTarget && target == "" {
		return Resource{Kind: KindSystem}
	}
	r := Resource{Kind: kind, Target: target, Account: account, Owner: owner, ID: "supposed"}
	if kind == KindTarget {
		r.ID, r.Owner = target, ""
	}
	return r
}

// Circumstances are what a decision may depend on besides who, what and whereto. Authorizers take the zero value as
// not known, never as a yes.
type Circumstances struct {
	Time       time.Time  // zero: now
	Source     netip.Addr // the client's
	Ticket     string     // of the change or incident that was named
	Approved   bool       // a grant covers this at this moment
	Concurrent int        // sessions the subject runs already
}

// Query is what an Authorizer is asked.
type Query struct {
	Subject       Subject
	Action        Action
	Resource      Resource
	Circumstances Circumstances
}

// Obligations are what a yes is bound to. Where several policies oblige, the strictest of each holds.
type Obligations struct {
	Keys        string        // how much of the keyboard is recorded: full, commands, none; "": as configured
	MaxDuration time.Duration // of the session; 0: none
	IdleLimit   time.Duration // without input; 0: none
	Retention   time.Duration // of the recording, after the session's end; 0: as configured
	Watermark   bool
	OCR         bool // text on the screen is read
	Approvals   int  // people who must have approved
	MaxSessions int  // of the person at a time; 0: any number
	// MaxTargetSessions is likewise of everybody on the target.
	MaxTargetSessions int
	ReasonNeeded      bool
	TicketNeeded      bool
	Watching          string // whether the person in a session sees who watches: announced, silent; "": silent
}

// Decision is an answer. Reason is for people, and for the log.
type Decision struct {
	Allowed     bool
	Reason      string
	Policies    []string // ids of those that decided
	Obligations Obligations
}

// Authorizer decides. An error means that no decision could be made, which callers treat as no.
type Authorizer interface {
	Authorize(ctx context.Context, q Query) (Decision, error)
}

// DeniedError is a decision of no.
type DeniedError struct {
	Action   Action
	Reason   string
	Policies []string // ids of those that decided; none when no policy allowed it
}

func (e *DeniedError) Error() string { return fmt.Sprintf("policy: %s denied: %s", e.Action, e.Reason) }

// Check asks a for a decision. The error is nil for yes, *DeniedError for no, and another when there is no decision.
func Check(ctx context.Context, a Authorizer, q Query) (Decision, error) {
	d, err := a.Authorize(ctx, q)
	if err != nil {
		return Decision{}, fmt.Errorf("policy: decide %s: %w", q.Action, err)
	}
	if !d.Allowed {
		return d, &DeniedError{Action: q.Action, Reason: d.Reason, Policies: d.Policies}
	}
	return d, nil
}

// Permissions allows each subject the actions it was granted, on every resource. Nobody is denied everything.
type Permissions struct{}

var _ Authorizer = Permissions{}

// Authorize implements Authorizer.
func (Permissions) Authorize(_ context.Context, q Query) (Decision, error) {
	switch {
	case q.Subject.ID == "":
		return Decision{Reason: "nobody is signed in"}, nil
	case !slices.Contains(q.Subject.Permissions, q.Action):
		return Decision{Reason: fmt.Sprintf("%s does not have the permission %s", q.Subject.Name, q.Action)}, nil
	}
	return Decision{Allowed: true, Reason: "granted at sign-in"}, nil
}
