package rdpserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/cliprdr"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
	"github.com/vitrine-psm/vitrine/proxy/rdp/disp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
	"github.com/vitrine-psm/vitrine/proxy/rdp/svc"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
	"github.com/vitrine-psm/vitrine/proxy/rdpclient"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// script is a connection on which everything the client will ever say is there already.
type script struct {
	io.Reader
	mu      sync.Mutex
	written int
}

func (s *script) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += len(b)
	return len(b), nil
}
func (*script) Close() error                     { return nil }
func (*script) LocalAddr() net.Addr              { return nil }
func (*script) RemoteAddr() net.Addr             { return nil }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

// nothing is a Streamer whose session stands still.
type nothing struct{}

func (nothing) Serve(ctx context.Context, _ stream.Sink, _ int, _ stream.Overflow) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (nothing) ServePatches(ctx context.Context, _ stream.Sink, _ stream.PatchSink) error {
	<-ctx.Done()
	return context.Cause(ctx)
}
func (nothing) RequestIDR() {}

// scripted is the state of a client with the channels drdynvc (1004), cliprdr (1005) and rdpdr (1006), message channel 1007, user
// 1008, and what it has said already.
func scripted(pending []byte) State {
	return State{
		Version: stateVersion,
		Hello: Hello{
			Depth: 32, Size: image.Pt(64, 48), EarlyCapabilities: rdp.SupportDynVCGFX | rdp.Want32BPPSession, Selected: rdp.ProtocolTLS,
		},
		User: 1008, Message: 1007, ShareID: firstShare, Licensed: true, Active: true, Pending: pending,
		Channels: []channel{{dvc.ChannelName, 1004, 0}, {cliprdr.ChannelName, 1005, 0}, {"rdpdr", 1006, 0}},
	}
}

// serveScript lets an active client say what it likes and returns how that ended.
func serveScript(t testing.TB, said []byte) (*room, error) {
	t.Helper()
	client, err := Resume(&script{Reader: bytes.NewReader(nil)}, scripted(said), nil)
	require.NoError(t, err)
	conn := newConn(client.link)
	conn.size, conn.caps = image.Pt(64, 48), clientCaps{fastPath: true, skipAlpha: true, pointers: 20}
	fb, err := desktop.NewFramebuffer(image.Pt(64, 48))
	require.NoError(t, err)
	r := &room{}
	return r, conn.Serve(context.Background(), Desktop{Framebuffer: fb, Video: nothing{}, Handler: r, Clipboard: true})
}

func send(b []byte, ch uint16, data []byte) []byte {
	return rdp.AppendChannelData(b, rdp.MCSSendDataRequest, 1008, ch, func(b []byte) []byte { return append(b, data...) })
}

func chunk(length, flags uint32, data []byte) []byte {
	return append(svc.Header{Length: length, Flags: flags}.Append(nil), data...)
}

func whole(data []byte) []byte { return chunk(uint32(len(data)), svc.FlagFirst|svc.FlagLast, data) }

func shareData(kind rdp.DataKind, body []byte) []byte {
	return rdp.AppendShareData(nil, kind, 1008, firstShare, func(b []byte) []byte { return append(b, body...) })
}

// opened is what a client says that opens the graphics pipeline (1) and display control (2).
func opened() []byte {
	b := send(nil, 1004, whole((&dvc.CapsResponse{Version: dvc.Version1}).Append(nil)))
	b = send(b, 1004, whole((&dvc.CreateResponse{ChannelID: 1}).Append(nil)))
	return send(b, 1004, whole((&dvc.CreateResponse{ChannelID: 2}).Append(nil)))
}

func dynamic(b []byte, id uint32, message []byte) []byte {
	for sent := 0; sent < len(message); {
		var pdu []byte
		pdu, sent = dvc.AppendFragment(nil, id, message, sent)
		b = send(b, 1004, whole(pdu))
	}
	return b
}

