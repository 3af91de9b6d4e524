package spnego

import (
	"errors"
	"fmt"
	"slices"
)

// errState is what a Step out of turn gives.
var errState = errors.New("spnego: step out of turn")

// Initiator offers one mechanism, which may have several names.
type Initiator struct {
	Mechanism
	offer    NegTokenInit
	chosen   OID // what the acceptor has answered, "" before
	started  bool
	mechDone bool // the mechanism is; what follows proves the negotiation
	sentMIC  bool
	proved   bool // the acceptor's MIC has verified
	done     bool
}

// NewInitiator returns an Initiator for m under its names, the preferred one first.
func NewInitiator(m Mechanism, names ...OID) *Initiator {
	return &Initiator{Mechanism: m, offer: NegTokenInit{MechTypes: names}}
}

// Step implements Mechanism. It is done when the acceptor has completed, perhaps with nothing left to say.
func (i *Initiator) Step(in []byte) (out []byte, done bool, err error) {
	switch {
	case i.done:
		return nil, false, errState
	case !i.started:
		i.started = true
		if i.offer.MechToken, i.mechDone, err = i.Mechanism.Step(nil); err != nil {
			return nil, false, err
		}
		return i.offer.Append(nil), false, nil
	}
	t, err := DecodeNegTokenResp(in)
	if err != nil {
		return nil, false, fmt.Errorf("spnego: %w", err)
	}
	if err := i.choose(t); err != nil {
		return nil, false, err
	}
	answer := NegTokenResp{State: noState}
	if len(t.ResponseToken) > 0 && !i.mechDone {
		if answer.ResponseToken, i.mechDone, err = i.Mechanism.Step(t.ResponseToken); err != nil {
			return nil, false, err
		}
	}
	if i.mechDone && len(t.MechListMIC) > 0 {
		if err := i.Verify(i.offer.list(), t.MechListMIC); err != nil {
			return nil, false, fmt.Errorf("spnego: mechListMIC: %w", err)
		}
		i.proved = true
	}
	if t.State == acceptCompleted {
		return nil, true, i.complete(answer)
	}
	if i.mechDone && !i.sentMIC {
		i.sentMIC = true
		if answer.MechListMIC, err = i.Sign(i.offer.list()); err != nil {
			return nil, false, err
		}
	}
	if answer.ResponseToken == nil && answer.MechListMIC == nil {
		return nil, false, fmt.Errorf("spnego: the acceptor neither completes nor goes on: %w", ErrUnproved)
	}
	return answer.Append(nil), false, nil
}

// choose takes note of the mechanism that the acceptor has chosen.
func (i *Initiator) choose(t NegTokenResp) error {
	if t.State == reject {
		return fmt.Errorf("spnego: rejected: %w", ErrNoMechanism)
	}
	if t.SupportedMech == "" {
		return nil
	}
	if !slices.Contains(i.offer.MechTypes, t.SupportedMech) || i.chosen != "" && i.chosen != t.SupportedMech {
		return fmt.Errorf("spnego: a mechanism that was not offered: %w", ErrNoMechanism)
	}
	i.chosen = t.SupportedMech
	return nil
}

// complete checks that nothing is missing when the acceptor has completed ([RFC 4178] 5): a mechanism other than the
// preferred one must have been proved.
func (i *Initiator) complete(answer NegTokenResp) error {
	preferred := i.chosen == "" || i.chosen == i.offer.MechTypes[0]
	if !i.mechDone || len(answer.ResponseToken) > 0 || !preferred && !i.proved {
		return fmt.Errorf("spnego: completed too early: %w", ErrUnproved)
	}
	i.done = true
	return nil
}
