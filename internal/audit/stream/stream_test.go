package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

const waitLong = 20 * time.Second

type rig struct {
	t   *testing.T
	db  *store.Store
	log *audit.Log
}

func newRig(t *testing.T, db *store.Store) *rig {
	t.Helper()
	log, err := audit.Open(t.Context(), audit.Options{Store: db.Audit, KeyFile: filepath.Join(t.TempDir(), "k"), KeyName: "test"})
	require.NoError(t, err)
	return &rig{t, db, log}
}

func (r *rig) fill(n int) {
	r.t.Helper()
	for i := range n {
		require.NoError(r.t, r.log.Record(r.t.Context(), audit.Entry{Action: "act", Outcome: audit.Success, Details: map[string]string{"n": fmt.Sprint(i)}}))
	}
}

// run serves a sink until the function it returns is called.
func (r *rig) run(owner string, sender Sender) (*Streamer, func()) {
	r.t.Helper()
	s := New(Options{
		Audit: r.db.Audit, Log: r.log, Sinks: []Sink{{"sink", "test", sender}}, Owner: owner, MinWait: 5 * time.Millisecond, MaxWait: 20 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, sync.OnceFunc(func() {
		cancel()
		require.NoError(r.t, <-done)
	})
}

// fakeSender remembers indexes, and fails when told to.
type fakeSender struct {
	mu   sync.Mutex
	got  []int64
	err  error
	lost bool // it fails after it has taken everything
}

func (f *fakeSender) Send(_ context.Context, items []Item) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil && !f.lost {
		return f.err
	}
	for _, i := range items {
		f.got = append(f.got, i.Index)
	}
	return f.err
}

func (f *fakeSender) Close() error { return nil }

func (f *fakeSender) set(err error, lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.lost = err, lost
}

func (f *fakeSender) last() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.got) == 0 {
		return -1
	}
	return f.got[len(f.got)-1]
}

func TestStream(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r := newRig(t, db)
		r.fill(3 * page)
		f := &fakeSender{}
		s, stop := r.run("a", f)
		require.Eventually(t, func() bool { return f.last() == 3*page }, waitLong, time.Millisecond)
		f.set(errors.New("receiver down"), false)
		r.fill(5)
		require.Eventually(t, func() bool {
			states, err := s.States(t.Context())
			require.NoError(t, err)
			return states[0].Behind == 5 && strings.Contains(states[0].Error, "receiver down")
		}, waitLong, time.Millisecond)
		f.set(nil, false)
		require.Eventually(t, func() bool { return f.last() == 3*page+5 }, waitLong, time.Millisecond)
		stop()

		// Another process goes on where this one stopped.
		r.fill(1)
		next := &fakeSender{}
		_, stop = r.run("b", next)
		require.Eventually(t, func() bool { return next.last() == 3*page+6 }, waitLong, time.Millisecond)
		require.Equal(t, []int64{3*page + 6}, next.got)
		// Two at the same time: one sends.
		both := &fakeSender{}
		_, stopOther := r.run("c", both)
		r.fill(20)
		require.Eventually(t, func() bool { return next.last() == 3*page+26 }, waitLong, time.Millisecond)
		stopOther()
		stop()
		require.Empty(t, both.got)
		for i, index := range f.got {
			require.EqualValues(t, i, index, "in order, each once")
		}
	})
}

func TestAtLeastOnce(t *testing.T) {
	r := newRig(t, storetest.Open(t, storetest.SQLite(t)))
	f := &fakeSender{}
	f.set(errors.New("no answer"), true)
	_, stop := r.run("a", f)
	defer stop()
	require.Eventually(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.got) > 2
	}, waitLong, time.Millisecond, "what may be lost is sent again")
}

func TestFile(t *testing.T) {
	r := newRig(t, storetest.Open(t, storetest.SQLite(t)))
	path := filepath.Join(t.TempDir(), "audit.json")
	_, stop := r.run("a", &File{Path: path})
	defer stop()
	lines := func(name string) int {
		content, err := os.ReadFile(name)
		if err != nil {
			return -1
		}
		return strings.Count(string(content), "\n")
	}
	require.Eventually(t, func() bool { return lines(path) == 1 }, waitLong, time.Millisecond)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	require.NoError(t, os.Rename(path, path+".1"))
	r.fill(3)
	require.Eventually(t, func() bool { return lines(path) == 3 }, waitLong, time.Millisecond, "after rotation it is made anew")
	require.Equal(t, 1, lines(path+".1"))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(content)) {
		_, _, err := audit.Decode([]byte(strings.TrimSuffix(line, "\n")))
		require.NoError(t, err)
	}
}

// TestSyslogTCP has a receiver that goes away and comes back, with a parser of others.
func TestSyslogTCP(t *testing.T) {
	r := newRig(t, storetest.Open(t, storetest.SQLite(t)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	_, stop := r.run("a", &Syslog{Network: "tcp", Address: address, Header: Header{Host: "gw", Format: JSON}})
	defer stop()
	r.fill(4)
	receive(t, l, 5)
	require.NoError(t, l.Close())
	r.fill(2)
	l, err = net.Listen("tcp", address)
	require.NoError(t, err)
	defer l.Close()
	for _, m := range receive(t, l, 2) {
		require.Equal(t, "act", *m.MsgID)
	}
}

// receive takes one connection and n messages, and closes it.
func receive(t *testing.T, l net.Listener, n int) []*rfc5424.SyslogMessage {
	t.Helper()
	conn, err := l.Accept()
	require.NoError(t, err)
	defer conn.Close()
	var got []*rfc5424.SyslogMessage
	parser := octetcounting.NewParser(syslog.WithListener(func(r *syslog.Result) {
		if m, ok := r.Message.(*rfc5424.SyslogMessage); ok && r.Error == nil {
			got = append(got, m)
		}
		if len(got) == n {
			conn.Close()
		}
	}))
	parser.Parse(bufio.NewReader(conn))
	require.Len(t, got, n)
	return got
}

func TestSyslogUDP(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer conn.Close()
	s := &Syslog{Network: "udp", Address: conn.LocalAddr().String(), Header: Header{Host: "gw", Format: CEF}}
	long := nasty()
	long.Entry.Details["x"] = strings.Repeat("é", maxDatagram)
	require.NoError(t, s.Send(t.Context(), []Item{nasty(), long}))
	require.NoError(t, s.Close())
	b := make([]byte, 64<<10)
	for range 2 {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(waitLong)))
		n, _, err := conn.ReadFrom(b)
		require.NoError(t, err)
		require.LessOrEqual(t, n, maxDatagram)
		_, err = rfc5424.NewParser().Parse(b[:n])
		require.NoError(t, err)
	}
}