// TestHostile says what no honest client says. It ends the connection as malformed, or is passed over; it never panics.
func TestHostile(t *testing.T) {
	le := binary.LittleEndian
	repeat := func(n int, b []byte) []byte { return bytes.Repeat(b, n) }
	layout := func(n uint32) []byte { // DISPLAYCONTROL_MONITOR_LAYOUT_PDU with a count that is not true
		b := disp.SingleMonitor(image.Pt(800, 600)).Append(nil)
		le.PutUint32(b[12:], n)
		return b
	}
	capsOf := func(body []byte) []byte { // a Confirm Active with one capability set of this body, header included
		b := le.AppendUint32(nil, firstShare)
		b = le.AppendUint16(b, rdp.OriginatorServer)
		b = le.AppendUint16(b, 4)
		b = le.AppendUint16(b, uint16(4+len(body)))
		b = append(b, "RDP\x00\x01\x00\x00\x00"...)
		return rdp.AppendShareControl(nil, rdp.ShareConfirmActive, 1008, func(s []byte) []byte { return append(append(s, b...), body...) })
	}
	for _, c := range []struct {
		name string
		said []byte
		good bool // is passed over
	}{
		{"no RDP", []byte("GET / HTTP/1.0\r\n\r\n"), false},
		{"fast-path length 0", []byte{0, 0}, false},
		{"TPKT of 3 bytes", []byte{3, 0, 0, 3}, false},
		{"encrypted input", []byte{0xc4, 5, 0, 0, 0}, false},
		{"255 events in 3 bytes", []byte{0, 6, 255, 0, 0, 0}, false},
		{"unknown event", []byte{4, 4, 0xa0, 0}, false},
		{"capability set of length 0", send(nil, ioChannel, capsOf([]byte{1, 0, 0, 0})), false},
		{"capability set beyond the PDU", send(nil, ioChannel, capsOf([]byte{1, 0, 0xff, 0xff})), false},
		{"share control of length 2", send(nil, ioChannel, []byte{2, 0, 0x17, 0}), false},
		{"a server's share PDU", send(nil, ioChannel, rdp.AppendShareControl(nil, rdp.ShareDemandActive, 1, func(b []byte) []byte { return b })), false},
		{"refresh of 255 areas", send(nil, ioChannel, shareData(rdp.DataRefreshRect, []byte{255, 0, 0, 0})), false},
		{"refresh upside down", send(nil, ioChannel, shareData(rdp.DataRefreshRect, []byte{1, 0, 0, 0, 9, 0, 9, 0, 1, 0, 1, 0})), false},
		{"refresh outside", send(nil, ioChannel, shareData(rdp.DataRefreshRect, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})), true},
		{"unknown share data", send(nil, ioChannel, shareData(0xee, nil)), true},
		{"a Font List out of turn", repeat(50, send(nil, ioChannel, shareData(rdp.DataFontList, rdp.AppendFontList(nil)))), true},
		{"a domain PDU of servers", rdp.AppendX224Data(nil, (&rdp.DomainPDU{Kind: rdp.MCSAttachUserConfirm, User: 1008}).Append), false},
		{"a channel nobody asked for", send(nil, 4711, whole([]byte("x"))), true},
		{"a drive", repeat(20, send(nil, 1006, whole([]byte("rDCC")))), true},
		{"chunks above the total", send(nil, 1004, chunk(2, svc.FlagFirst|svc.FlagLast, []byte("abc"))), false},
		{"chunks below the total", send(nil, 1004, chunk(9, svc.FlagFirst|svc.FlagLast, []byte("abc"))), false},
		{"a message of 4 GB", send(nil, 1004, chunk(0xffffffff, svc.FlagFirst, []byte("abc"))), false},
		{"dynamic message of 4 GB", send(opened(), 1004, whole((&dvc.DataFirst{ChannelID: 1, Length: 0xffffffff, Data: []byte("x")}).Append(nil))), false},
		{"dynamic channel nobody opened", dynamic(opened(), 77, []byte("x")), true},
		{"monitors: 4294967295", dynamic(opened(), 2, layout(0xffffffff)), false},
		{"monitors: none", dynamic(opened(), 2, layout(0)), false},
		{"graphics length 0", dynamic(opened(), 1, []byte{0x12, 0, 0, 0, 0, 0, 0, 0}), false},
		{"graphics capabilities: 65535", dynamic(opened(), 1, []byte{0x12, 0, 0, 0, 10, 0, 0, 0, 0xff, 0xff}), false},
		{"graphics capabilities of the future", dynamic(opened(), 1, (&egfx.CapsAdvertise{Sets: []egfx.CapSet{egfx.NewCapSet(0x00ff0000, 0)}}).Append(nil)), false},
		{"acknowledged before it was sent", dynamic(opened(), 1, (&egfx.FrameAcknowledge{FrameID: 0xdeadbeef}).Append(nil)), true},
		{"cache import", dynamic(opened(), 1, (&egfx.CacheImportOffer{}).Append(nil)), true},
		{"a server's graphics message", dynamic(opened(), 1, (&egfx.EndFrame{}).Append(nil)), false},
		{"advertised 30 times", repeatMessage(30, (&egfx.CapsAdvertise{Sets: []egfx.CapSet{egfx.NewCapSet(egfx.CapVersion8, 0)}}).Append(nil)), true},
		{"clipboard of 4 GB", send(nil, 1005, chunk(0xffffffff, svc.FlagFirst, []byte("abc"))), true},
		{"clipboard lengths", repeat(30, send(nil, 1005, whole([]byte{2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}))), true},
		{"autodetection nobody asked for", send(nil, 1007, []byte{0, 0x20, 0, 0, 6, 1, 0, 0, 0, 0}), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := serveScript(t, c.said)
			if c.good {
				require.ErrorIs(t, err, io.EOF)
			} else {
				require.True(t, errors.Is(err, wire.ErrMalformed), "%v", err)
				require.True(t, IsProtocol(err))
			}
		})
	}
}

