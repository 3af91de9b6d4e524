package worker

import (
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// secureTarget is an RFB server that shows a certificate (VeNCrypt X509None) and a black desktop of 64×48, until the
// client goes.
func secureTarget(t *testing.T, cert tls.Certificate) string {
	return listen(t, func(c net.Conn) {
		defer c.Close()
		say := func(w io.Writer, s string) { _, _ = io.WriteString(w, s) }
		hear := func(r io.Reader, n int) { _, _ = io.ReadFull(r, make([]byte, n)) }
		say(c, "RFB 003.008\n")
		hear(c, 12)
		say(c, "\x01\x13") // VeNCrypt
		hear(c, 1)
		say(c, "\x00\x02")
		hear(c, 2)
		say(c, "\x00\x01\x00\x00\x01\x04") // X509None
		hear(c, 4)
		say(c, "\x01")
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		if s.Handshake() != nil {
			return
		}
		say(s, "\x00\x00\x00\x00") // security is good
		hear(s, 1)                 // ClientInit
		say(s, "\x00\x40\x00\x30\x20\x18\x00\x01\x00\xff\x00\xff\x00\xff\x10\x08\x00\x00\x00\x00\x00\x00\x00\x06secure")
		say(s, "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x40\x00\x30\x00\x00\x00\x00"+string(make([]byte, 64*48*4))) // one raw rectangle
		_, _ = io.Copy(io.Discard, s)
	})
}

// TestFirstUse: a locked-in worker takes the first certificate, says which once the session is active, and is held to it
// when it is a pin.
func TestFirstUse(t *testing.T) {
	cert, other := testbed.NewCert(t, "any.test"), testbed.NewCert(t, "any.test")
	fingerprint := hex.EncodeToString(cert.Fingerprint[:])
	r := newRig(t)
	firstUse := func(pin string) func(*CreateRequest) {
		return func(req *CreateRequest) { req.Target.TLS = target.TLS{FirstUse: true, Fingerprint: pin} }
	}
	address := secureTarget(t, cert.TLS)
	s := r.create(address, firstUse(""))
	trusted := func() []string {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.trusted[s.ID()]
	}
	eventually(t, "nobody is told of the certificate", func() bool { return len(trusted()) > 0 })
	require.NoError(t, s.Terminate(t.Context(), session.Person{}, session.NewEnd(session.EndTerminated, "")))
	r.gone(s)
	require.Equal(t, []string{fingerprint}, trusted())

	s = r.create(address, firstUse(fingerprint))
	require.NoError(t, s.Terminate(t.Context(), session.Person{}, session.NewEnd(session.EndTerminated, "")))
	r.gone(s)
	require.Empty(t, trusted(), "a pin is no first use")

	req := request(secureTarget(t, other.TLS))
	firstUse(fingerprint)(&req)
	_, err := r.Create(t.Context(), req)
	var end *EndError
	require.ErrorAs(t, err, &end)
	require.Equal(t, session.EndTargetCertificate, end.Code)
	require.Contains(t, end.Message, "it showed "+trust.Fingerprint(other.Fingerprint).Colons())
}

// TestCertificateIsTold: not before the session is active, once, and the first.
func TestCertificateIsTold(t *testing.T) {
	f := newFeed()
	certificates := func() (told []string) {
		events, _ := f.take()
		for _, e := range events {
			if c := e.GetCertificate(); c != nil {
				told = append(told, c.GetFingerprint())
			}
		}
		return told
	}
	first, second := trust.Fingerprint{1}, trust.Fingerprint{2}
	f.StatusChanged(session.Status{State: session.StateActive})
	require.Empty(t, certificates(), "there is none")
	f.certificateShown(first)
	f.StatusChanged(session.Status{State: session.StateConnecting})
	require.Empty(t, certificates(), "the target is not proved yet")
	f.StatusChanged(session.Status{State: session.StateActive})
	f.certificateShown(second)
	require.Equal(t, []string{first.String()}, certificates())
	f.StatusChanged(session.Status{State: session.StateFrozen})
	f.StatusChanged(session.Status{State: session.StateActive})
	require.Empty(t, certificates(), "told already")
}

// TestCertificateIsBelievedOnce: a worker is not trusted to pin whatever it likes.
func TestCertificateIsBelievedOnce(t *testing.T) {
	r := newRig(t)
	certificate := func(text string) *workerpb.Event {
		return &workerpb.Event{Event: &workerpb.Event_Certificate{Certificate: &workerpb.Certificate{Fingerprint: text}}}
	}
	good := trust.Fingerprint{1}.String()
	s := &Session{cfg: &r.cfg, log: r.cfg.Logger, notify: newNotifier(r, "x", func() Snapshot { return Snapshot{} })}
	s.apply(certificate(good)) // not asked for
	require.Empty(t, s.notify.trusted)
	s.firstUse.Store(true)
	s.apply(certificate("no fingerprint"))
	require.Empty(t, s.notify.trusted)
	s.apply(certificate(good))
	require.Equal(t, good, s.notify.trusted)
	s.apply(certificate(trust.Fingerprint{2}.String()))
	require.Equal(t, good, s.notify.trusted)
}
