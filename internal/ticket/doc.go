// Package ticket lets native clients in: a ticket opens one desktop for one person, once, within a minute.
//
// A ticket is issued to somebody who is signed in and admitted, and is bound to their user, the target, the account, the grant
// they were admitted on and, if they wish, the address they are at. There are two forms:
//
//   - Shell: 128 random bits, which a client sends as its alternate shell, inside TLS.
//   - NLA: a name, which is no secret, and a password of 128 random bits. The client proves the password by NTLM at network
//     level, and sends it to nobody who does not have it. NTLM needs the password's NT hash: it is kept in this process's memory
//     alone, for as long as the ticket lives, and so leads back to this process.
//
// The store holds only the SHA-256 of a ticket. Using one is a single statement there, so that of many who use it at once, at
// however many gateways, one gets in. Showing a ticket uses it up, also where it does not fit: somebody has it who should not.
package ticket

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Form is how a client shows its ticket.
type Form string

// The forms.
const (
	Shell Form = "shell" // as its alternate shell
	NLA   Form = "nla"   // as a name and a password, at network level
)

// Bound is what a ticket is for.
type Bound struct {
	UserID, UserName    string
	TargetID, AccountID string
	GrantID             string     // of the access request the person was admitted on; empty: they needed none
	Source              netip.Addr // the only address it may come from; the zero value: any
	Reason, Change      string     // what policies wanted to know
	MFAAt               time.Time  // when the sign-in it was issued in proved a second factor; zero: it did not
}

// Ticket is a fresh ticket. It is shown to its person once and is nowhere else.
type Ticket struct {
	Form      Form
	ID        string         // of form NLA: the user name
	Secret    desktop.Secret // the ticket; of form NLA: the password
	ExpiresAt time.Time
}

// Cause is why a ticket is refused, for the audit log. Whoever shows it is told the same in each case.
type Cause string

// The causes.
const (
	Unknown      Cause = "unknown"       // there never was one, or long ago
	Reused       Cause = "reused"        // it was used before
	Expired      Cause = "expired"       // nobody used it in time
	OtherAddress Cause = "other_address" // it is bound to another address
	WrongUser    Cause = "wrong_user"    // it is another person's
	WrongSecret  Cause = "wrong_secret"  // its password was not proved
)

// RefusedError says that a ticket does not let its bearer in.
type RefusedError struct {
	Cause Cause
	// Bound is what the ticket is for; nil where it is unknown.
	Bound *Bound
}

func (e *RefusedError) Error() string { return fmt.Sprintf("ticket: refused: %s", e.Cause) }

// TooManyError says that a person asks for tickets too often.
type TooManyError struct{ RetryAfter time.Duration }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("ticket: too many tickets, wait %v", e.RetryAfter.Round(time.Second))
}

// ErrForm says that there is no such form of ticket.
var ErrForm = errors.New("ticket: no such form")

// boundOf reads a row.
func boundOf(t store.NativeTicket) Bound {
	source, _ := netip.ParseAddr(t.Source) // written by rowOf: an address, or nothing
	return Bound{
		UserID: t.UserID, UserName: t.UserName, TargetID: t.TargetID, AccountID: t.AccountID, GrantID: t.GrantID,
		Source: source, Reason: t.Reason, Change: t.Change, MFAAt: t.MFAAt,
	}
}

func rowOf(b Bound) store.NativeTicket {
	t := store.NativeTicket{
		UserID: b.UserID, UserName: b.UserName, TargetID: b.TargetID, AccountID: b.AccountID, GrantID: b.GrantID,
		Reason: b.Reason, Change: b.Change, MFAAt: b.MFAAt,
	}
	if b.Source.IsValid() {
		t.Source = plain(b.Source).String()
	}
	return t
}

// plain is an address as it is compared: an IPv4 address in IPv6's clothes is one of IPv4.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