func repeatMessage(n int, message []byte) []byte {
	b := opened()
	for range n {
		b = dynamic(b, 1, message)
	}
	return b
}

// FuzzServe gives a client's bytes to an active connection.
func FuzzServe(f *testing.F) {
	f.Add(rdp.AppendFastPathInput(nil, []rdp.InputEvent{{Kind: rdp.InputScancode, Code: 0x1e}, {Kind: rdp.InputMouse, Flags: rdp.MouseMove, X: 5, Y: 6}}))
	f.Add(dynamic(opened(), 1, (&egfx.CapsAdvertise{Sets: []egfx.CapSet{egfx.NewCapSet(egfx.CapVersion81, egfx.CapAVC420Enabled)}}).Append(nil)))
	f.Add(dynamic(opened(), 2, disp.SingleMonitor(image.Pt(800, 600)).Append(nil)))
	f.Add(send(nil, 1005, whole(cliprdr.Capabilities{Version: cliprdr.Version2}.Append(nil))))
	f.Add(send(nil, ioChannel, shareData(rdp.DataSuppressOutput, []byte{0, 0, 0, 0})))
	f.Add(send(nil, ioChannel, shareData(rdp.DataShutdownRequest, nil)))
	f.Fuzz(func(t *testing.T, said []byte) {
		if len(said) > maxPending {
			return
		}
		r, err := serveScript(t, said)
		switch {
		case errors.Is(err, wire.ErrMalformed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, rdp.ErrDisconnected), errors.Is(err, svc.ErrTooLong):
		default:
			t.Fatal(err)
		}
		for _, in := range r.took() {
			if p, ok := in.(desktop.PointerEvent); ok && !p.Pos.In(image.Rect(0, 0, 64, 48)) {
				t.Fatalf("%v", p)
			}
		}
	})
}

