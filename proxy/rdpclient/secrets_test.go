package rdpclient

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vitrine-psm/vitrine/internal/rdptarget"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/cliprdr"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

const (
	testPassword = "Tr0ub4dor&3 päss"
	typedText    = "typed-0123456789"
	copiedText   = "copied-0123456789"
)

// writings are the ways in which a secret could be written into a log.
func writings(secret []byte) []string {
	return []string{
		string(secret), hex.EncodeToString(secret), strings.Trim(fmt.Sprintf("%d", secret), "[]"), fmt.Sprintf("% x", secret),
		strings.TrimRight(base64.StdEncoding.EncodeToString(secret), "="), strings.Trim(fmt.Sprintf("%q", secret), `"`),
	}
}

// secrets are what nobody may read anywhere.
func secrets() map[string][]byte {
	hash := ntlm.NTHash(testPassword)
	cookie := testCookie()
	verifier := cookie.Verifier().Verifier
	return map[string][]byte{
		"the password": []byte(testPassword), "the password in UTF-16": wire.AppendUTF16(nil, testPassword), "the NT hash": hash[:],
		"the cookie": cookie.Random[:], "the cookie's verifier": verifier[:],
		"the redirected password": []byte("broker password"), "the redirected password in UTF-16": wire.AppendUTF16(nil, "broker password"),
		"typed text": []byte(typedText), "copied text": []byte(copiedText), "copied text in UTF-16": wire.AppendUTF16(nil, copiedText),
	}
}

// tellsNothing checks texts for secrets.
func tellsNothing(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		text = strings.ToLower(text)
		for what, secret := range secrets() {
			for _, written := range writings(secret) {
				if strings.Contains(text, strings.ToLower(written)) {
					t.Errorf("%s is in:\n%s", what, text)
				}
			}
		}
	}
}

// TestSecrets: sessions of every kind, good and failed, write no secret into the log or an error, at any level.
func TestSecrets(t *testing.T) {
	users := map[string]desktop.Secret{"user": testPassword, "broker user": "broker password"}
	whole := func(s *stage) {
		p := s.open()
		p.gives(testCookie())
		s.sends(desktop.TextInput{Text: typedText}, desktop.ClipboardText{Text: copiedText})
		p.must(p.SendStatic(cliprdr.ChannelName, cliprdr.AppendMonitorReady(nil)))
		p.must(p.SendStatic(cliprdr.ChannelName, cliprdr.FormatDataRequest{FormatID: cliprdr.FormatUnicodeText}.Append(nil)))
		synctest.Wait()
		p.Close()
		p = s.open()
		p.redirects(elsewhere())
		p = s.open()
		p.must(p.Disconnect(rdp.ErrorInfoIdleTimeout))
		synctest.Wait()
	}
	reject := func(s *stage) { _ = s.accept().Handshake() }
	for name, c := range map[string]struct {
		security Security
		peer     rdptarget.Options
		script   func(s *stage)
		want     error
	}{
		"NLA":                    {SecurityNLA, rdptarget.Options{Protocol: rdp.ProtocolHybridEx, Users: users}, whole, desktop.ErrEnded},
		"TLS":                    {SecurityTLS, rdptarget.Options{}, whole, desktop.ErrEnded},
		"NLA, wrong password":    {SecurityNLA, rdptarget.Options{Protocol: rdp.ProtocolHybrid, Users: map[string]desktop.Secret{"user": "x"}}, reject, desktop.ErrAuth},
		"NLA, unknown user":      {SecurityNLA, rdptarget.Options{Protocol: rdp.ProtocolHybrid}, reject, desktop.ErrAuth},
		"TLS, hung up":           {SecurityTLS, rdptarget.Options{}, func(s *stage) { p := s.accept(); p.must(p.Until("license")) }, desktop.ErrTargetGone},
		"TLS, nonsense":          {SecurityTLS, rdptarget.Options{}, func(s *stage) { p := s.accept(); p.must(p.Until("license")); _, _ = p.Write(secured(0x200)) }, desktop.ErrProtocol},
		"TLS, redirection's end": {SecurityTLS, rdptarget.Options{}, func(s *stage) { p := s.open(); s.refuse(errors.New("nobody there")); p.redirects(elsewhere()) }, desktop.ErrTargetGone},
	} {
		t.Run(name, func(t *testing.T) {
			var log string
			cfg := Config{Security: c.security, Username: "user", Password: testPassword}
			cfg.Clipboard.ToTarget = true
			err := play(t, scene{Config: cfg, peer: c.peer, redials: true}, func(s *stage) {
				c.script(s)
				s.hangUp()
				<-s.done
				log = s.log.String()
			})
			wantEnd(t, err, c.want)
			tellsNothing(t, err.Error(), log, fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err))
			tellsNothing(t, fmt.Sprint(cfg.Password), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg.Password))
		})
	}
}

