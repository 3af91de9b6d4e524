package native

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/ticket"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]wanted{
		"alice": {user: "alice"}, " alice ": {user: "alice"}, "": {}, "@web-1": {user: "@web-1"},
		"alice@web-1": {user: "alice", target: "web-1"}, "alice@example.com@web-1": {user: "alice@example.com", target: "web-1"},
		"alice%operator%web-1": {"alice", "operator", "web-1"}, "alice%%web-1": {user: "alice", target: "web-1"},
		"alice@example.com%%": {user: "alice@example.com"}, "a%b": {user: "a%b"},
	} {
		require.Equal(t, want, parseName(name), name)
	}
	d := Desk{TargetID: "web-1", TargetName: "Web server", AccountID: "a1", AccountName: "operator"}
	require.True(t, wanted{target: "WEB-1"}.fits(d))
	require.True(t, wanted{target: "web server", account: "Operator"}.fits(d))
	require.False(t, wanted{target: "web-1", account: "root"}.fits(d))
	require.False(t, wanted{target: "web"}.fits(d))
	require.True(t, wanted{}.fits(d))
}

func TestErrorInfo(t *testing.T) {
	for want, errs := range map[rdp.ErrorInfo][]error{
		rdp.ErrorInfoServerDenied:          {errRefused, io.EOF, &ticket.RefusedError{Cause: ticket.Expired}},
		rdp.ErrorInfoInsufficientPrivilege: {&policy.DeniedError{}, &access.NeededError{}},
		rdp.ErrorInfoIdleTimeout:           {errIdle},
		rdp.ErrorInfoLogoffByUser:          {errCancel},
		rdp.ErrorInfoLogoffByAdmin:         {errShutdown},
	} {
		for _, err := range errs {
			require.Equal(t, want, errorInfo(err), "%v", err)
		}
	}
}

func TestCrowd(t *testing.T) {
	now := time.Unix(1000, 0)
	c := newCrowd(Limits{Connections: 6, PerSource: 3, HalfOpen: 4, PerMinute: 60})
	c.now = func() time.Time { return now }
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	enter := func(source netip.Addr) (*place, net.Conn, string) {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { ours.Close(); theirs.Close() })
		p, cause := c.enter(source, ours)
		return p, theirs, cause
	}
	closed := func(conn net.Conn) bool {
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		_, err := conn.Read(make([]byte, 1))
		return errors.Is(err, io.EOF)
	}
	a1, ca1, _ := enter(a)
	a2, ca2, _ := enter(a)
	b1, cb1, _ := enter(b)
	a3, _, _ := enter(a)
	require.NotNil(t, a3)
	// Another one: the oldest of whoever has most makes room, not the other address.
	b2, cb2, cause := enter(b)
	require.NotNil(t, b2, cause)
	require.True(t, closed(ca1))
	require.True(t, a1.evicted())
	require.False(t, closed(cb1))
	a1.leave()
	// Those who are known are not thrown out.
	a2.known()
	b1.known()
	a3.known()
	a4, _, _ := enter(a)
	a4.known()
	_, _, cause = enter(a)
	require.Equal(t, tooManySource, cause)
	_, _, cause = enter(netip.MustParseAddr("192.0.2.3"))
	require.Empty(t, cause)
	_, _, cause = enter(netip.MustParseAddr("192.0.2.4"))
	require.Equal(t, tooMany, cause)
	require.False(t, closed(ca2))
	require.False(t, closed(cb2))
	for range 100 {
		if p, _, _ := enter(netip.MustParseAddr("2001:db8::1")); p != nil {
			p.leave()
		}
	}
	_, _, cause = enter(netip.MustParseAddr("2001:db8::2"))
	require.Equal(t, tooOften, cause, "the same network")
	now = now.Add(2 * time.Second)
	_, _, cause = enter(netip.MustParseAddr("2001:db8::2"))
	require.Equal(t, tooMany, cause)
}

func TestRefusalsAreNotAFlood(t *testing.T) {
	a := &fakeAudit{}
	f := newRefusals(a, slog.New(slog.DiscardHandler))
	now := time.Unix(1000, 0)
	f.now = func() time.Time { return now }
	r := refusal{cause: "unknown", source: netip.MustParseAddr("192.0.2.1")}
	for range 50 {
		f.note(t.Context(), r)
	}
	f.note(t.Context(), refusal{cause: "reused", source: r.source, bound: &ticket.Bound{UserID: "u", UserName: "alice", TargetID: "desk"}})
	require.Equal(t, []string{"unknown", "reused"}, a.causes())
	require.Equal(t, "desk", a.entries[1].Object.ID)
	require.Equal(t, "alice", a.entries[1].Details["ticket_user_name"])
	now = now.Add(quietFor)
	f.note(t.Context(), r)
	require.Equal(t, "49", a.entries[2].Details["repeated"])
	for i := range 3 * maxKinds {
		r.source = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		f.note(t.Context(), r)
	}
	require.LessOrEqual(t, len(f.seen), maxKinds+1)
	require.Less(t, len(a.causes()), maxKinds+10)
}

