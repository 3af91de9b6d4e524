package native

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

const (
	// returnWithin is how long after its connection broke a client may come back by its cookie.
	returnWithin = 2 * time.Minute
	maxReturns   = 10_000 // beyond, clients get no cookie
)

// comeback is what a client gets back that comes again by its auto-reconnect cookie ([MS-RDPBCGR] 5.5).
type comeback struct {
	cookie  rdp.ReconnectCookie
	userID  string
	mfaAt   time.Time
	session Session
	source  netip.Addr // that its ticket was bound to; the zero value: any
	until   time.Time  // zero: it is connected, as far as this side knows
}

// returns are the cookies that clients have. Each is good once: who comes back gets another.
type returns struct {
	now func() time.Time
	mu  sync.Mutex
	all map[uint32]*comeback // by logon id; at most maxReturns
}

func newReturns() *returns { return &returns{now: time.Now, all: map[uint32]*comeback{}} }

// give makes a cookie for b, or returns nil where there are too many.
func (r *returns) give(b comeback) *comeback {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if len(r.all) >= maxReturns {
		for id, old := range r.all {
			if !old.until.IsZero() && now.After(old.until) {
				delete(r.all, id)
			}
		}
		if len(r.all) >= maxReturns {
			return nil
		}
	}
	_, _ = rand.Read(b.cookie.Random[:]) // never fails
	for b.cookie.LogonID == 0 || r.all[b.cookie.LogonID] != nil {
		var id [4]byte
		_, _ = rand.Read(id[:])
		b.cookie.LogonID = binary.LittleEndian.Uint32(id[:])
	}
	r.all[b.cookie.LogonID] = &b
	return &b
}

// left notes that the client of b is gone.
func (r *returns) left(b *comeback) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b.until = r.now().Add(returnWithin)
}

// take returns what a verifier is for, once; false for one that is not good.
func (r *returns) take(v *rdp.ReconnectVerifier, source netip.Addr) (comeback, bool) {
	if v == nil {
		return comeback{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.all[v.LogonID]
	if b == nil {
		return comeback{}, false
	}
	if want := b.cookie.Verifier(); subtle.ConstantTimeCompare(want.Verifier[:], v.Verifier[:]) != 1 {
		return comeback{}, false
	}
	delete(r.all, v.LogonID)
	if !b.until.IsZero() && r.now().After(b.until) || b.source.IsValid() && b.source != source {
		return comeback{}, false
	}
	return *b, true
}
