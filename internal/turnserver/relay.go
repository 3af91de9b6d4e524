package turnserver

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/pion/turn/v5"
)

var (
	errKind  = errors.New("turn: only UDP allocations of a family the media has")
	errQuota = errors.New("turn: too many allocations")
	errOver  = errors.New("turn: the session is over")
)

// relay is the socket of one allocation: it reaches the media port of its session at this machine's addresses, and nothing else.
// One goroutine reads, others write.
type relay struct {
	*net.UDPConn
	server *Server
	grant  grant
	port   uint16 // of the session's media
	reach  reach

	// alias is the public address last written to, as which the address inside that stands for it answers.
	alias atomic.Pointer[alias]
	// from is where the last packet came from, kept so that not each one makes a new address.
	from     netip.AddrPort
	fromAddr *net.UDPAddr
	strayed  sync.Once // the first packet that is refused is logged
	closed   sync.Once
}

type alias struct {
	inside, outside netip.AddrPort
	addr            *net.UDPAddr // outside
}

var _ net.PacketConn = (*relay)(nil)

// WriteTo implements net.PacketConn. It drops what is not for the session's media: to the client that is a network that loses it.
func (r *relay) WriteTo(p []byte, addr net.Addr) (int, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		r.stray(addr)
		return len(p), nil
	}
	peer := netip.AddrPortFrom(udp.AddrPort().Addr().Unmap(), udp.AddrPort().Port())
	to, ok := r.reach[peer.Addr()]
	if !ok || peer.Port() != r.port {
		r.stray(addr)
		return len(p), nil
	}
	inside := netip.AddrPortFrom(to, r.port)
	if to != peer.Addr() {
		if a := r.alias.Load(); a == nil || a.outside != peer {
			r.alias.Store(&alias{inside, peer, net.UDPAddrFromAddrPort(peer)})
		}
	}
	n, err := r.WriteToUDPAddrPort(p, inside)
	r.server.metrics.toGateway.Add(float64(n))
	return n, err
}

// ReadFrom implements net.PacketConn. It skips what does not come from the session's media.
func (r *relay) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := r.ReadFromUDPAddrPort(p)
		if err != nil {
			return n, nil, err
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if to, ok := r.reach[from.Addr()]; !ok || to != from.Addr() || from.Port() != r.port {
			r.stray(net.UDPAddrFromAddrPort(from))
			continue
		}
		r.server.metrics.toBrowser.Add(float64(n))
		if a := r.alias.Load(); a != nil && a.inside == from {
			return n, a.addr, nil
		}
		if from != r.from {
			r.from, r.fromAddr = from, net.UDPAddrFromAddrPort(from)
		}
		return n, r.fromAddr, nil
	}
}

// stray counts a packet to or from what the allocation must not reach.
func (r *relay) stray(peer net.Addr) {
	r.server.metrics.refused.WithLabelValues(string(refusedPeer)).Inc()
	r.strayed.Do(func() {
		r.server.log.Warn("turn packets dropped that are not for the session's media", "session_id", r.grant.session,
			"user_id", r.grant.person, "peer", peer.String())
	})
}

// Close implements net.PacketConn. The allocation ends with it.
func (r *relay) Close() error {
	r.closed.Do(func() {
		r.UDPConn.Close()
		r.server.relays.remove(r)
	})
	return nil
}

// relays are the allocations there are.
type relays struct {
	max, maxPerson int

	mu     sync.Mutex
	all    map[*relay]struct{}
	person map[string]int // how many a person has
	closed bool
	wg     sync.WaitGroup // of all
}

func (l *relays) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// room tells whether a person may have another one.
func (l *relays) room(person string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.roomLocked(person)
}

func (l *relays) roomLocked(person string) bool {
	return len(l.all) < l.max && l.person[person] < l.maxPerson
}

func (l *relays) add(r *relay) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return net.ErrClosed
	case !l.roomLocked(r.grant.person): // two asked at once
		return errQuota
	}
	l.all[r] = struct{}{}
	l.person[r.grant.person]++
	l.wg.Add(1)
	return nil
}

func (l *relays) remove(r *relay) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.all[r]; !ok {
		return
	}
	delete(l.all, r)
	if l.person[r.grant.person]--; l.person[r.grant.person] == 0 {
		delete(l.person, r.grant.person)
	}
	l.wg.Done()
}

// end closes those of which, and takes no more when that is all.
func (l *relays) end(which func(*relay) bool) {
	l.mu.Lock()
	var ending []*relay
	for r := range l.all {
		if which(r) {
			ending = append(ending, r)
		}
	}
	l.mu.Unlock()
	for _, r := range ending {
		r.Close()
	}
}

// close ends all there are and takes no more.
func (l *relays) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.end(func(*relay) bool { return true })
	l.wg.Wait()
}

// generator makes the sockets of allocations.
type generator struct{ server *Server }

var _ turn.RelayAddressGenerator = generator{}

// Validate implements turn.RelayAddressGenerator.
func (generator) Validate() error { return nil }

// AllocatePacketConn implements turn.RelayAddressGenerator. Which port a client asks for makes no difference.
func (g generator) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	s := g.server
	who, err := parseGrant(c.UserID)
	if err != nil { // pion trying ports for EVEN-PORT, which no browser asks for
		return nil, nil, errKind
	}
	port, running := s.cfg.MediaPort(who.session)
	if !running {
		return nil, nil, errOver
	}
	to, err := s.reach()
	if err != nil {
		return nil, nil, err
	}
	v4 := c.Network == "udp4"
	if !to.family(v4) {
		s.refuse(refusedKind, nil, errKind)
		return nil, nil, errKind
	}
	conn, err := net.ListenUDP(c.Network, &net.UDPAddr{IP: s.relayIP(v4)})
	if err != nil {
		return nil, nil, err
	}
	growBuffers(conn)
	r := &relay{UDPConn: conn, server: s, grant: who, port: port, reach: to}
	if err := s.relays.add(r); err != nil {
		conn.Close()
		return nil, nil, err
	}
	if _, running := s.cfg.MediaPort(who.session); !running { // it ended meanwhile, and End did not see this one
		r.Close()
		return nil, nil, errOver
	}
	s.metrics.allocations.Inc()
	// Where the socket is concerns nobody outside: the gateway answers to where checks come from.
	return r, net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback(v4), conn.LocalAddr().(*net.UDPAddr).AddrPort().Port())), nil
}

// relayIP is what relayed sockets are bound to. Media bound to all addresses answers from the one the kernel finds nearest, which is
// the one asked only if that is the asker's too; so there the asker is bound to none.
func (s *Server) relayIP(v4 bool) net.IP {
	if bind := s.cfg.MediaBind; bind.IsValid() && !bind.IsUnspecified() {
		return loopback(v4).AsSlice()
	}
	return nil
}

// AllocateListener implements turn.RelayAddressGenerator.
func (g generator) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	g.server.refuse(refusedKind, nil, errKind)
	return nil, nil, errKind
}

// AllocateConn implements turn.RelayAddressGenerator.
func (generator) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errKind }

// growBuffers asks for socket buffers that hold a burst. What the kernel does not grant costs retransmissions, not correctness.
func growBuffers(conn *net.UDPConn) {
	_ = conn.SetReadBuffer(udpBuffer)
	_ = conn.SetWriteBuffer(udpBuffer)
}