// FuzzAccept gives a client's bytes to the part of Accept that is within TLS.
func FuzzAccept(f *testing.F) {
	settings := rdp.ClientSettings{
		Core: rdp.ClientCoreData{Version: rdp.Version107, Width: 800, Height: 600, SelectedProtocol: rdp.ProtocolTLS}, Channels: []rdp.ChannelDef{{Name: "drdynvc"}},
	}
	good := rdp.AppendX224Data(nil, func(b []byte) []byte { return rdp.AppendConnectInitial(b, settings.Append) })
	for _, p := range []rdp.DomainPDU{
		{Kind: rdp.MCSErectDomainRequest}, {Kind: rdp.MCSAttachUserRequest}, {Kind: rdp.MCSChannelJoinRequest, User: 1005, Channel: ioChannel},
	} {
		good = rdp.AppendX224Data(good, p.Append)
	}
	info := rdp.ClientInfo{Username: "alice", Password: "secret", AlternateShell: "ticket"}
	good = rdp.AppendChannelData(good, rdp.MCSSendDataRequest, 1005, ioChannel, info.Append)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, said []byte) {
		conn := &script{Reader: bytes.NewReader(said)}
		a := acceptance{link: &link{conn: conn, frames: rdp.NewFrameReader(conn), shareID: firstShare}}
		a.hello.Selected = rdp.ProtocolTLS
		err := a.connect(context.Background())
		if err == nil {
			err = a.join(context.Background())
		}
		if err != nil {
			return
		}
		state, _ := a.state()
		if err := state.check(); err != nil {
			t.Fatalf("what was accepted cannot be handed over: %v", err)
		}
		if conn.written > 64<<10 {
			t.Fatalf("%d bytes in answer to %d", conn.written, len(said))
		}
	})
}

// FuzzRequest gives a client's first bytes to Accept.
func FuzzRequest(f *testing.F) {
	request := rdp.AppendTPKT(nil, (&rdp.ConnectionRequest{Cookie: "alice", Negotiable: true, Protocols: rdp.ProtocolRDP}).Append)
	f.Add(request)
	f.Add(append((&rdp.Preconnection{ID: 1, Blob: "vm"}).Append(nil), request...))
	f.Fuzz(func(_ *testing.T, said []byte) {
		conn := &script{Reader: bytes.NewReader(said)}
		_, _ = Accept(context.Background(), conn, AcceptConfig{})
	})
}

// FuzzState reads what another process wrote.
func FuzzState(f *testing.F) {
	good, err := scripted([]byte("pending")).Marshal()
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"version":1,"user":1004,"hello":{"depth":32}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := UnmarshalState(b)
		if err != nil {
			require.ErrorIs(t, err, ErrState)
			return
		}
		again, err := s.Marshal()
		require.NoError(t, err)
		_, err = UnmarshalState(again)
		require.NoError(t, err)
	})
}

// TestStateHoldsNoSecret marshals what a client has said.
func TestStateHoldsNoSecret(t *testing.T) {
	s := scripted(nil)
	s.Hello.Password, s.Hello.AlternateShell = "hunter2", "ticket-4711"
	s.Hello.Proved = &Identity{Username: "alice", Delegated: "hunter2"}
	b, err := s.Marshal()
	require.NoError(t, err)
	require.NotContains(t, string(b), "hunter2")
	require.NotContains(t, string(b), "4711")
	for _, spoil := range []func(s *State){
		func(s *State) { s.Version = 2 }, func(s *State) { s.User = 4 }, func(s *State) { s.Message = 1008 }, func(s *State) { s.Licensed = false },
		func(s *State) { s.Hello.Depth = 8 }, func(s *State) { s.Channels[1].ID = 1 }, func(s *State) { s.Pending = make([]byte, maxPending+1) },
		func(s *State) { s.Hello.ClientName = string(make([]byte, maxHelloText+1)) }, func(s *State) { s.Channels = make([]channel, 32) },
	} {
		bad := scripted(nil)
		spoil(&bad)
		_, err := Resume(&script{Reader: bytes.NewReader(nil)}, bad, nil)
		require.ErrorIs(t, err, ErrState)
	}
}

