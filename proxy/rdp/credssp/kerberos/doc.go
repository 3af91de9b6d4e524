// Package kerberos is the Kerberos of CredSSP: GSS-API's Kerberos 5 mechanism ([RFC 4121], [MS-KILE]) with mutual
// authentication, and the way to the ticket it needs.
//
// Two processes share the work. Obtain asks the KDC with the password and returns a Ticket; it runs where the network
// is, and parses nothing of the target's. Initiator takes the Ticket to the target; it runs where the target's bytes are
// parsed, with no network of its own, and needs no password.
//
//	Initiator                              Acceptor
//	AP-REQ: ticket, authenticator ───────▶ opens the ticket with its key, learns the session key
//	                              ◀─────── AP-REP: the authenticator's time, and a key of its own
//
// The cryptography is gokrb5's; the messages are decoded here, bounds-checked. Encryption types are those of AES only.
// INVARIANT: no error tells a password, a key or payload, and nothing is logged.
package kerberos

import (
	"errors"
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

var (
	// ErrRefused says: the acceptor or the initiator did not accept the other.
	ErrRefused = errors.New("kerberos authentication refused")
	// ErrAltered says: a message does not decrypt, or its signature or number does not fit.
	ErrAltered = errors.New("kerberos message altered or out of order")
	// ErrUnreachable says: no KDC answered.
	ErrUnreachable = errors.New("no KDC answers")
	// ErrService says: the KDC does not know the target by the name asked for.
	ErrService = errors.New("the KDC does not know the target's service principal name")
)

// errState is what a call out of turn gives.
var errState = errors.New("kerberos: step out of turn")

// Ticket is a service ticket with the key to use it: all that an Initiator needs.
type Ticket struct {
	Realm    string         // of the client
	NameType int32          // of the client's name
	Client   []string       // the client's name, by components
	Ticket   []byte         // Ticket ([RFC 4120] 5.3) in DER, sealed for the service
	KeyType  int32          // encryption type of Key
	Key      desktop.Secret // bytes of the session key
}

// check refuses a ticket that cannot be used.
func (t *Ticket) check() error {
	switch {
	case len(t.Ticket) == 0 || len(t.Ticket) > maxTicketBytes:
		return fmt.Errorf("kerberos: a ticket of %d bytes", len(t.Ticket))
	case len(t.Client) == 0 || t.Realm == "":
		return errors.New("kerberos: a ticket without a client")
	}
	_, err := newKey(t.KeyType, []byte(t.Key))
	return err
}
