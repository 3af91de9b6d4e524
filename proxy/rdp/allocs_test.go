package rdp

import (
	"bytes"
	"image"
	"io"
	"testing"
)

// discard takes everything and keeps nothing.
type discard struct{ bits, markers int }

func (d *discard) SurfaceBits(SurfaceBits) error { d.bits++; return nil }
func (d *discard) FrameMarker(FrameMarker) error { d.markers++; return nil }

// loop is a stream that never ends.
type loop struct {
	b  []byte
	at int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.b[l.at:])
	l.at = (l.at + n) % len(l.b)
	return n, nil
}

// What runs for every PDU of a picture allocates nothing once buffers have grown: xrdp sends an update for each tile.
func TestHotPathsDoNotAllocate(t *testing.T) {
	bitmap := Bitmap{Dest: image.Rect(0, 0, 64, 64), Width: 64, Height: 64, BitsPerPixel: 32, Compressed: true, Data: make([]byte, 100)}
	bitmapUpdate := AppendBitmaps(nil, []Bitmap{bitmap, bitmap, bitmap})
	bits := SurfaceBits{Dest: image.Rect(0, 0, 64, 64), Width: 64, Height: 64, BitsPerPixel: 32, CodecID: 3, Data: make([]byte, 4*maxFragment)}
	commands := FrameMarker{End: true}.Append(bits.Append(FrameMarker{}.Append(nil)))
	stream := AppendUpdate(nil, Update{UpdateSurfaceCommands, commands})
	stream = AppendUpdate(stream, Update{UpdateBitmap, bitmapUpdate})

	frames := NewFrameReader(&loop{b: stream})
	var parts Fragments
	var taken discard
	count := 0
	takeBitmap := func(Bitmap) error { count++; return nil }
	takeUpdate := func(u Update) error {
		if u.Code == UpdateBitmap {
			return DecodeBitmaps(u.Data, takeBitmap)
		}
		return DecodeSurfaceCommands(u.Data, &taken)
	}
	input := AppendFastPathInput(nil, []InputEvent{{Kind: InputMouse, Flags: MouseMove, X: 1}, {Kind: InputScancode, Code: 2}})
	takeInput := func(InputEvent) error { count++; return nil }
	data := AppendChannelData(nil, MCSSendDataIndication, 1002, 1003, func(b []byte) []byte { return append(b, 1, 2, 3) })[tpktHeader:]
	buf := make([]byte, 0, 1024)
	for name, fn := range map[string]func() error{
		"bitmap update":    func() error { return DecodeBitmaps(bitmapUpdate, takeBitmap) },
		"surface commands": func() error { return DecodeSurfaceCommands(commands, &taken) },
		"fast-path input":  func() error { return DecodeFastPathInput(input[0], input[3:], takeInput) },
		"data on a channel": func() error {
			b, err := DecodeX224Data(data)
			if err != nil {
				return err
			}
			var p DomainPDU
			return p.Decode(b)
		},
		"writing input": func() error {
			buf = AppendFastPathInput(buf[:0], []InputEvent{{Kind: InputMouse, X: 1}})
			return nil
		},
		"stream of fragments": func() error {
			for before := taken.markers; taken.markers == before; {
				frame, err := frames.Next()
				if err != nil {
					return err
				}
				if err := parts.Decode(frame.Header, frame.Payload, takeUpdate); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, func() {
				if err := fn(); err != nil {
					t.Fatal(err)
				}
			}); n > 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
	if count == 0 || taken.bits == 0 {
		t.Error("nothing was decoded")
	}
}

func BenchmarkFastPath(b *testing.B) {
	bits := SurfaceBits{Dest: image.Rect(0, 0, 64, 64), Width: 64, Height: 64, BitsPerPixel: 32, CodecID: 3, Data: make([]byte, 1<<20)}
	stream := AppendUpdate(nil, Update{UpdateSurfaceCommands, bits.Append(nil)})
	b.SetBytes(int64(len(stream)))
	var parts Fragments
	var taken discard
	for b.Loop() {
		f := NewFrameReader(bytes.NewReader(stream))
		for {
			frame, err := f.Next()
			if err == io.EOF { //nolint:errorlint // between PDUs it is bare
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			if err := parts.Decode(frame.Header, frame.Payload, func(u Update) error { return DecodeSurfaceCommands(u.Data, &taken) }); err != nil {
				b.Fatal(err)
			}
		}
	}
}
