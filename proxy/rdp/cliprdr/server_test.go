package cliprdr

import (
	"errors"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// TestServer lets a Server and a Client exchange texts, both ways.
func TestServer(t *testing.T) {
	var s *Server
	var c *Client
	var atServer, atClient []string
	now := time.Unix(1, 0)
	var toClient, toServer [][]byte
	s = NewServer(Config{
		Send: func(m []byte) { toClient = append(toClient, append([]byte(nil), m...)) }, Text: func(text string) { atServer = append(atServer, text) },
	})
	c = NewClient(Config{
		Send: func(m []byte) { toServer = append(toServer, append([]byte(nil), m...)) }, Text: func(text string) { atClient = append(atClient, text) },
	})
	settle := func() {
		t.Helper()
		for len(toClient)+len(toServer) > 0 {
			var m []byte
			var err error
			if len(toClient) > 0 {
				m, toClient = toClient[0], toClient[1:]
				err = c.Receive(m, now)
			} else {
				m, toServer = toServer[0], toServer[1:]
				err = s.Receive(m, now)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Offer("before"); err != nil { // is announced once the client is there
		t.Fatal(err)
	}
	s.Begin()
	settle()
	if err := c.Offer("from the client\nin two lines"); err != nil {
		t.Fatal(err)
	}
	settle()
	if err := s.Offer("from the server"); err != nil {
		t.Fatal(err)
	}
	settle()
	if len(atServer) != 1 || atServer[0] != "from the client\nin two lines" {
		t.Errorf("at the server: %q", atServer)
	}
	if len(atClient) != 2 || atClient[0] != "before" || atClient[1] != "from the server" {
		t.Errorf("at the client: %q", atClient)
	}
}

func FuzzServer(f *testing.F) {
	f.Add(Capabilities{Version: Version2, Flags: CapUseLongFormatNames}.Append(nil), FormatList{Formats: []Format{{ID: FormatUnicodeText}}}.Append(nil, true))
	f.Add(FormatList{Formats: []Format{{ID: FormatText}}}.Append(nil, false), FormatDataResponse{OK: true, Data: []byte("text\x00")}.Append(nil))
	f.Add(AppendMonitorReady(nil), FormatDataRequest{FormatID: FormatUnicodeText}.Append(nil))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		sent := 0
		s := NewServer(Config{Send: func([]byte) { sent++ }, Text: func(string) {}})
		s.Begin()
		_ = s.Offer("text")
		for _, m := range [][]byte{a, b, a} {
			if err := s.Receive(m, time.Unix(1, 0)); err != nil && !errors.Is(err, wire.ErrMalformed) {
				t.Fatal(err)
			}
		}
		if sent > 20 {
			t.Fatalf("%d messages in answer to 3", sent)
		}
	})
}
