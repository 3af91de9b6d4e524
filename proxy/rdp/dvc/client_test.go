package dvc

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

const testMax = 100_000

// recorder is a handler that keeps what it hears.
type recorder struct {
	messages [][]byte
	closed   int
	err      error
}

func (r *recorder) Message(b []byte) error {
	r.messages = append(r.messages, bytes.Clone(b))
	return r.err
}
func (r *recorder) Closed() { r.closed++ }

// bench is a Client with two channels allowed and what came of it.
type bench struct {
	*Client
	sent     [][]byte
	handlers map[string]*recorder
	channels map[string]*Channel
	refuse   error
}

func newBench() *bench {
	b := &bench{handlers: map[string]*recorder{}, channels: map[string]*Channel{}}
	b.Client = NewClient(func(pdu []byte) error {
		b.sent = append(b.sent, bytes.Clone(pdu))
		return nil
	})
	for _, name := range []string{"graphics", "display"} {
		b.Register(name, testMax, func(ch *Channel) (Handler, error) {
			b.handlers[name], b.channels[name] = &recorder{}, ch
			return b.handlers[name], b.refuse
		})
	}
	return b
}

func (b *bench) feed(t *testing.T, pdus ...pdu) {
	t.Helper()
	for _, p := range pdus {
		if err := b.Message(p.Append(nil)); err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
	}
}

// want compares and forgets what was sent.
func (b *bench) want(t *testing.T, pdus ...pdu) {
	t.Helper()
	var got, want []string
	for _, s := range b.sent {
		got = append(got, fmt.Sprintf("%x", s))
	}
	for _, p := range pdus {
		want = append(want, fmt.Sprintf("%x", p.Append(nil)))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("sent %v, want %v", got, want)
	}
	b.sent = nil
}

func TestClientVersions(t *testing.T) {
	for server, want := range map[uint16]uint16{1: 1, 2: 2, 3: 2, 4: 2} {
		b := newBench()
		b.feed(t, &CapsRequest{Version: server})
		b.want(t, &CapsResponse{Version: want})
	}
}

func TestClientOpensOnlyWhatIsAllowed(t *testing.T) {
	b := newBench()
	b.feed(t, &CapsRequest{Version: 3}, &CreateRequest{ChannelID: 1, Name: "graphics"},
		&CreateRequest{ChannelID: 2, Name: "AUDIO_PLAYBACK_DVC"}, &CreateRequest{ChannelID: 3, Name: "graphics"},
		&CreateRequest{ChannelID: 2, Name: "display"})
	b.want(t, &CapsResponse{Version: 2}, &CreateResponse{ChannelID: 1}, &CreateResponse{ChannelID: 2, Status: StatusNoListener},
		&CreateResponse{ChannelID: 3, Status: StatusNoListener}, &CreateResponse{ChannelID: 2})
	b.feed(t, &Data{ChannelID: 2, Data: []byte("to display")}, &Data{ChannelID: 3, Data: []byte("to nobody")},
		&DataFirst{ChannelID: 9, Length: 1 << 31}, &Close{ChannelID: 3},
		&SoftSyncRequest{Flags: SoftSyncTCPFlushed})
	b.want(t)
	if got := b.handlers["display"].messages; len(got) != 1 || string(got[0]) != "to display" || b.handlers["graphics"].messages != nil {
		t.Errorf("display heard %q", got)
	}
	if got := b.Stats(); got != (Stats{Refused: 2, Orphans: 3, SoftSyncs: 1}) {
		t.Errorf("%+v", got)
	}
}

func TestClientWithoutCapabilities(t *testing.T) {
	b := newBench()
	b.feed(t, &CreateRequest{ChannelID: 1, Name: "display"})
	b.want(t, &CapsResponse{Version: 2}, &CreateResponse{ChannelID: 1})
}

func TestClientClose(t *testing.T) {
	b := newBench()
	b.feed(t, &CapsRequest{Version: 2}, &CreateRequest{ChannelID: 1, Name: "graphics"}, &DataFirst{ChannelID: 1, Length: 9, Data: []byte("half")})
	first, ch := b.handlers["graphics"], b.channels["graphics"]
	b.sent = nil
	b.feed(t, &Close{ChannelID: 1})
	b.want(t, &Close{ChannelID: 1})
	if err := ch.Send([]byte("late")); !errors.Is(err, ErrClosed) || first.closed != 1 {
		t.Errorf("%v, closed %d times", err, first.closed)
	}
	b.feed(t, &CreateRequest{ChannelID: 1, Name: "graphics"}, &Data{ChannelID: 1, Data: []byte("new")})
	if second := b.handlers["graphics"]; len(first.messages) != 0 || len(second.messages) != 1 {
		t.Errorf("heard %q and %q", first.messages, second.messages)
	}
	b.Close()
	b.Close()
	if n := b.handlers["graphics"].closed; n != 1 || first.closed != 1 {
		t.Errorf("closed %d and %d times", first.closed, n)
	}
}