// TestNegotiation looks at what a client is told in clear.
func TestNegotiation(t *testing.T) {
	for _, c := range []struct {
		security  Security
		protocols rdp.Protocol
		protocol  rdp.Protocol
		failure   rdp.NegotiationFailure
	}{
		{SecurityTLS, rdp.ProtocolTLS | rdp.ProtocolHybrid, rdp.ProtocolTLS, 0},
		{SecurityTLS, rdp.ProtocolRDP, 0, rdp.FailureTLSRequired},
		{SecurityTLS, rdp.ProtocolHybrid, 0, rdp.FailureTLSRequired},
		{SecurityNLA, rdp.ProtocolTLS | rdp.ProtocolHybrid, rdp.ProtocolHybrid, 0},
		{SecurityNLA, rdp.ProtocolTLS | rdp.ProtocolHybrid | rdp.ProtocolHybridEx, rdp.ProtocolHybridEx, 0},
		{SecurityNLA, rdp.ProtocolTLS, 0, rdp.FailureHybridRequired},
	} {
		ours, theirs := net.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := Accept(context.Background(), theirs, AcceptConfig{Certificate: certificate(t), Security: c.security})
			done <- err
		}()
		_, err := ours.Write((&rdp.Preconnection{ID: 5, Blob: "vm"}).Append(nil))
		require.NoError(t, err)
		_, err = ours.Write(rdp.AppendTPKT(nil, (&rdp.ConnectionRequest{Cookie: "x", Negotiable: true, Protocols: c.protocols}).Append))
		require.NoError(t, err)
		frame, err := rdp.NewFrameReader(ours).Next()
		require.NoError(t, err)
		var confirm rdp.ConnectionConfirm
		require.NoError(t, confirm.Decode(frame.Payload))
		require.Equal(t, c.failure, confirm.Failure)
		if c.failure == 0 {
			require.Equal(t, c.protocol, confirm.Protocol)
		}
		require.NoError(t, ours.Close())
		err = <-done
		require.Error(t, err)
		require.Equal(t, c.failure != 0, errors.Is(err, ErrNegotiation), "%v", err)
	}
}

// TestNLA signs in at network level with a one-time secret.
func TestNLA(t *testing.T) {
	size := image.Pt(320, 240)
	for _, c := range []struct {
		user, password string
		good           bool
	}{{"t-1", "secret", true}, {"t-1", "wrong", false}, {"t-2", "secret", false}} {
		t.Run(fmt.Sprint(c.user, " ", c.password), func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer func() { _ = l.Close() }()
			r := &room{t: t, addr: l.Addr().String()}
			p := r.join(rdpclient.Config{Size: size, Security: rdpclient.SecurityNLA, Username: c.user, Password: desktop.Secret(c.password)})
			conn, err := l.Accept()
			require.NoError(t, err)
			client, err := Accept(context.Background(), conn, AcceptConfig{
				Certificate: certificate(t), Security: SecurityNLA,
				Lookup: func(_, user string) (ntlm.Hash, bool) { return ntlm.NTHash("secret"), user == "t-1" },
			})
			if !c.good {
				require.ErrorIs(t, err, ErrAuthentication)
				<-p.done
				require.ErrorIs(t, p.err, desktop.ErrAuth)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "t-1", client.Hello.Proved.Username)
			require.Equal(t, desktop.Secret("secret"), client.Hello.Proved.Delegated)
			require.NoError(t, client.Refuse(context.Background(), rdp.ErrorInfoServerDenied))
			<-p.done
			require.ErrorContains(t, p.err, rdp.ErrorInfoServerDenied.String())
		})
	}
}

// TestHalfOpen holds 200 connections open that say nothing, or half of something, and lets a good client in beside them.
func TestHalfOpen(t *testing.T) {
	size := image.Pt(320, 240)
	r := newRoom(t, size, nil)
	r.draw(image.Point{}, noisy(size))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 200 {
		conn, err := net.Dial("tcp", r.addr)
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		_, err = conn.Write([][]byte{nil, {3, 0, 0, 200}, {0, 4, 0, 0}, rdp.AppendTPKT(nil, (&rdp.ConnectionRequest{Negotiable: true, Protocols: rdp.ProtocolTLS}).Append)}[i%4])
		require.NoError(t, err)
	}
	r.join(rdpclient.Config{Size: size}).shows(r, 0)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("200 half-open connections and a good one take %d MB", grown>>20)
	}
}
