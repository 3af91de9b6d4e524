package native

import (
	"context"
	"crypto/tls"
	"errors"
	"image"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/internal/ticket"
	"github.com/vitrine-psm/vitrine/proxy/rdpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const alicePassword = "correct horse battery"

// rig is a Door with real tickets and sign-in, and fake desktops.
type rig struct {
	t        *testing.T
	door     *Door
	tickets  *ticket.Service
	identity *identity.Service
	desks    *fakeDesks
	audit    *fakeAudit
	alice    policy.Subject
	addr     string // TLS
	nla      string
	ahead    atomic.Int64 // the tickets' clock, of time
	cert     *testbed.Cert
}

func newRig(t *testing.T, change ...func(*Options)) *rig {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	r := &rig{t: t, audit: &fakeAudit{}, cert: testbed.NewCert(t, "localhost", "127.0.0.1")}
	r.tickets = ticket.New(db.NativeTickets, ticket.Options{Now: func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }})
	r.identity, err = identity.New(identity.TablesOf(db), identity.Options{Hashing: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	require.NoError(t, err)
	u, err := r.identity.CreateUser(t.Context(), identity.NewUser{Name: "alice", Password: alicePassword, Roles: []policy.Role{policy.Member}})
	require.NoError(t, err)
	r.alice = policy.Subject{ID: u.ID, Name: "alice"}
	_, err = r.identity.SignIn(t.Context(), "alice", alicePassword, "127.0.0.1", "", "")
	require.NoError(t, err)
	r.desks = &fakeDesks{r: r, list: []Desk{
		{TargetID: "web-1", TargetName: "Web server", Address: "10.0.0.1:3389", AccountID: "a1", AccountName: "operator"},
		{TargetID: "db-1", TargetName: "Database", Address: "10.0.0.2:5900", AccountID: "a2"},
	}}
	opts := Options{
		Tickets: r.tickets, Identity: r.identity, Desks: r.desks, Certificate: func() (*tls.Certificate, error) { return &r.cert.TLS, nil },
		Limits:           Limits{Connections: 500, PerSource: 400, HalfOpen: 200},
		HandshakeTimeout: 10 * time.Second, SignInTimeout: 30 * time.Second, Name: "vitrine.test",
		Audit: r.audit, Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&opts)
	}
	r.door = New(opts)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	for security, addr := range map[rdpserver.Security]*string{rdpserver.SecurityTLS: &r.addr, rdpserver.SecurityNLA: &r.nla} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		*addr = l.Addr().String()
		wg.Go(func() {
			if err := r.door.Serve(ctx, l, security); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		r.desks.end()
		stop()
		wg.Wait()
	})
	return r
}

// issue makes a ticket for alice and the web server.
func (r *rig) issue(form ticket.Form, change ...func(*ticket.Bound)) ticket.Ticket {
	r.t.Helper()
	b := ticket.Bound{UserID: r.alice.ID, UserName: "alice", TargetID: "web-1", AccountID: "a1"}
	for _, c := range change {
		c(&b)
	}
	t, err := r.tickets.Issue(r.t.Context(), form, b)
	require.NoError(r.t, err)
	return t
}

// fakeAudit remembers.
type fakeAudit struct {
	mu      sync.Mutex
	entries []audit.Entry
}

func (a *fakeAudit) Record(_ context.Context, e audit.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries, e)
	return nil
}

// causes are those of the refusals, in order.
func (a *fakeAudit) causes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, e := range a.entries {
		if e.Action == "native_client_refused" {
			out = append(out, e.Details["cause"])
		}
	}
	return out
}

// fakeDesks are desktops whose sessions take what they are handed and keep it open until end.
type fakeDesks struct {
	r    *rig
	list []Desk

	mu      sync.Mutex
	need    []error // what Open wants before it opens, in order
	visits  []Visit
	handed  []Passage
	clients []*rdpserver.Conn
	active  sync.WaitGroup
	asked   string
	state   string // of the request
	slow    chan struct{}
}

func (d *fakeDesks) Subject(_ context.Context, id string) (policy.Subject, error) {
	if id != d.r.alice.ID {
		return policy.Subject{}, errors.New("gone")
	}
	return d.r.alice, nil
}

func (d *fakeDesks) List(context.Context, policy.Subject, netip.Addr) ([]Desk, error) {
	return d.list, nil
}

func (d *fakeDesks) Open(ctx context.Context, v Visit) (Session, error) {
	d.mu.Lock()
	d.visits = append(d.visits, v)
	slow := d.slow
	var err error
	if len(d.need) > 0 {
		err, d.need = d.need[0], d.need[1:]
	}
	d.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
			return Session{}, context.Cause(ctx)
		}
	}
	return Session{ID: "s", Target: v.TargetID}, err
}

func (d *fakeDesks) Ask(_ context.Context, v Visit) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(v.Reason) < 3 {
		return "", errors.New("short")
	}
	d.asked, d.state = v.Reason, "Nobody has decided yet."
	return "q", nil
}

func (d *fakeDesks) Asked(context.Context, string) (string, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state, d.state == "" || d.state == "denied", nil
}

func (d *fakeDesks) Explain(err error) string { return "because: " + err.Error() }

// Hand resumes the client as a session's process does.
func (d *fakeDesks) Hand(_ context.Context, _ Session, p Passage) error {
	conn, err := net.FileConn(p.Conn)
	if err != nil {
		return err
	}
	b, err := p.State.Marshal()
	if err != nil {
		return err
	}
	state, err := rdpserver.UnmarshalState(b)
	if err != nil {
		return err
	}
	client, err := rdpserver.Resume(conn, state, nil)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handed = append(d.handed, p)
	d.active.Go(func() {
		c, err := client.Activate(d.r.t.Context(), image.Pt(1024, 768))
		if err != nil {
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.clients = append(d.clients, c)
	})
	return nil
}

// came waits until n clients have been handed over.
func (d *fakeDesks) came(n int) {
	d.r.t.Helper()
	require.Eventually(d.r.t, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.handed) >= n
	}, time.Minute, 10*time.Millisecond)
}

// end ends all sessions.
func (d *fakeDesks) end() {
	d.active.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.clients {
		_ = c.Close()
	}
	d.clients = nil
}

func (d *fakeDesks) last() Visit {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.visits[len(d.visits)-1]
}