func TestClientReassembly(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	b := newBench()
	b.feed(t, &CapsRequest{Version: 2}, &CreateRequest{ChannelID: 1, Name: "graphics"}, &CreateRequest{ChannelID: 700, Name: "display"})
	var want [2][][]byte
	for range 40 {
		// A message for each channel, its PDUs interleaved with the other's.
		var pdus [2][][]byte
		for i, id := range []uint32{1, 700} {
			message := make([]byte, 1+rng.IntN(6000))
			for j := range message {
				message[j] = byte(rng.Uint32())
			}
			want[i] = append(want[i], message)
			for sent := 0; sent < len(message); {
				var p []byte
				if p, sent = AppendFragment(nil, id, message, sent); len(p) > MaxPDUBytes {
					t.Fatalf("a PDU of %d bytes", len(p))
				}
				pdus[i] = append(pdus[i], p)
			}
		}
		for len(pdus[0])+len(pdus[1]) > 0 {
			i := rng.IntN(2)
			if len(pdus[i]) == 0 {
				i = 1 - i
			}
			if err := b.Message(pdus[i][0]); err != nil {
				t.Fatal(err)
			}
			pdus[i] = pdus[i][1:]
		}
	}
	for i, name := range []string{"graphics", "display"} {
		if got := b.handlers[name].messages; !equal(got, want[i]) {
			t.Errorf("%s heard %d messages, want %d", name, len(got), len(want[i]))
		}
	}
}

func equal(a, b [][]byte) bool {
	return len(a) == len(b) && bytes.Equal(bytes.Join(a, []byte("|")), bytes.Join(b, []byte("|")))
}

func TestClientRefuses(t *testing.T) {
	for want, pdus := range map[string][]pdu{
		"a message of 100001 bytes exceeds 100000":                  {&DataFirst{ChannelID: 1, Length: testMax + 1}},
		"a message of 100002 bytes exceeds 100000":                  {&Data{ChannelID: 1, Data: make([]byte, testMax+2)}},
		"6 bytes of a message of 5":                                 {&DataFirst{ChannelID: 1, Length: 5, Data: []byte("abc")}, &Data{ChannelID: 1, Data: []byte("abc")}},
		"a message of 7 bytes begins after 3 of 5 bytes of another": {&DataFirst{ChannelID: 1, Length: 5, Data: []byte("abc")}, &DataFirst{ChannelID: 1, Length: 7, Data: []byte("abc")}},
		"ChannelId 1 is open already":                               {&CreateRequest{ChannelID: 1, Name: "display"}},
		"compressed data (Cmd 6), which was not agreed on":          {&DataFirst{Compressed: true, ChannelID: 1, Length: 5}},
		"compressed data (Cmd 7), which was not agreed on":          {&Data{Compressed: true, ChannelID: 1}},
		"Cmd 9 of 6 bytes is none a server sends":                   {&SoftSyncResponse{}},
	} {
		b := newBench()
		b.feed(t, &CapsRequest{Version: 2}, &CreateRequest{ChannelID: 1, Name: "graphics"})
		b.feed(t, pdus[:len(pdus)-1]...)
		err := b.Message(pdus[len(pdus)-1].Append(nil))
		if !errors.Is(err, wire.ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := newBench().Message(nil); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("nothing: %v", err)
	}
}

func TestClientPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	b := newBench()
	b.refuse = broken
	if err := b.Message((&CreateRequest{ChannelID: 1, Name: "graphics"}).Append(nil)); !errors.Is(err, broken) {
		t.Errorf("open: %v", err)
	}
	if err := b.channels["graphics"].Send(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("send: %v", err)
	}
	b.refuse = nil
	b.feed(t, &CreateRequest{ChannelID: 1, Name: "graphics"})
	b.handlers["graphics"].err = broken
	if err := b.Message((&Data{ChannelID: 1, Data: []byte("x")}).Append(nil)); !errors.Is(err, broken) {
		t.Errorf("message: %v", err)
	}
	failing := NewClient(func([]byte) error { return broken })
	if err := failing.Message((&CapsRequest{Version: 1}).Append(nil)); !errors.Is(err, broken) {
		t.Errorf("caps: %v", err)
	}
}

