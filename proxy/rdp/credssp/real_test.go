package credssp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"image"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/kerberos"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
)

// X.224 as far as these tests need it ([MS-RDPBCGR] 2.2.1.1, 2.2.1.2).
const (
	connectionRequest = "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00%c\x00\x00\x00"
	connectionConfirm = "\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00%c\x00\x00\x00"
	protocolHybrid    = 2
)

// dialNLA connects to an RDP server as far as CredSSP begins.
func dialNLA(t *testing.T, addr string, version uint16, pool *x509.CertPool) *tls.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	confirm := make([]byte, 19)
	_, err1 := fmt.Fprintf(conn, connectionRequest, protocolHybrid)
	_, err2 := io.ReadFull(conn, confirm)
	if err := errors.Join(err1, err2); err != nil || confirm[11] != 2 || confirm[15] != protocolHybrid {
		t.Fatalf("answered % x: %v", confirm, err)
	}
	s := tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: version, MaxVersion: version})
	if err := s.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFreeRDPShadow(t *testing.T) {
	initial, err := os.ReadFile("testdata/connect-initial.bin") // of xfreerdp 2.11
	if err != nil {
		t.Fatal(err)
	}
	shadow := testbed.StartShadow(t, testbed.ShadowOptions{Size: image.Pt(320, 240), NLA: true, Bare: true})
	logon := func(t *testing.T, tlsVersion uint16, change func(*ClientConfig)) error {
		t.Helper()
		conn := dialNLA(t, shadow.Addr, tlsVersion, shadow.Cert.Pool)
		cfg := ClientConfig{
			Credentials: Credentials{Username: shadow.Username, Password: desktop.Secret(shadow.Password)},
			Certificate: conn.ConnectionState().PeerCertificates[0], ServerName: "localhost",
		}
		change(&cfg)
		if err := NewClient(cfg).Authenticate(conn); err != nil {
			return err
		}
		// Only a server that took the credentials answers what comes next.
		if _, err := conn.Write(initial); err != nil {
			t.Fatalf("behind CredSSP: %v", err)
		}
		if next := readTPKT(t, conn); next[7] != 0x7f || next[8] != 0x66 {
			t.Errorf("MCS Connect Initial is answered with % x", next[:9])
		}
		return nil
	}
	for _, tlsVersion := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for version := minVersion; version <= maxVersion; version++ {
			if err := logon(t, tlsVersion, func(c *ClientConfig) { c.Version = version }); err != nil {
				t.Errorf("TLS %#x, version %d: %v", tlsVersion, version, err)
			}
		}
		for name, change := range map[string]func(*ClientConfig){
			"wrong password": func(c *ClientConfig) { c.Password = "wrong" },
			"unknown user":   func(c *ClientConfig) { c.Username = "nobody" },
		} {
			if err := logon(t, tlsVersion, change); !errors.Is(err, desktop.ErrAuth) {
				t.Errorf("TLS %#x, %s: %v", tlsVersion, name, err)
			} else {
				t.Logf("%s: %v", name, err)
			}
		}
	}
}

// TestXfreerdp has a real client log on to our server.
func TestXfreerdp(t *testing.T) {
	testbed.Require(t, "xfreerdp")
	cert := testbed.NewCert(t, "localhost", "127.0.0.1")
	leaf, err := x509.ParseCertificate(cert.TLS.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	screen := testbed.StartXvfb(t, image.Pt(320, 240))
	for name, c := range map[string]struct {
		password string
		want     error
	}{
		"good":           {"Passw0rd!", nil},
		"wrong password": {"wrong", ntlm.ErrCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			cmd := exec.CommandContext(t.Context(), "xfreerdp", "/v:"+l.Addr().String(), "/u:desk", "/d:DOM", "/p:"+c.password,
				"/cert:ignore", "+auth-only", "/sec:nla")
			cmd.Env = append(os.Environ(), "DISPLAY="+screen.Display, "HOME="+t.TempDir())
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Wait() }()
			_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second))
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			s := NewServer(ServerConfig{Certificate: leaf, Computer: "VITRINE", Lookup: func(domain, username string) (ntlm.Hash, bool) {
				return ntlm.NTHash("Passw0rd!"), domain == "DOM" && username == "desk"
			}})
			secured := acceptNLA(t, conn, cert)
			if err := s.Authenticate(secured); !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if c.want != nil {
				return
			}
			if got := s.Credentials(); got != (Credentials{"DOM", "desk", "Passw0rd!"}) || s.Identity().Username != "desk" {
				t.Errorf("%+v came, from %+v", got, s.Identity())
			}
			if next := readTPKT(t, secured); next[7] != 0x7f || next[8] != 0x65 { // MCS Connect Initial: it is content
				t.Errorf("behind CredSSP comes % x", next[:9])
			}
		})
	}
}