// receive reads a TSRequest, which comes in one TLS record.
func (p *peer) receive() (credssp.TSRequest, []byte, error) {
	b := make([]byte, 16<<10)
	n, err := p.Read(b)
	if err != nil {
		return credssp.TSRequest{}, nil, err
	}
	m, err := credssp.DecodeTSRequest(b[:n])
	return m, b[:n], err
}

// middle is a client that has come to a man in the middle with a key of his own, whose certificate nobody looks at, and the
// part of the server he passes everything to. answer makes what he says to the client's proof; false ends it.
func middle(t *testing.T, answer func(server *credssp.Server, proof credssp.TSRequest, raw []byte) []byte) error {
	t.Helper()
	server, err := x509.ParseCertificate(newPeerCert("peer.test").TLS.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	sc := withNLA()
	sc.TLS = trust.Policy{TrustFirst: true}
	return play(t, sc, func(s *stage) {
		p := s.accept()
		p.must(p.Until("nla"))
		target := credssp.NewServer(credssp.ServerConfig{
			Certificate: server, Lookup: func(string, string) (ntlm.Hash, bool) { return ntlm.NTHash("pass"), true },
		})
		_, raw, err := p.receive()
		p.must(err)
		challenge, _, err := target.Step(raw)
		p.must(err)
		_, err = p.Write(challenge)
		p.must(err)
		proof, raw, err := p.receive()
		p.must(err)
		if proof.AuthInfo != nil {
			t.Fatal("credentials before the proof")
		}
		if b := answer(target, proof, raw); b != nil {
			_, err = p.Write(b)
			p.must(err)
		}
		if m, _, err := p.receive(); err == nil {
			t.Errorf("the client went on: credentials %v", m.AuthInfo != nil)
		}
	})
}

// TestManInTheMiddle: who has the target's answers but not the key of its certificate gets no credentials.
func TestManInTheMiddle(t *testing.T) {
	t.Run("relays", func(t *testing.T) {
		err := middle(t, func(target *credssp.Server, _ credssp.TSRequest, raw []byte) []byte {
			out, _, err := target.Step(raw)
			if !errors.Is(err, desktop.ErrCertificate) {
				t.Errorf("the server sees no man in the middle: %v", err)
			}
			return out
		})
		wantEnd(t, err, desktop.ErrCertificate)
	})
	t.Run("reflects the proof", func(t *testing.T) {
		err := middle(t, func(_ *credssp.Server, proof credssp.TSRequest, _ []byte) []byte {
			return credssp.TSRequest{Version: 6, PubKeyAuth: proof.PubKeyAuth}.Append(nil)
		})
		if !errors.Is(err, desktop.ErrCertificate) && !errors.Is(err, desktop.ErrAuth) {
			t.Error(err)
		}
	})
	t.Run("makes up a proof", func(t *testing.T) {
		err := middle(t, func(_ *credssp.Server, proof credssp.TSRequest, _ []byte) []byte {
			return credssp.TSRequest{Version: 6, PubKeyAuth: make([]byte, len(proof.PubKeyAuth))}.Append(nil)
		})
		if !errors.Is(err, desktop.ErrCertificate) && !errors.Is(err, desktop.ErrAuth) {
			t.Error(err)
		}
	})
	t.Run("leaves the proof out", func(t *testing.T) {
		err := middle(t, func(*credssp.Server, credssp.TSRequest, []byte) []byte {
			return credssp.TSRequest{Version: 6}.Append(nil)
		})
		wantEnd(t, err, desktop.ErrProtocol)
	})
}

// TestSignIn: signing in by both protocols, and what the target says of who may not.
func TestSignIn(t *testing.T) {
	for _, protocol := range []rdp.Protocol{rdp.ProtocolHybrid, rdp.ProtocolHybridEx} {
		sc := withNLA()
		sc.peer.Protocol = protocol
		_ = play(t, sc, func(s *stage) {
			p := s.open()
			if !s.observer.has("connected") || p.Asked.Core.SelectedProtocol != protocol {
				t.Errorf("protocol %#x: observed %q", protocol, s.observer.events)
			}
			if !strings.Contains(s.log.String(), "security=nla") {
				t.Errorf("log:\n%s", s.log)
			}
		})
	}
	t.Run("without a password", func(t *testing.T) {
		sc := withNLA()
		sc.Password = ""
		err := play(t, sc, func(s *stage) { _ = s.accept().Handshake() })
		wantEnd(t, err, desktop.ErrAuth)
	})
	t.Run("denied early", func(t *testing.T) {
		sc := withNLA()
		err := play(t, sc, func(s *stage) {
			p := s.accept()
			p.Denied = true
			_ = p.Handshake()
		})
		wantEnd(t, err, desktop.ErrAuth)
	})
}
