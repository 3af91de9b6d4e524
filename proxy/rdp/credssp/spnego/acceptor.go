package spnego

import (
	"bytes"
	"fmt"
)

// Acceptor takes the first mechanism offered that it has.
type Acceptor struct {
	Mechanism // nil until chosen
	choose    func(OID) Mechanism
	list      []byte // the initiator's MechTypeList
	mechDone  bool
	sentMIC   bool
	needMIC   bool // the initiator did not prefer what was chosen
	proved    bool
	done      bool
}

// NewAcceptor returns an Acceptor. choose returns a new mechanism, or nil for those there are not.
func NewAcceptor(choose func(OID) Mechanism) *Acceptor { return &Acceptor{choose: choose} }

// Step implements Mechanism.
func (a *Acceptor) Step(in []byte) (out []byte, done bool, err error) {
	if a.done {
		return nil, false, errState
	}
	if a.Mechanism == nil {
		return a.first(in)
	}
	t, err := DecodeNegTokenResp(in)
	if err != nil {
		return nil, false, fmt.Errorf("spnego: %w", err)
	}
	answer := NegTokenResp{State: acceptIncomplete}
	return a.answer(answer, t.ResponseToken, t.MechListMIC)
}

// first answers the NegTokenInit.
func (a *Acceptor) first(in []byte) (out []byte, done bool, err error) {
	t, err := DecodeNegTokenInit(in)
	if err != nil {
		return nil, false, fmt.Errorf("spnego: %w", err)
	}
	for n, oid := range t.MechTypes {
		if a.Mechanism = a.choose(oid); a.Mechanism == nil {
			continue
		}
		a.list = bytes.Clone(t.mechTypeSeq)
		a.needMIC = n > 0
		if a.needMIC { // the token is of another mechanism
			return NegTokenResp{State: requestMIC, SupportedMech: oid}.Append(nil), false, nil
		}
		return a.answer(NegTokenResp{State: acceptIncomplete, SupportedMech: oid}, t.MechToken, nil)
	}
	return NegTokenResp{State: reject}.Append(nil), false, fmt.Errorf("spnego: %d mechanisms offered: %w", len(t.MechTypes), ErrNoMechanism)
}

// answer fills an answer: a step of the mechanism, then the proofs of the negotiation ([RFC 4178] 5).
func (a *Acceptor) answer(answer NegTokenResp, token, mic []byte) (out []byte, done bool, err error) {
	if len(token) > 0 && !a.mechDone {
		if answer.ResponseToken, a.mechDone, err = a.Mechanism.Step(token); err != nil {
			return nil, false, err
		}
	}
	if len(mic) > 0 {
		if !a.mechDone {
			return nil, false, fmt.Errorf("spnego: mechListMIC before the mechanism is done: %w", ErrUnproved)
		}
		if err := a.Verify(a.list, mic); err != nil {
			return nil, false, fmt.Errorf("spnego: mechListMIC: %w", err)
		}
		a.proved = true
	}
	if a.mechDone && (a.needMIC || a.proved) && !a.sentMIC {
		a.sentMIC = true
		if answer.MechListMIC, err = a.Sign(a.list); err != nil {
			return nil, false, err
		}
	}
	if a.done = a.mechDone && (a.proved || !a.needMIC); a.done {
		answer.State = acceptCompleted
	} else if answer.ResponseToken == nil && answer.MechListMIC == nil && answer.SupportedMech == "" {
		return nil, false, fmt.Errorf("spnego: the initiator does not go on: %w", ErrUnproved)
	}
	return answer.Append(nil), a.done, nil
}
