package native

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

const (
	// codeLetters make no words and look unlike each other.
	codeLetters  = "BCDFGHJKLMNPQRSTVWXZ2456789"
	codeLength   = 8
	codeLifetime = 5 * time.Minute
	maxCodes     = 1000 // that wait; beyond, nobody gets one until some are over
)

// ErrCode says that no sign-in waits for that code.
var ErrCode = errors.New("native: no sign-in waits for this code")

// Waiting is a sign-in that waits for somebody to approve it in the console: they are shown where it is.
type Waiting struct {
	Client    string // the name the client's computer gives itself; proved by nothing
	Source    netip.Addr
	Target    string // that the user name names; empty: none
	User      string // that was typed; empty: none
	ExpiresAt time.Time
}

type waiting struct {
	Waiting
	code   string
	answer chan policy.Subject // capacity 1: who approved; the zero value: nobody will
}

// codes are the sign-ins that wait.
type codes struct {
	now func() time.Time
	mu  sync.Mutex
	all map[string]*waiting // at most maxCodes
}

func newCodes() *codes { return &codes{now: time.Now, all: map[string]*waiting{}} }

// begin lets a sign-in wait; false when too many do.
func (c *codes) begin(w Waiting) (*waiting, bool) {
	w.ExpiresAt = c.now().Add(codeLifetime)
	one := &waiting{Waiting: w, answer: make(chan policy.Subject, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) >= maxCodes {
		return nil, false
	}
	for one.code == "" || c.all[one.code] != nil {
		one.code = newCode()
	}
	c.all[one.code] = one
	return one, true
}

// newCode takes no letter more often than another: bytes beyond the last multiple of their number are drawn again.
func newCode() string {
	var out []byte
	for len(out) < codeLength {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		for _, v := range b {
			if int(v) < 256/len(codeLetters)*len(codeLetters) && len(out) < codeLength {
				out = append(out, codeLetters[int(v)%len(codeLetters)])
			}
		}
	}
	return string(out)
}

// shown is a code as people read it.
func (w *waiting) shown() string { return w.code[:4] + "-" + w.code[4:] }

func (c *codes) end(w *waiting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, w.code)
}

// plainCode is what somebody typed as it is kept.
func plainCode(s string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(s))
}

func (c *codes) find(code string) (*waiting, error) {
	w := c.all[plainCode(code)]
	if w == nil || !c.now().Before(w.ExpiresAt) {
		return nil, ErrCode
	}
	return w, nil
}

// Waiting tells who waits for a code.
func (d *Door) Waiting(code string) (Waiting, error) {
	d.codes.mu.Lock()
	defer d.codes.mu.Unlock()
	w, err := d.codes.find(code)
	if err != nil {
		return Waiting{}, err
	}
	return w.Waiting, nil
}

// Decide lets the one who waits for a code in as s, or, with approve false, sends them away. A code is decided once.
func (d *Door) Decide(code string, s policy.Subject, approve bool) (Waiting, error) {
	d.codes.mu.Lock()
	defer d.codes.mu.Unlock()
	w, err := d.codes.find(code)
	if err != nil {
		return Waiting{}, err
	}
	delete(d.codes.all, w.code)
	if !approve {
		s = policy.Subject{}
	}
	w.answer <- s
	return w.Waiting, nil
}