// TestLengthAllocatesNothing: a Length is only a promise, and fragments of nothing do not fulfil it.
func TestLengthAllocatesNothing(t *testing.T) {
	b := newBench()
	b.feed(t, &CreateRequest{ChannelID: 1, Name: "graphics"}, &DataFirst{ChannelID: 1, Length: testMax})
	for range 1000 {
		b.feed(t, &Data{ChannelID: 1})
	}
	if got := cap(b.channels["graphics"].buf); got != 0 || b.handlers["graphics"].messages != nil {
		t.Errorf("%d bytes allocated", got)
	}
	b.feed(t, &Data{ChannelID: 1, Data: make([]byte, testMax-1)}, &Data{ChannelID: 1, Data: []byte{1}}, &Data{ChannelID: 1})
	if got := b.handlers["graphics"].messages; len(got) != 1 || len(got[0]) != testMax {
		t.Errorf("%d messages", len(got))
	}
}

// TestSendIsWhole: fragments of messages sent at once do not mix.
func TestSendIsWhole(t *testing.T) {
	peer := newBench()
	peer.feed(t, &CreateRequest{ChannelID: 5, Name: "graphics"})
	var mu sync.Mutex
	var pdus [][]byte
	client := NewClient(func(pdu []byte) error {
		mu.Lock()
		defer mu.Unlock()
		pdus = append(pdus, bytes.Clone(pdu))
		return nil
	})
	var ch *Channel
	client.Register("graphics", 1, func(c *Channel) (Handler, error) { ch = c; return &recorder{}, nil })
	if err := client.Message((&CreateRequest{ChannelID: 5, Name: "graphics"}).Append(nil)); err != nil {
		t.Fatal(err)
	}
	pdus = nil
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := ch.Send(bytes.Repeat([]byte{byte(i)}, 5000)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, p := range pdus {
		if err := peer.Message(p); err != nil {
			t.Fatal(err)
		}
	}
	heard := peer.handlers["graphics"].messages
	for _, m := range heard {
		if !bytes.Equal(m, bytes.Repeat(m[:1], 5000)) {
			t.Error("mixed")
		}
	}
	if len(heard) != 8 {
		t.Errorf("%d messages", len(heard))
	}
}

func TestSteadyStateAllocations(t *testing.T) {
	client := NewClient(func([]byte) error { return nil })
	var ch *Channel
	client.Register("graphics", testMax, func(c *Channel) (Handler, error) { ch = c; return ignore{}, nil })
	if err := client.Message((&CreateRequest{ChannelID: 5, Name: "graphics"}).Append(nil)); err != nil {
		t.Fatal(err)
	}
	message := make([]byte, 20000)
	var pdus [][]byte
	for sent := 0; sent < len(message); {
		var p []byte
		p, sent = AppendFragment(nil, 5, message, sent)
		pdus = append(pdus, p)
	}
	if n := testing.AllocsPerRun(20, func() {
		for _, p := range pdus {
			if err := client.Message(p); err != nil {
				t.Fatal(err)
			}
		}
		if err := ch.Send(message); err != nil {
			t.Fatal(err)
		}
	}); n > float64(len(pdus)) { // the wire.Reader of each PDU
		t.Errorf("%v allocations for %d PDUs", n, len(pdus))
	}
}

type ignore struct{}

func (ignore) Message([]byte) error { return nil }
func (ignore) Closed()              {}

// FuzzClient feeds a Client PDUs that the fuzzer strings together: two bytes of length before each.
func FuzzClient(f *testing.F) {
	var all []byte
	for _, c := range pdus {
		b := unhex(f, c.hex)
		all = append(append(all, byte(len(b)), byte(len(b)>>8)), b...)
	}
	f.Add(all)
	f.Add([]byte("\x0b\x00\x10\x01graphics\x00\x07\x00\x20\x01\x06abcd\x04\x00\x30\x01ef\x02\x00\x40\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		bench := newBench()
		for fed := 0; len(b) >= 2; {
			n := min(int(b[0])|int(b[1])<<8, len(b)-2)
			fed += n
			err := bench.Message(b[2 : 2+n])
			b = b[2+n:]
			if err != nil && !errors.Is(err, wire.ErrMalformed) {
				t.Fatal(err)
			}
			held := 0
			for _, ch := range bench.Client.channels {
				held += cap(ch.buf)
			}
			if held > 2*len(bench.channels)*growBytes+4*fed || len(bench.Client.channels) > 2 {
				t.Fatalf("%d bytes held for %d fed, %d channels", held, fed, len(bench.Client.channels))
			}
			if err != nil {
				break
			}
		}
		bench.Close()
		for _, h := range bench.handlers {
			if h.closed != 1 {
				t.Fatalf("closed %d times", h.closed)
			}
		}
	})
}
