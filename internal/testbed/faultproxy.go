package testbed

import (
	"net"
	"sync"
)

// FaultProxy is a TCP line between a client and a target that fails on command.
type FaultProxy struct {
	Addr string // host:port for clients

	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond // of the fields below
	open    map[net.Conn]struct{}
	stalled bool
	cut     bool
	closed  bool
}

// StartFaultProxy listens for connections and passes them on to target until the test ends.
func StartFaultProxy(t TB, target string) *FaultProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	p := &FaultProxy{Addr: l.Addr().String(), target: target, listener: l, open: make(map[net.Conn]struct{})}
	p.changed = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Cut breaks all connections, as a pulled cable and a router's reset would, and refuses new ones until Resume.
func (p *FaultProxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	p.breakAll()
}

// Stall lets no byte through in either direction until Resume; the connections stay open.
func (p *FaultProxy) Stall() { p.set(func() { p.stalled = true }) }

// Resume ends Stall and Cut. Connections that were cut stay cut.
func (p *FaultProxy) Resume() { p.set(func() { p.stalled, p.cut = false, false }) }

// Connections returns how many connections are open.
func (p *FaultProxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open) / 2
}

func (p *FaultProxy) close() {
	p.listener.Close()
	p.set(func() {
		p.closed = true
		p.breakAll()
	})
	p.wg.Wait()
}

func (p *FaultProxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.changed.Broadcast()
}

// breakAll needs mu.
func (p *FaultProxy) breakAll() {
	for conn := range p.open {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, not an orderly end
		}
		conn.Close()
	}
}

func (p *FaultProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// serve passes bytes both ways until either side ends.
func (p *FaultProxy) serve(client net.Conn) {
	defer client.Close()
	target, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer target.Close()
	p.mu.Lock()
	if p.cut || p.closed {
		p.mu.Unlock()
		return
	}
	p.open[client], p.open[target] = struct{}{}, struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pass(target, client) })
	both.Go(func() { p.pass(client, target) })
	both.Wait()
	p.mu.Lock()
	delete(p.open, client)
	delete(p.open, target)
	p.mu.Unlock()
}

// pass copies from one side to the other until either ends, then ends both.
func (p *FaultProxy) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		for p.stalled && !p.closed {
			p.changed.Wait()
		}
		p.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
