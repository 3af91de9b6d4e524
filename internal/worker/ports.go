package worker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// PortRange are the ports of media sockets, both ends included.
type PortRange struct{ First, Last uint16 }

// errNoPort: every port of the range is in use.
var errNoPort = errors.New("worker: no free media port")

// ports hands out media sockets, one port a session. Ports are used in turn, so that one that was just freed, for
// which packets may still be on their way, comes last.
type ports struct {
	bind netip.Addr // zero: all addresses
	span PortRange

	mu    sync.Mutex
	next  uint16
	taken map[uint16]bool
}

func newPorts(bind netip.Addr, span PortRange) (*ports, error) {
	if span.First == 0 || span.Last < span.First {
		return nil, fmt.Errorf("worker: media ports %d-%d are no range", span.First, span.Last)
	}
	return &ports{bind: bind, span: span, next: span.First, taken: map[uint16]bool{}}, nil
}

// media is a session's media sockets.
type media struct {
	port uint16
	udp  *net.UDPConn
	tcp  *net.TCPListener // nil: none
}

// close closes this process's copies.
func (m *media) close() {
	m.udp.Close()
	if m.tcp != nil {
		m.tcp.Close()
	}
}

// take binds the next free port, which release gives back. Ports others use are passed over.
func (p *ports) take(withTCP bool) (*media, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range int(p.span.Last-p.span.First) + 1 {
		port := p.next
		if p.next++; p.next > p.span.Last || p.next == 0 {
			p.next = p.span.First
		}
		if p.taken[port] {
			continue
		}
		m, err := p.listen(port, withTCP)
		switch {
		case err == nil:
			p.taken[port] = true
			return m, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, fmt.Errorf("worker: media port %d: %w", port, err)
		}
	}
	return nil, fmt.Errorf("%w: %d to %d are in use", errNoPort, p.span.First, p.span.Last)
}

func (p *ports) listen(port uint16, withTCP bool) (*media, error) {
	m := &media{port: port}
	var ip net.IP
	if p.bind.IsValid() {
		ip = p.bind.AsSlice()
	}
	var err error
	if m.udp, err = net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: int(port), Zone: p.bind.Zone()}); err != nil {
		return nil, err
	}
	if withTCP {
		if m.tcp, err = net.ListenTCP("tcp", &net.TCPAddr{IP: ip, Port: int(port), Zone: p.bind.Zone()}); err != nil {
			m.close()
			return nil, err
		}
	}
	return m, nil
}

func (p *ports) release(port uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, port)
}
