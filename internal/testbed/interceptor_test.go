package testbed

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// rdpEcho is a server that agrees to TLS and then sends back what it gets.
func rdpEcho(t *testing.T, cert *Cert) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with its listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with its client
				defer conn.Close()
				if _, err := readTPKT(conn); err != nil {
					return
				}
				_, _ = conn.Write([]byte{3, 0, 0, 19, 14, 0xd0, 0, 0, 0, 0, 0, typeNegResponse, 0, 8, 0, protocolTLS, 0, 0, 0})
				s := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert.TLS}})
				_, _ = io.Copy(s, s)
			}()
		}
	}()
	return l.Addr().String()
}

func TestTLSInterceptor(t *testing.T) {
	its, real := NewCert(t, "localhost"), NewCert(t, "localhost")
	p := StartTLSInterceptor(t, rdpEcho(t, real), its)

	conn, _, _ := dialRDP(t, p.Addr, protocolTLS)
	careful := tls.Client(conn, &tls.Config{RootCAs: real.Pool, ServerName: "localhost"})
	if err := careful.Handshake(); err == nil {
		t.Fatal("it has the server's certificate")
	}
	conn.Close()
	if n := p.Deceived(); n != 0 {
		t.Errorf("a client that refused counts as %d", n)
	}

	deceived := &tls.Config{RootCAs: its.Pool, ServerName: "localhost"}
	c := dialTLS(t, p.Addr, deceived)
	const said = "open sesame"
	if _, err := c.Write([]byte(said)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(said))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != said {
		t.Fatalf("got %q, %v", got, err)
	}
	if n, from, back := p.Deceived(), p.FromClient(), p.FromServer(); n != 1 || string(from) != said || !bytes.Equal(from, back) {
		t.Errorf("%d deceived, %q there, %q back", n, from, back)
	}
	c.Close()

	p.CutAfter(5)
	c = dialTLS(t, p.Addr, deceived)
	if _, err := c.Write([]byte(strings.Repeat("x", 20))); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); string(b) != "xxxxx" || os.IsTimeout(err) {
		t.Errorf("got %q, %v, want 5 bytes and the end", b, err)
	}
	if n := p.Cut(); n != 1 {
		t.Errorf("%d connections cut, want 1", n)
	}
}

func TestTLSInterceptorWithoutTLS(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	x := StartXRDP(t, XRDPOptions{SecurityLayer: "rdp"})
	p := StartTLSInterceptor(t, x.Addr, NewCert(t, "localhost"))
	if kind, chosen := negotiate(t, p.Addr, protocolTLS); kind != typeNegResponse || chosen != protocolRDP {
		t.Errorf("it answers with type %d, %d", kind, chosen)
	}
}

// TestTLSInterceptorNLA checks with a real client and server that NLA notices the interceptor.
func TestTLSInterceptorNLA(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	client := program(t, "xfreerdp", "xfreerdp3")
	s := StartShadow(t, ShadowOptions{NLA: true, Bare: true})
	p := StartTLSInterceptor(t, s.Addr, NewCert(t, "localhost"))
	home := t.TempDir()
	for _, c := range []struct {
		addr string
		ok   bool
	}{{s.Addr, true}, {p.Addr, false}} {
		_, err := try(s.Screen.Display, "env", "HOME="+home, client, "/v:"+c.addr, "/u:"+s.Username, "/p:"+s.Password,
			"/cert:ignore", "/sec:nla", "+auth-only")
		if (err == nil) != c.ok {
			t.Errorf("through the interceptor %t: %v", !c.ok, err)
		}
	}
	if n := p.Deceived(); n == 0 {
		t.Error("the client did not get as far as NLA")
	}
	if sent := p.FromClient(); !bytes.Contains(sent, []byte("NTLMSSP\x00")) {
		t.Errorf("the client began no NLA: %d bytes", len(sent))
	}
}
