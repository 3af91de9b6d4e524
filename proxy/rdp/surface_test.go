package rdp

import (
	"errors"
	"image"
	"testing"
)

func surfacePDUs(t testing.TB) []pduCase {
	bits := SurfaceBits{Dest: image.Rect(1, 2, 65, 34), Width: 64, Height: 32, BitsPerPixel: 32, CodecID: 3, Data: []byte{7, 8}}
	return []pduCase{
		{name: "frame", bytes: unhex(t, `0400 0000 05000000
			0100 0100 0200 4100 2200 20 00 00 03 4000 2000 02000000 0708
			0400 0100 05000000`), pdu: &surface{[]any{FrameMarker{Frame: 5}, bits, FrameMarker{End: true, Frame: 5}}}},
		{
			name: "stream bits", bytes: unhex(t, "0600 0100 0200 4100 2200 20 00 00 03 4000 2000 02000000 0708"), once: true,
			pdu: &surface{[]any{bits}},
		},
		{name: "extended header", bytes: append(append(unhex(t, "0100 0100 0200 4100 2200 20 01 00 03 4000 2000 02000000"),
			make([]byte, 24)...), 7, 8), once: true, pdu: &surface{[]any{bits}}},
		{name: "marker without a number", bytes: unhex(t, "0400 0100"), once: true, pdu: &surface{[]any{FrameMarker{End: true}}}},
		{name: "nothing", bytes: nil, pdu: &surface{}},
	}
}

func TestSurfaceMalformed(t *testing.T) {
	s := &surface{}
	refuseAll(t, []malformed{
		{"unknown command", s, unhex(t, "0200"), "command 2 is not known"},
		{"half a command", s, unhex(t, "01"), "TS_SURFCMD"},
		{"picture of 4 GB", s, unhex(t, "0100 0000 0000 0100 0100 20 00 00 00 0100 0100 ffffffff 00"), "picture of 4294967295 bytes, 1 left"},
		{"picture beyond the end", s, unhex(t, "0100 0000 0000 0100 0100 20 00 00 00 0100 0100 02000000 00"), "picture of 2 bytes, 1 left"},
		{"extended header cut", s, unhex(t, "0100 0000 0000 0100 0100 20 01 00 00 0100 0100 00000000"), "24 bytes wanted"},
		{"no width", s, unhex(t, "0100 0100 0000 0100 0100 20 00 00 00 0100 0100 00000000"), "rectangle from 1,0 to 1,1"},
		{"bottom before top", s, unhex(t, "0100 0000 0200 0100 0100 20 00 00 00 0100 0100 00000000"), "rectangle from 0,2 to 1,1"},
		{"frame action 2", s, unhex(t, "0400 0200 00000000"), "frame action 2"},
		{"marker cut", s, unhex(t, "0400 0100 0000"), "TS_SURFCMD"},
	})
}

// failing refuses one kind of command.
type failing struct {
	surface
	bits, marker error
}

func (f *failing) SurfaceBits(SurfaceBits) error { return f.bits }
func (f *failing) FrameMarker(FrameMarker) error { return f.marker }

func TestSurfaceHandlerError(t *testing.T) {
	stop := errors.New("stop")
	b := surfacePDUs(t)[0].bytes
	if err := DecodeSurfaceCommands(b, &failing{bits: stop}); !errors.Is(err, stop) {
		t.Errorf("bits: %v", err)
	}
	if err := DecodeSurfaceCommands(b, &failing{marker: stop}); !errors.Is(err, stop) {
		t.Errorf("marker: %v", err)
	}
}
