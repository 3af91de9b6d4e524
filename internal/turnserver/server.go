package turnserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// realm is part of how passwords are hashed on the wire, and of no other meaning: there is one.
const realm = "vitrine"

// Config is what a Server is made of.
type Config struct {
	UDP, TCP, TLS string      // where to listen, host:port each; empty: not
	TLSConfig     *tls.Config // for TLS
	PublicHost    string      // name or address at which browsers find the listeners

	// CredentialLifetime is how long a credential opens allocations.
	CredentialLifetime time.Duration
	// MaxAllocations bounds the allocations at a time, MaxPersonAllocations those of one person. A browser makes one for each
	// listener and network interface.
	MaxAllocations, MaxPersonAllocations int

	// MediaBind is the address workers' media sockets are bound to, zero for all; PublicAddresses are those put into their
	// candidates instead.
	MediaBind       netip.Addr
	PublicAddresses []netip.Addr
	// MediaPort returns the UDP port of a session's media; false when no such session runs. It is asked often.
	MediaPort func(session string) (uint16, bool)

	Registerer prometheus.Registerer
	Logger     *slog.Logger

	times *times // nil: those of limits.go; tests have less patience
}

// Server relays between browsers and the workers' media.
type Server struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	secret  secret
	relays  relays
	clients clients
	urls    []string
	times   times

	udp       *net.UDPConn // nil: none
	listeners []*listener

	logMu     sync.Mutex
	logged    time.Time // when a refusal was last written to the log
	notLogged int       // since
}

