// Package native is the door for native RDP clients, in the control plane: it lets people in and hands their connections to the
// processes of sessions.
//
// A Door accepts connections, within bounds for each address and for those who have not said who they are. package rdpserver speaks
// with them until they have; what it read then decides:
//
//   - a ticket as alternate shell, or one whose password was proved at network level, opens the one desktop it is for
//   - whoever else comes signs in on a drawn screen (package screen), by password and second factor or by a code that they approve
//     in the console, chooses a desktop, and is asked what policies want to know
//
// Whoever is refused before they are known is told the same, whatever was wrong; the audit log has the reason.
//
// A user name may say where to: alice@TARGET, or alice%ACCOUNT%TARGET. The last @ counts, so that names with one are possible;
// alice@example.com%% is a name alone.
package native

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/ticket"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
	"github.com/vitrine-psm/vitrine/proxy/rdpserver"
)

// Identity signs people in.
type Identity interface {
	SignIn(ctx context.Context, name, password, source, userAgent, previous string) (identity.SignIn, error)
	FinishTOTP(ctx context.Context, step identity.Step, code string) (identity.SignIn, error)
	FinishRecovery(ctx context.Context, step identity.Step, code string) (identity.SignIn, error)
	SignOut(ctx context.Context, token string) error
	ForgetPending(ctx context.Context, token string) error
}

// Tickets lets in who brings one.
type Tickets interface {
	Redeem(ctx context.Context, form ticket.Form, text, user string, source netip.Addr) (ticket.Bound, error)
	Prove(id string) (ntlm.Hash, bool)
	Proved(id string, ok bool)
	Refused(ctx context.Context, id string) *ticket.RefusedError
}

// Desk is a desktop that somebody may open or ask for.
type Desk struct {
	TargetID, TargetName, Address string
	AccountID, AccountName        string
	Ask                           bool // it needs an approval that is not there
}

// Visit is somebody who wants a desktop.
type Visit struct {
	Subject           policy.Subject
	TargetID, Account string // Account is a name or id; empty: the only one
	GrantID           string // of a ticket: the grant it was issued on; empty: none
	Ticketed          bool   // GrantID counts
	Reason, Change    string
	Source            netip.Addr
	Width, Height     int
	SessionID         string // the one session it may be, if it still runs; empty: any
}

// Session is a session somebody is in.
type Session struct {
	ID     string
	Target string // name
	Joined bool   // it ran already
}

// Desks are the desktops behind the door.
type Desks interface {
	// Subject is who a person is now, or an error for one who may not sign in.
	Subject(ctx context.Context, userID string) (policy.Subject, error)
	// List returns what a person may open or ask for, by name.
	List(ctx context.Context, s policy.Subject, source netip.Addr) ([]Desk, error)
	// Open admits somebody and returns their session on that desktop, the one that runs or a new one, once its desktop is there. Its
	// errors are *access.NeededError, *policy.DeniedError, or what else went wrong.
	Open(ctx context.Context, v Visit) (Session, error)
	// Ask asks for access, and returns the id of the request.
	Ask(ctx context.Context, v Visit) (string, error)
	// Asked tells how a request stands, in words, and whether it is over.
	Asked(ctx context.Context, id string) (state string, over bool, err error)
	// Hand hands a client to a session.
	Hand(ctx context.Context, s Session, p Passage) error
	// Explain is what a person is told of an error of the others.
	Explain(err error) string
}

// Passage is a client on its way into a session.
type Passage struct {
	Subject policy.Subject
	Source  netip.Addr
	State   rdpserver.State
	Conn    File
}

// wanted is what a user name says.
type wanted struct{ user, account, target string }

// parseName takes a user name apart, as the package comment says.
func parseName(name string) wanted {
	if parts := strings.Split(name, "%"); len(parts) == 3 {
		return wanted{strings.TrimSpace(parts[0]), strings.TrimSpace(parts[1]), strings.TrimSpace(parts[2])}
	}
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		return wanted{user: strings.TrimSpace(name[:i]), target: strings.TrimSpace(name[i+1:])}
	}
	return wanted{user: strings.TrimSpace(name)}
}

// ticketOf returns the alternate shell if it has the shape of a ticket. Other programs are not started; they are passed over.
func ticketOf(shell string) string {
	shell = strings.TrimSpace(shell)
	if !ticket.Looks(shell) {
		return ""
	}
	return shell
}

const (
	// patience is how long a client is kept waiting without a picture while its desktop is opened.
	patience = 1200 * time.Millisecond
	// look is how often an access request is looked at.
	look = 2 * time.Second
	// farewell bounds what is done once a client is gone, or the door closes.
	farewell = 5 * time.Second
	// readingTime is how long an error stays before the client is let go.
	readingTime = time.Minute
	// stalled ends a client that reads nothing, a while after its session's process should have.
	stalled = 150 * time.Second
)
