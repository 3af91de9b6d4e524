package rdp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// pdu is what all tables and fuzz targets work with. The adapters below give it to what has another form: functions that
// call back, and PDUs that Decode reads behind a header.
type pdu interface {
	Append(b []byte) []byte
	Decode(b []byte) error
}

func fresh(p pdu) pdu {
	n := reflect.New(reflect.TypeOf(p).Elem()).Interface().(pdu)
	if p, ok := p.(*pointer); ok { // its code is not in the bytes
		n.(*pointer).code = p.code
	}
	return n
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// example returns an example of [MS-RDPBCGR] section 4 from testdata/examples.txt.
func example(t testing.TB, section string) []byte {
	t.Helper()
	all, err := os.ReadFile("testdata/examples.txt")
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(all), "\n-- ") {
		title, body, _ := strings.Cut(part, "\n")
		if strings.HasPrefix(title, section+" ") {
			return unhex(t, body)
		}
	}
	t.Fatalf("no example %s", section)
	return nil
}

// tpkt returns the payload of the one PDU in b.
func tpkt(t testing.TB, b []byte) []byte {
	t.Helper()
	f := NewFrameReader(bytes.NewReader(b))
	frame, err := f.Next()
	if err != nil || frame.FastPath || f.Buffered() > 0 {
		t.Fatalf("frame %+v, %d bytes behind it: %v", frame, f.Buffered(), err)
	}
	return frame.Payload
}

