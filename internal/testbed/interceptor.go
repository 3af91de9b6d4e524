package testbed

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// recordLimit is how many bytes an interceptor keeps for each direction: minutes of a busy desktop.
const recordLimit = 64 << 20

// TLSInterceptor is a man in the middle between RDP clients and a server. It passes the negotiation of
// [MS-RDPBCGR] 2.2.1.1 and 2.2.1.2 on as it is, then ends TLS on both sides, with a certificate of its own
// towards clients, and passes on and keeps what it deciphers.
type TLSInterceptor struct {
	Addr string // host:port for clients

	target   string
	cert     *Cert
	listener net.Listener
	wg       sync.WaitGroup

	mu         sync.Mutex // guards the fields below
	open       map[net.Conn]struct{}
	closed     bool
	deceived   int
	fromClient []byte
	fromServer []byte
	cutAfter   int // bytes from the server; negative: never
	cut        int // connections
}

// StartTLSInterceptor listens for clients of the server at target until the test ends.
func StartTLSInterceptor(t TB, target string, cert *Cert) *TLSInterceptor {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("testbed: %v", err)
		return nil
	}
	p := &TLSInterceptor{
		Addr: l.Addr().String(), target: target, cert: cert, listener: l, open: make(map[net.Conn]struct{}), cutAfter: -1,
	}
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// CutAfter lets each connection from now on die when that many bytes, counted after TLS, have come from the
// server: the client gets just these and then the end of the stream, without a goodbye of TLS or RDP, as when
// the server's process dies. Connections that have had more die with the next byte; a negative number ends this.
func (p *TLSInterceptor) CutAfter(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAfter = bytes
}

// Cut returns how many connections CutAfter has ended.
func (p *TLSInterceptor) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

// Deceived returns how many clients went on after they had seen the interceptor's certificate.
func (p *TLSInterceptor) Deceived() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deceived
}

// FromClient returns a copy of all that clients have sent after TLS.
func (p *TLSInterceptor) FromClient() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.fromClient)
}

// FromServer returns a copy of all that clients have been passed from the server after TLS.
func (p *TLSInterceptor) FromServer() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.fromServer)
}

func (p *TLSInterceptor) close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for conn := range p.open {
		conn.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *TLSInterceptor) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// keep notes a connection for close and reports whether there is still a use for it.
func (p *TLSInterceptor) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.open[conn] = struct{}{}
	}
	return !p.closed
}

func (p *TLSInterceptor) drop(conn net.Conn) {
	conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
}

func (p *TLSInterceptor) serve(client net.Conn) {
	defer p.drop(client)
	server, err := net.DialTimeout("tcp", p.target, startTimeout)
	if err != nil {
		return
	}
	defer p.drop(server)
	if !p.keep(client) || !p.keep(server) {
		return
	}
	// Nobody waits for ever for the other side to begin.
	_ = client.SetDeadline(time.Now().Add(startTimeout))
	_ = server.SetDeadline(time.Now().Add(startTimeout))
	withTLS, err := relayNegotiation(client, server)
	if err != nil {
		return
	}
	near, far := client, server
	if withTLS {
		s := tls.Server(client, &tls.Config{Certificates: []tls.Certificate{p.cert.TLS}})
		c := tls.Client(server, &tls.Config{InsecureSkipVerify: true}) // whoever it is, it is in the middle
		if s.Handshake() != nil || c.Handshake() != nil {
			return
		}
		near, far = s, c
		p.mu.Lock()
		p.deceived++
		p.mu.Unlock()
	}
	_ = client.SetDeadline(time.Time{})
	_ = server.SetDeadline(time.Time{})
	var both sync.WaitGroup
	both.Go(func() {
		defer server.Close()
		p.pass(far, near, func(b []byte) (int, bool) {
			p.fromClient = record(p.fromClient, b)
			return len(b), false
		})
	})
	passed := 0
	p.pass(near, far, func(b []byte) (int, bool) {
		n, end := len(b), false
		if p.cutAfter >= 0 && passed+n >= p.cutAfter {
			n, end = max(0, p.cutAfter-passed), true
			p.cut++
		}
		passed += n
		p.fromServer = record(p.fromServer, b[:n])
		return n, end
	})
	client.Close()
	both.Wait()
}

// pass copies until either side ends. What allow, called with mu held, lets through of each piece is passed
// on; when it says that this was the end, nothing more is.
func (p *TLSInterceptor) pass(to io.Writer, from io.Reader, allow func([]byte) (int, bool)) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			p.mu.Lock()
			n, end := allow(buf[:n])
			p.mu.Unlock()
			if _, err := to.Write(buf[:n]); err != nil || end {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func record(all, more []byte) []byte {
	return append(all, more[:min(len(more), recordLimit-len(all))]...)
}

// relayNegotiation passes a client's request and the server's answer on and reports whether TLS follows.
func relayNegotiation(client, server net.Conn) (bool, error) {
	request, err := readTPKT(client)
	if err != nil {
		return false, err
	}
	if _, err := server.Write(request); err != nil {
		return false, err
	}
	answer, err := readTPKT(server)
	if err != nil {
		return false, err
	}
	if _, err := client.Write(answer); err != nil {
		return false, err
	}
	// RDP_NEG_RSP, type 2: its last number is the protocol, of which 0 is RDP's own security.
	const withResponse, responseType = 19, 2
	if len(answer) == withResponse && answer[11] != responseType {
		return false, errors.New("the server refuses")
	}
	return len(answer) == withResponse && binary.LittleEndian.Uint32(answer[15:]) != 0, nil
}

// readTPKT reads one packet with its header ([T123] section 8).
func readTPKT(r io.Reader) ([]byte, error) {
	const header, longest = 4, 4096 // a request carries a cookie or a routing token
	b := make([]byte, header)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	if b[0] != 3 || size < header || size > longest {
		return nil, fmt.Errorf("not a TPKT: version %d, %d bytes", b[0], size)
	}
	b = append(b, make([]byte, size-header)...)
	_, err := io.ReadFull(r, b[header:])
	return b, err
}
