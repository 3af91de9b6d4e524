package worker

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/kerberos"
)

// ManagerConfig says how sessions are run.
type ManagerConfig struct {
	// Executable is started as worker; empty is this program. Args come before the worker's own flags; nil is "worker".
	Executable string
	Args, Env  []string
	// SpoolRoot holds a folder for each session.
	SpoolRoot string
	// Ports are those of media sockets, bound to Bind (zero: all addresses), one a session. With MediaTCP a listener of the
	// same number serves browsers that UDP does not reach.
	Ports    PortRange
	Bind     netip.Addr
	MediaTCP bool
	// PublicAddresses go into ICE candidates; empty: those of the host.
	PublicAddresses []string

	FrameRate  int // cap, frames a second; zero: the hub's own
	MaxBitrate int // bits a second; zero: the hub's own
	Keys       recording.KeyMode
	MinFree    uint64 // bytes; sessions end when the spool's file system has less
	MaxSpool   uint64 // bytes; sessions end when their own spool holds more; zero: no bound

	// OrphanTimeout ends a session nobody watches; zero is never. It is told in whole seconds.
	OrphanTimeout time.Duration
	// Reconnect is how long a broken connection to a target is tried again, by protocols that can; zero is not. It is told
	// in whole seconds.
	Reconnect time.Duration
	// ConnectTimeout bounds dialling and handshake together; zero is 20 s.
	ConnectTimeout time.Duration
	// PingInterval and PingTimeout are the watchdog's; zero is 2 s and 6 s.
	PingInterval, PingTimeout time.Duration

	// Screens reads text on the screens of sessions that want it, of each at most once in ScreenInterval; nil: no session may want it.
	Screens        ScreenReader
	ScreenInterval time.Duration

	Sandbox  sandbox.Mode // empty: best effort
	LogLevel slog.Level   // of workers
	Observer Observer
	Logger   *slog.Logger
}

func (c *ManagerConfig) setDefaults() error {
	if c.Observer == nil || c.Logger == nil || c.SpoolRoot == "" {
		return errors.New("worker: observer, logger and spool are required")
	}
	if c.Executable == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("worker: this program's file: %w", err)
		}
		c.Executable = self
	}
	if c.Args == nil {
		c.Args = []string{"worker"}
	}
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&c.ConnectTimeout, defaultConnectTimeout}, {&c.PingInterval, defaultPingInterval}, {&c.PingTimeout, defaultPingTimeout},
	} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	if c.Sandbox == "" {
		c.Sandbox = sandbox.BestEffort
	}
	_, err := sandbox.ParseMode(string(c.Sandbox))
	return err
}

// Manager runs sessions, each in a worker of its own. Its methods may be called from any goroutine.
type Manager struct {
	cfg   ManagerConfig
	log   *slog.Logger
	ports *ports

	mu       sync.Mutex
	sessions map[string]*Session // nil while the session is being created
	closing  context.Context     // ends with Shutdown
	close    context.CancelFunc
	running  sync.WaitGroup // creations and supervisions; added to with mu held and closing not ended
}

// NewManager returns a Manager without sessions. It starts nothing.
func NewManager(cfg ManagerConfig) (*Manager, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	p, err := newPorts(cfg.Bind, cfg.Ports)
	if err != nil {
		return nil, err
	}
	m := &Manager{cfg: cfg, log: cfg.Logger.With("component", "worker"), ports: p, sessions: map[string]*Session{}}
	m.closing, m.close = context.WithCancel(context.Background())
	return m, nil
}

// CreateRequest says what a session is to be.
type CreateRequest struct {
	SessionID     string
	Person        session.Person
	Target        target.Target
	Credential    target.Credential
	ClientAddress string
	Size          image.Point // wished; zero: the target's own
	// Keys, when not empty, takes the place of ManagerConfig's.
	Keys recording.KeyMode
	// IdleLimit ends the session without input; zero: not. EndWarning before it, people are warned. Both are told in whole
	// seconds.
	IdleLimit, EndWarning time.Duration
	Watermark             bool // person, time and session id are drawn into the picture
	ReadScreen            bool // text on the screen is read
	// Detection is the rules that are tried and their lists, a detect.File in JSON; empty: nothing is detected.
	Detection []byte
	// AnswerLimit is how long a rule that asks why waits, and Unanswered what happens then; zero: for ever. It is told in whole seconds.
	AnswerLimit time.Duration
	Unanswered  session.Unanswered

	ticket *kerberos.Ticket // nil: none is needed
}

var (
	errConnectTimeout = errors.New("worker: the target took too long")
	errClosing        = errors.New("worker: the manager is shutting down")
)

// Create starts a session and returns it when its desktop is there. When it fails, with an *EndError, ErrExists or
// ErrShutdown, nothing is left running; what was recorded is told by Observer.SessionEnded as ever. ctx bounds Create,
// not the session.
func (m *Manager) Create(ctx context.Context, req CreateRequest) (*Session, error) {
	if err := m.reserve(req.SessionID); err != nil {
		return nil, err
	}
	defer m.running.Done()
	ctx, cancel := context.WithTimeoutCause(ctx, m.cfg.ConnectTimeout, errConnectTimeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(m.closing, func() { stop(errClosing) })()

	s, err := m.launch(ctx, &req)
	if err != nil {
		m.forget(req.SessionID)
		return nil, err
	}
	if err := s.begin(ctx, req); err != nil {
		return nil, err
	}
	return s, nil
}

// reserve takes a session's id.
func (m *Manager) reserve(id string) error {
	if !recording.ValidSessionID(id) {
		return fmt.Errorf("worker: session id %q is not valid", id)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing.Err() != nil {
		return ErrShutdown
	}
	if _, ok := m.sessions[id]; ok {
		return fmt.Errorf("%w: %s", ErrExists, id)
	}
	m.sessions[id] = nil
	m.running.Add(1)
	return nil
}

func (m *Manager) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, id)
}