func TestCodes(t *testing.T) {
	r := newRig(t)
	w, ok := r.door.codes.begin(Waiting{Client: "laptop", User: "alice"})
	require.True(t, ok)
	require.Len(t, w.shown(), codeLength+1)
	_, err := r.door.Waiting("AAAA-AAAA")
	require.ErrorIs(t, err, ErrCode)
	got, err := r.door.Waiting(" " + w.code[:4] + " " + w.code[4:])
	require.NoError(t, err)
	require.Equal(t, "laptop", got.Client)
	_, err = r.door.Decide(w.shown(), r.alice, true)
	require.NoError(t, err)
	require.Equal(t, "alice", (<-w.answer).Name)
	_, err = r.door.Decide(w.shown(), r.alice, true)
	require.ErrorIs(t, err, ErrCode, "once")
	w, _ = r.door.codes.begin(Waiting{})
	_, err = r.door.Decide(w.code, r.alice, false)
	require.NoError(t, err)
	require.Empty(t, (<-w.answer).ID)
	w, _ = r.door.codes.begin(Waiting{})
	r.door.codes.now = func() time.Time { return time.Now().Add(codeLifetime) }
	_, err = r.door.Waiting(w.code)
	require.ErrorIs(t, err, ErrCode, "late")
	for range maxCodes {
		r.door.codes.begin(Waiting{})
	}
	_, ok = r.door.codes.begin(Waiting{})
	require.False(t, ok)
}

// TestCopy copies both ways, and ends with either side.
func TestCopy(t *testing.T) {
	for _, endedBy := range []string{"client", "session"} {
		client, there := net.Pipe()
		ours, file, err := socketPair()
		require.NoError(t, err)
		session, err := net.FileConn(file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		over := make(chan struct{})
		go func() { defer close(over); copyBoth(there, ours) }()
		_, err = client.Write([]byte("key"))
		require.NoError(t, err)
		b := make([]byte, 7)
		n, err := session.Read(b)
		require.NoError(t, err)
		require.Equal(t, "key", string(b[:n]))
		_, err = session.Write([]byte("picture"))
		require.NoError(t, err)
		_, err = io.ReadFull(client, b)
		require.NoError(t, err)
		require.Equal(t, "picture", string(b))
		if endedBy == "client" {
			require.NoError(t, client.Close())
			_, err = session.Read(b)
			require.ErrorIs(t, err, io.EOF)
			require.NoError(t, session.Close())
		} else {
			require.NoError(t, session.Close())
			_, err = client.Read(b)
			require.Error(t, err)
			require.NoError(t, client.Close())
		}
		<-over
	}
}

func TestReturns(t *testing.T) {
	r := newReturns()
	now := time.Unix(1000, 0)
	r.now = func() time.Time { return now }
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	_, ok := r.take(nil, here)
	require.False(t, ok)
	b := r.give(comeback{userID: "u", session: Session{ID: "s"}})
	v := b.cookie.Verifier()
	wrong := *v
	wrong.Verifier[3] ^= 1
	_, ok = r.take(&wrong, here)
	require.False(t, ok)
	got, ok := r.take(v, there)
	require.True(t, ok)
	require.Equal(t, "s", got.session.ID)
	_, ok = r.take(v, there)
	require.False(t, ok, "once")

	b = r.give(comeback{userID: "u", source: here})
	_, ok = r.take(b.cookie.Verifier(), there)
	require.False(t, ok, "bound to an address")
	b = r.give(comeback{userID: "u"})
	r.left(b)
	now = now.Add(returnWithin + 1)
	_, ok = r.take(b.cookie.Verifier(), here)
	require.False(t, ok, "late")
	for range maxReturns {
		b = r.give(comeback{})
	}
	require.Nil(t, r.give(comeback{}))
	r.left(b)
	now = now.Add(returnWithin + 1)
	require.NotNil(t, r.give(comeback{}), "who left makes room")
}

// FuzzParseName: whatever a client calls itself, the parts come from it, and a name alone stays one.
func FuzzParseName(f *testing.F) {
	for _, s := range []string{"alice", "alice@web-1", "alice%operator%web-1", "a@b@c", "%%", "@", "a%b%c%d", "\xff@\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		w := parseName(name)
		require.LessOrEqual(t, len(w.user)+len(w.account)+len(w.target), len(name))
		for _, part := range []string{w.user, w.account, w.target} {
			require.Contains(t, name, part)
		}
		_ = ticketOf(name)
	})
}
