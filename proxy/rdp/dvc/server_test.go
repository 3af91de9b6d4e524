package dvc

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// serverLog is what happens at a Server.
type serverLog struct{ lines []string }

func (l *serverLog) add(format string, args ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

type logHandler struct {
	log  *serverLog
	name string
}

func (h logHandler) Message(b []byte) error {
	h.log.add("%s: %.8q %d", h.name, b, len(b))
	return nil
}
func (h logHandler) Closed() { h.log.add("%s closed", h.name) }

func newLogged() (*Server, *serverLog) {
	log := &serverLog{}
	s := NewServer(func(pdu []byte) error {
		log.add("> %d", Command(pdu))
		return nil
	})
	for _, name := range []string{"one", "two"} {
		s.Offer(name, 4000, func(ch *Channel) (Handler, error) {
			log.add("open %s %d", ch.Name(), ch.ID())
			return logHandler{log, name}, nil
		})
	}
	return s, log
}

func TestServer(t *testing.T) {
	s, log := newLogged()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Begin())
	caps := (&CapsResponse{Version: Version1}).Append(nil)
	must(s.Message(caps))
	must(s.Message(caps)) // a second one asks for nothing again
	must(s.Message((&CreateResponse{ChannelID: 1}).Append(nil)))
	must(s.Message((&CreateResponse{ChannelID: 2, Status: StatusNoListener}).Append(nil)))
	must(s.Message((&Data{ChannelID: 1, Data: []byte("hello")}).Append(nil)))
	long := []byte(strings.Repeat("x", 3000))
	for sent := 0; sent < len(long); {
		var pdu []byte
		pdu, sent = AppendFragment(nil, 1, long, sent)
		must(s.Message(pdu))
	}
	must(s.Message((&Data{ChannelID: 2, Data: []byte("orphan")}).Append(nil)))
	must(s.Message((&Data{ChannelID: 99, Data: []byte("orphan")}).Append(nil)))
	must(s.Message((&Close{ChannelID: 1}).Append(nil)))
	must(s.Message((&Data{ChannelID: 1, Data: []byte("late")}).Append(nil)))
	s.Close()
	want := []string{"> 5", "> 1", "> 1", "open one 1", `one: "hello" 5`, `one: "xxxxxxxx" 3000`, "one closed"}
	if strings.Join(log.lines, "|") != strings.Join(want, "|") {
		t.Errorf("%q", log.lines)
	}
	if s.Stats() != (ServerStats{Refused: 1, Orphans: 3}) || !s.Refused("two") || !s.Refused("three") {
		t.Errorf("%+v", s.Stats())
	}
}

func TestServerRefuses(t *testing.T) {
	open := (&CreateResponse{ChannelID: 1}).Append(nil)
	caps := (&CapsResponse{Version: Version1}).Append(nil)
	for name, messages := range map[string][][]byte{
		"an answer before the capabilities": {open},
		"an answer to nothing":              {caps, (&CreateResponse{ChannelID: 3}).Append(nil)},
		"channel 0":                         {caps, (&CreateResponse{ChannelID: 0}).Append(nil)},
		"two answers":                       {caps, open, open},
		"a message above the cap":           {caps, open, (&DataFirst{ChannelID: 1, Length: 4001, Data: []byte("x")}).Append(nil)},
		"4 GB":                              {caps, open, (&DataFirst{ChannelID: 1, Length: 0xffffffff, Data: []byte("x")}).Append(nil)},
		"more than was announced": {
			caps, open, (&DataFirst{ChannelID: 1, Length: 3, Data: []byte("x")}).Append(nil), (&Data{ChannelID: 1, Data: []byte("xyz")}).Append(nil),
		},
		"compressed": {caps, open, (&Data{Compressed: true, ChannelID: 1, Data: []byte("x")}).Append(nil)},
		"a server's": {caps, (&CreateRequest{ChannelID: 1, Name: "x"}).Append(nil)},
		"nothing":    {{}},
	} {
		s, _ := newLogged()
		var err error
		for _, m := range messages {
			if err = s.Message(m); err != nil {
				break
			}
		}
		if !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzServer(f *testing.F) {
	f.Add((&CapsResponse{Version: Version1}).Append(nil), (&CreateResponse{ChannelID: 1}).Append(nil), (&Data{ChannelID: 1, Data: []byte("x")}).Append(nil))
	f.Add((&CapsResponse{Version: Version2}).Append(nil), (&CreateResponse{ChannelID: 1}).Append(nil), (&DataFirst{ChannelID: 1, Length: 9, Data: []byte("x")}).Append(nil))
	f.Add((&CapsResponse{Version: Version1}).Append(nil), (&CreateResponse{ChannelID: 2, Status: -1}).Append(nil), (&Close{ChannelID: 1}).Append(nil))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		s, _ := newLogged()
		for _, m := range [][]byte{a, b, c, c} {
			if err := s.Message(m); err != nil {
				if !errors.Is(err, wire.ErrMalformed) {
					t.Fatal(err)
				}
				return
			}
		}
		for i := range s.offers {
			if ch := s.offers[i].channel; ch != nil && cap(ch.buf) > 3*4000+growBytes {
				t.Fatalf("%d bytes kept", cap(ch.buf))
			}
		}
		s.Close()
	})
}