// launch dials the target, gets a ticket if it needs one, and starts a worker for it, whose supervision it begins.
func (m *Manager) launch(ctx context.Context, req *CreateRequest) (*Session, error) {
	conn, err := dialTarget(ctx, req.Target.Address)
	if err != nil {
		m.log.Warn("target not reached", "session_id", req.SessionID, "target_id", req.Target.ID, "error", err)
		return nil, err
	}
	if req.ticket, err = obtainTicket(ctx, req.Target, req.Credential); err != nil {
		conn.Close()
		m.log.Warn("no ticket for the target", "session_id", req.SessionID, "target_id", req.Target.ID, "error", err)
		return nil, err
	}
	sockets, err := m.ports.take(m.cfg.MediaTCP)
	if err != nil {
		conn.Close()
		if errors.Is(err, errNoPort) {
			return nil, endError(session.EndNoPort, "", err)
		}
		return nil, endError(session.EndInternal, "", err)
	}
	s, err := m.start(*req, func(args []string) (*process, error) {
		return spawn(m.cfg.Executable, args, m.cfg.Env, conn, sockets, mayDial(req.Target))
	})
	if err != nil { // conn and sockets are closed: by spawn, or here when it was not reached
		conn.Close()
		sockets.close()
		m.ports.release(sockets.port)
		return nil, err
	}
	s.snapshot.MediaPort = sockets.port // nobody else knows s yet
	m.log.Info("worker started", "session_id", s.id, "worker_pid", s.pid, "target_id", req.Target.ID, "media_port", sockets.port)
	m.mu.Lock()
	m.sessions[s.id] = s
	m.running.Add(1) // Create still holds one
	m.mu.Unlock()
	watched, unwatch := context.WithCancel(context.Background())
	go func() {
		defer m.running.Done()
		s.supervise(watched, unwatch)
		m.ports.release(sockets.port)
		m.forget(s.id)
		close(s.done)
	}()
	return s, nil
}

// start makes the spool folder and the worker.
func (m *Manager) start(req CreateRequest, spawn func(args []string) (*process, error)) (*Session, error) {
	folder := filepath.Join(m.cfg.SpoolRoot, req.SessionID)
	if err := os.Mkdir(folder, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("%w: its spool folder is there", ErrExists)
		}
		return nil, endError(session.EndRecordingFailed, "", err)
	}
	args := slices.Concat(m.cfg.Args, []string{
		"--spool", folder, "--sandbox", string(m.cfg.Sandbox), "--log-level", strings.ToLower(m.cfg.LogLevel.String()),
	})
	if m.cfg.MediaTCP {
		args = append(args, "--media-tcp")
	}
	if mayDial(req.Target) {
		args = append(args, "--dial")
	}
	args = append(args, "--native")
	p, err := spawn(args)
	if err != nil {
		return nil, endError(session.EndInternal, "", errors.Join(err, os.Remove(folder)))
	}
	control, err := dialControl(p.control)
	if err != nil { // a mistake in its options: nothing was sent yet
		p.close()
		return nil, endError(session.EndInternal, "", errors.Join(err, p.cmd.Process.Kill(), p.cmd.Wait(), os.Remove(folder)))
	}
	return newSession(&m.cfg, m.log, req, p, control), nil
}

// mayDial tells whether sessions with t may need another connection: RDP reconnects and redirects.
func mayDial(t target.Target) bool { return t.RDP != nil }

// Get returns a running session.
func (m *Manager) Get(id string) (*Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[id]; s != nil {
		return s, nil
	}
	return nil, ErrNotFound
}

// List returns how the running sessions are, by id.
func (m *Manager) List() []Snapshot {
	m.mu.Lock()
	all := slices.Collect(maps.Values(m.sessions))
	m.mu.Unlock()
	var list []Snapshot
	for _, s := range all {
		if s != nil {
			list = append(list, s.Snapshot())
		}
	}
	slices.SortFunc(list, func(a, b Snapshot) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// Shutdown takes no more sessions, ends all there are in good order, and returns when they are gone. When ctx ends first
// it kills what is left, and says how many.
func (m *Manager) Shutdown(ctx context.Context) error {
	m.mu.Lock()
	m.close()
	all := slices.Collect(maps.Values(m.sessions))
	m.mu.Unlock()
	var told sync.WaitGroup
	for _, s := range all {
		if s != nil {
			told.Go(func() {
				if err := s.Terminate(ctx, session.Person{}, session.NewEnd(session.EndShutdown, "")); err != nil {
					s.log.Warn("worker not told to end", "error", err)
				}
			})
		}
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		told.Wait()
		m.running.Wait()
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	killed := 0
	for _, snapshot := range m.List() {
		if s, err := m.Get(snapshot.ID); err == nil {
			s.kill(session.NewEnd(session.EndShutdown, "its worker was killed"))
			killed++
		}
	}
	<-gone
	return fmt.Errorf("worker: %d sessions were killed: %w", killed, context.Cause(ctx))
}