// x224 returns the payload of the X.224 data TPDU in the TPKT in b.
func x224(t testing.TB, b []byte) []byte {
	t.Helper()
	data, err := DecodeX224Data(tpkt(t, b))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// dataTPDU is AppendX224Data and DecodeX224Data, behind the TPKT header.
type dataTPDU struct{ payload []byte }

func (d *dataTPDU) Append(b []byte) []byte {
	return append(b, AppendX224Data(nil, func(b []byte) []byte { return append(b, d.payload...) })[tpktHeader:]...)
}

func (d *dataTPDU) Decode(b []byte) (err error) {
	d.payload, err = DecodeX224Data(b)
	return err
}

// connectInitial and connectResponse are the MCS connect PDUs with settings blocks in them.
type (
	connectInitial  struct{ blocks []byte }
	connectResponse struct{ blocks []byte }
)

func (c *connectInitial) Append(b []byte) []byte {
	return AppendConnectInitial(b, func(b []byte) []byte { return append(b, c.blocks...) })
}

func (c *connectInitial) Decode(b []byte) (err error) {
	c.blocks, err = DecodeConnectInitial(b)
	return err
}

func (c *connectResponse) Append(b []byte) []byte {
	return AppendConnectResponse(b, func(b []byte) []byte { return append(b, c.blocks...) })
}

func (c *connectResponse) Decode(b []byte) (err error) {
	c.blocks, err = DecodeConnectResponse(b)
	return err
}

// secured decodes a security header with the flag, then the rest with decode.
func secured(b []byte, flag uint16, decode func(b []byte) error) error {
	flags, rest, err := DecodeSecurityHeader(b)
	if err == nil && flags&flag == 0 {
		err = wire.Errorf("security flags %#x without %#x", flags, flag)
	}
	if err != nil {
		return err
	}
	return decode(rest)
}

type heartbeat struct{ Heartbeat }

func (h *heartbeat) Decode(b []byte) error { return secured(b, SecHeartbeat, h.Heartbeat.Decode) }

type rttRequestPDU struct{ RTTRequest }

func (q *rttRequestPDU) Decode(b []byte) error {
	return secured(b, SecAutodetectReq, func(b []byte) error {
		ok, err := q.RTTRequest.Decode(b)
		if err == nil && !ok {
			err = wire.Errorf("a request that wants no answer")
		}
		return err
	})
}

type clientInfo struct{ ClientInfo }

func (c *clientInfo) Decode(b []byte) error { return secured(b, SecInfoPacket, c.ClientInfo.Decode) }

// sharePDUs are all share control PDUs of one MCS PDU.
type sharePDUs struct{ list []SharePDU }

func (s *sharePDUs) Append(b []byte) []byte {
	for _, p := range s.list {
		b = AppendShareControl(b, p.Kind, p.Source, func(b []byte) []byte { return append(b, p.Body...) })
	}
	return b
}

func (s *sharePDUs) Decode(b []byte) error {
	s.list = nil
	for {
		p, rest, ok, err := DecodeShareControl(b)
		if err != nil {
			return err
		}
		if !ok {
			return nil
		}
		if len(rest) >= len(b) {
			panic(fmt.Sprintf("%d bytes left of %d", len(rest), len(b)))
		}
		s.list, b = append(s.list, p), rest
	}
}

// dataPDU is a share data PDU in its share control PDU.
type dataPDU struct {
	source uint16
	DataPDU
}

func (d *dataPDU) Append(b []byte) []byte {
	return AppendShareData(b, d.Kind, d.source, d.ShareID, func(b []byte) []byte { return append(b, d.Body...) })
}

func (d *dataPDU) Decode(b []byte) error {
	p, rest, ok, err := DecodeShareControl(b)
	if err != nil {
		return err
	}
	if !ok || p.Kind != ShareData || len(rest) > 0 {
		return wire.Errorf("kind %d, %d bytes behind it", p.Kind, len(rest))
	}
	d.source = p.Source
	return d.DataPDU.Decode(p.Body)
}

// updates are the whole updates of a stream of fast-path output PDUs.
type updates struct{ list []Update }

func (u *updates) Append(b []byte) []byte {
	for _, one := range u.list {
		b = AppendUpdate(b, one)
	}
	return b
}

func (u *updates) Decode(b []byte) error {
	u.list = nil
	f := NewFrameReader(bytes.NewReader(b))
	var parts Fragments
	for {
		frame, err := f.Next()
		if err == io.EOF { //nolint:errorlint // between PDUs it is bare
			return nil
		}
		if err != nil {
			return err
		}
		if !frame.FastPath {
			return wire.Errorf("not fast-path")
		}
		err = parts.Decode(frame.Header, frame.Payload, func(one Update) error {
			u.list = append(u.list, Update{one.Code, bytes.Clone(one.Data)})
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// bitmaps is a bitmap update.
type bitmaps struct{ list []Bitmap }

func (m *bitmaps) Append(b []byte) []byte { return AppendBitmaps(b, m.list) }

func (m *bitmaps) Decode(b []byte) error {
	m.list = nil
	return DecodeBitmaps(b, func(one Bitmap) error {
		m.list = append(m.list, one)
		return nil
	})
}

// surface is a surface commands update: SurfaceBits and FrameMarkers.
type surface struct{ list []any }

func (s *surface) SurfaceBits(c SurfaceBits) error { s.list = append(s.list, c); return nil }
func (s *surface) FrameMarker(c FrameMarker) error { s.list = append(s.list, c); return nil }

func (s *surface) Append(b []byte) []byte {
	for _, c := range s.list {
		switch c := c.(type) {
		case SurfaceBits:
			b = c.Append(b)
		case FrameMarker:
			b = c.Append(b)
		}
	}
	return b
}

func (s *surface) Decode(b []byte) error {
	s.list = nil
	return DecodeSurfaceCommands(b, s)
}

// pointer is a pointer update of a code.
type pointer struct {
	code UpdateCode
	PointerShape
}

func (p *pointer) Append(b []byte) []byte { return p.PointerShape.Append(p.code, b) }
func (p *pointer) Decode(b []byte) error  { return p.PointerShape.Decode(p.code, b) }

// fastInput is a fast-path input PDU, slowInput the body of a slow-path one.
type (
	fastInput struct{ events []InputEvent }
	slowInput struct{ events []InputEvent }
)

func (i *fastInput) Append(b []byte) []byte { return AppendFastPathInput(b, i.events) }

func (i *fastInput) Decode(b []byte) error {
	i.events = nil
	f := NewFrameReader(bytes.NewReader(b))
	frame, err := f.Next()
	switch {
	case err == io.EOF: //nolint:errorlint // between PDUs it is bare
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case !frame.FastPath || f.Buffered() > 0:
		return wire.Errorf("fast-path %v, %d bytes behind it", frame.FastPath, f.Buffered())
	}
	return DecodeFastPathInput(frame.Header, frame.Payload, i.add)
}

func (i *fastInput) add(e InputEvent) error { i.events = append(i.events, e); return nil }

func (i *slowInput) Append(b []byte) []byte { return AppendInput(b, i.events) }

func (i *slowInput) Decode(b []byte) error {
	i.events = nil
	return DecodeInput(b, func(e InputEvent) error { i.events = append(i.events, e); return nil })
}

// errorInfo is the body of a Set Error Info PDU, control of a Control PDU, frameAck of a Frame Acknowledge PDU.
type (
	errorInfo struct{ code ErrorInfo }
	control   struct{ action ControlAction }
	frameAck  struct{ frame uint32 }
)

func (e *errorInfo) Append(b []byte) []byte      { return e.code.Append(b) }
func (e *errorInfo) Decode(b []byte) (err error) { e.code, err = DecodeErrorInfo(b); return err }
func (c *control) Append(b []byte) []byte        { return AppendControl(b, c.action, 0, 0) }
func (c *control) Decode(b []byte) (err error)   { c.action, err = DecodeControl(b); return err }
func (a *frameAck) Append(b []byte) []byte       { return AppendFrameAcknowledge(b, a.frame) }
func (a *frameAck) Decode(b []byte) (err error)  { a.frame, err = DecodeFrameAcknowledge(b); return err }