// readTPKT reads one packet ([RFC 1006] 6), of at least 9 bytes.
func readTPKT(t *testing.T, r io.Reader) []byte {
	t.Helper()
	packet := make([]byte, 4)
	if _, err := io.ReadFull(r, packet); err != nil {
		t.Fatal(err)
	}
	packet = append(packet, make([]byte, max(9, int(packet[2])<<8|int(packet[3]))-4)...)
	if _, err := io.ReadFull(r, packet[4:]); err != nil || packet[0] != 3 {
		t.Fatalf("a packet that begins % x: %v", packet[:4], err)
	}
	return packet
}

// acceptNLA answers a client as far as CredSSP begins.
func acceptNLA(t *testing.T, conn net.Conn, cert *testbed.Cert) *tls.Conn {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	readTPKT(t, conn)
	if _, err := fmt.Fprintf(conn, connectionConfirm, protocolHybrid); err != nil {
		t.Fatal(err)
	}
	return tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert.TLS}, MinVersion: tls.VersionTLS12})
}

// TestKerberos logs on with a ticket of a real KDC.
func TestKerberos(t *testing.T) {
	k := testbed.StartKDC(t)
	k.AddUser(t, "alice", "Passw0rd!")
	k.AddService(t, "TERMSRV/localhost")
	ticket, err := kerberos.Obtain(t.Context(), kerberos.Config{
		Realm: k.Realm, KDCs: []string{k.Addr}, Username: "alice", Password: "Passw0rd!", SPN: "TERMSRV/localhost",
	})
	if err != nil {
		t.Fatal(err)
	}
	kt, err := keytab.Load(k.Keytab)
	if err != nil {
		t.Fatal(err)
	}
	spn := types.NewPrincipalName(2, "TERMSRV/localhost")
	config := func() (ClientConfig, ServerConfig) {
		cc, sc := clientConfig(), serverConfig()
		cc.Credentials = Credentials{Domain: k.Realm, Username: "alice", Password: "Passw0rd!"}
		cc.Ticket, cc.Random, cc.Now = &ticket, nil, nil
		sc.Lookup, sc.Random, sc.Now = nil, nil, nil
		sc.KerberosKey = func(kind, version int32) (desktop.Secret, bool) {
			key, _, err := kt.GetEncryptionKey(spn, k.Realm, int(version), kind)
			return desktop.Secret(key.KeyValue), err == nil
		}
		return cc, sc
	}
	for version := minVersion; version <= maxVersion; version++ {
		cc, sc := config()
		cc.Version = version
		s := NewServer(sc)
		if _, cerr, serr := run(t, NewClient(cc), s); cerr != nil || serr != nil {
			t.Fatalf("version %d: %v, %v", version, cerr, serr)
		}
		if s.Credentials() != cc.Credentials || s.Identity() != (Identity{Domain: k.Realm, Username: "alice", Kerberos: true}) {
			t.Errorf("version %d: other credentials, or of another: %+v", version, s.Identity())
		}
	}
	cc, sc := config()
	cc.Certificate = certificate("another")
	cc.Certificate.Raw = sc.Certificate.Raw
	messages, cerr, serr := run(t, NewClient(cc), NewServer(sc))
	if !errors.Is(cerr, desktop.ErrCertificate) || !errors.Is(serr, desktop.ErrCertificate) {
		t.Errorf("another key: %v, %v", cerr, serr)
	}
	checkNothingLeft(t, messages)
	cc, sc = config()
	sc.KerberosKey, sc.Lookup = nil, lookup
	_, cerr, _ = run(t, NewClient(cc), NewServer(sc))
	if !errors.Is(cerr, desktop.ErrSecurity) {
		t.Errorf("a server without Kerberos: %v", cerr)
	}
}