// Listen opens the listeners. Run serves them; Close what is not Run.
func Listen(cfg Config) (*Server, error) {
	s := &Server{
		cfg: cfg, log: cfg.Logger, secret: newSecret(), times: defaultTimes,
		relays:  relays{max: cfg.MaxAllocations, maxPerson: cfg.MaxPersonAllocations, all: map[*relay]struct{}{}, person: map[string]int{}},
		clients: clients{max: cfg.MaxAllocations * connectionsPerAllocation, all: map[clientKey]*client{}},
	}
	if cfg.times != nil {
		s.times = *cfg.times
	}
	if err := s.listen(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.metrics = newMetrics(cfg.Registerer, s)
	return s, nil
}

func (s *Server) listen() error {
	if s.cfg.UDP != "" {
		at, err := net.ResolveUDPAddr("udp", s.cfg.UDP)
		if err == nil {
			s.udp, err = net.ListenUDP("udp", at)
		}
		if err != nil {
			return fmt.Errorf("turn: udp: %w", err)
		}
		growBuffers(s.udp)
		s.tell("turn", s.udp.LocalAddr(), "udp")
	}
	for _, l := range []struct {
		scheme, name, address string
		tls                   *tls.Config
	}{{"turn", "tcp", s.cfg.TCP, nil}, {"turns", "tls", s.cfg.TLS, s.cfg.TLSConfig}} {
		if l.address == "" {
			continue
		}
		tcp, err := net.Listen("tcp", l.address)
		if err != nil {
			return fmt.Errorf("turn: %s: %w", l.name, err)
		}
		s.listeners = append(s.listeners, &listener{tcp, s, l.tls})
		s.tell(l.scheme, tcp.Addr(), "tcp")
	}
	return nil
}

// tell adds a listener to what browsers are told.
func (s *Server) tell(scheme string, at net.Addr, transport string) {
	port := 0
	switch at := at.(type) {
	case *net.UDPAddr:
		port = at.Port
	case *net.TCPAddr:
		port = at.Port
	}
	s.urls = append(s.urls, scheme+":"+net.JoinHostPort(s.cfg.PublicHost, strconv.Itoa(port))+"?transport="+transport)
}

// Credential lets one person's browser reach one session's media by this relay.
func (s *Server) Credential(session, person string) Credential {
	username := grant{time.Now().Add(s.cfg.CredentialLifetime), session, person}.String()
	return Credential{URLs: s.urls, Username: username, Password: s.secret.password(username)}
}

// End closes the allocations of a session that is over: MediaPort does not know it any more.
func (s *Server) End(session string) {
	s.relays.end(func(r *relay) bool { return r.grant.session == session })
}

// Run relays until ctx ends, and closes everything.
func (s *Server) Run(ctx context.Context) error {
	c := turn.ServerConfig{
		Realm: realm, AuthHandler: s.authenticate, QuotaHandler: s.quota, LoggerFactory: pionLogs{s.log},
		AllocationLifetime: s.times.allocation,
		EventHandler: turn.EventHandler{
			OnAuth: func(from, _ net.Addr, _, _, _, _ string, good bool) {
				if !good {
					s.refuse(refusedCredential, from, errPassword)
				}
			},
			OnAllocationCreated: func(from, at net.Addr, _, user, _ string, _ net.Addr, _ int) {
				if c := s.clients.find(from, at); c != nil {
					c.greeted.Store(true)
				}
				if g, err := parseGrant(user); err == nil {
					s.log.Debug("turn allocation made", "session_id", g.session, "user_id", g.person, "client_address", from.String(), "transport", from.Network())
				}
			},
			OnAllocationDeleted: func(from, at net.Addr, _, _, _ string) {
				if c := s.clients.find(from, at); c != nil {
					c.Close()
				}
			},
		},
	}
	if s.udp != nil {
		c.PacketConnConfigs = []turn.PacketConnConfig{{PacketConn: s.udp, RelayAddressGenerator: generator{s}, PermissionHandler: s.permit}}
	}
	for _, l := range s.listeners {
		c.ListenerConfigs = append(c.ListenerConfigs, turn.ListenerConfig{Listener: l, RelayAddressGenerator: generator{s}, PermissionHandler: s.permit})
	}
	if _, err := turn.NewServer(c); err != nil {
		return errors.Join(fmt.Errorf("turn: %w", err), s.Close())
	}
	s.log.Info("turn relay serving", "urls", s.urls)
	<-ctx.Done()
	return s.Close()
}

// Close ends the listeners, the allocations and the connections. It may be called again.
func (s *Server) Close() error {
	var errs []error
	ended := func(err error) {
		if !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.udp != nil {
		ended(s.udp.Close())
	}
	for _, l := range s.listeners {
		ended(l.Close())
	}
	s.relays.close()
	s.clients.close()
	return errors.Join(errs...)
}

var (
	errPassword = errors.New("turn: wrong password")
	errExpired  = errors.New("turn: the credential has expired")
	errPeer     = errors.New("turn: not an address of the media")
)

// authenticate gives pion the key of a username, which it compares in constant time. A credential opens allocations until it
// expires. Whatever else is asked for pion grants only within an allocation of the same username from the same address, so there it is
// good while its session runs.
func (s *Server) authenticate(r *turn.RequestAttributes) (user string, key []byte, ok bool) {
	g, err := parseGrant(r.Username)
	if err == nil && r.Realm != realm {
		err = errUsername
	}
	if err == nil && r.Method == stun.MethodAllocate && !time.Now().Before(g.expires) {
		err = errExpired
	}
	if err == nil {
		if _, running := s.cfg.MediaPort(g.session); !running {
			err = errOver
		}
	}
	if err != nil {
		s.refuse(refusedCredential, r.SrcAddr, err)
		return "", nil, false
	}
	return r.Username, turn.GenerateAuthKey(r.Username, realm, s.secret.password(r.Username)), true
}

// quota tells whether a user of authenticate may have another allocation.
func (s *Server) quota(user, _ string, from net.Addr) bool {
	g, err := parseGrant(user)
	if err != nil || !s.relays.room(g.person) {
		s.refuse(refusedQuota, from, errQuota)
		return false
	}
	return true
}

// permit tells whether a client may ask for packets to and from an address. The relay looks at each packet, ports included.
func (s *Server) permit(from net.Addr, peer net.IP) bool {
	addr, ok := netip.AddrFromSlice(peer)
	if to, err := s.reach(); ok && err == nil {
		if _, ok := to[addr.Unmap()]; ok {
			return true
		}
	}
	s.refuse(refusedPeer, from, errPeer)
	return false
}

func (s *Server) reach() (reach, error) { return newReach(s.cfg.MediaBind, s.cfg.PublicAddresses) }

// refuse counts a refusal and now and then writes one to the log. from may be nil.
func (s *Server) refuse(why reason, from net.Addr, err error) {
	s.metrics.refused.WithLabelValues(string(why)).Inc()
	s.logMu.Lock()
	defer s.logMu.Unlock()
	if time.Since(s.logged) < refusalsLogged {
		s.notLogged++
		return
	}
	address := ""
	if from != nil {
		address = from.String()
	}
	s.log.Warn("turn request refused", "reason", string(why), "client_address", address, "error", err, "more_since_last", s.notLogged)
	s.logged, s.notLogged = time.Now(), 0
}
