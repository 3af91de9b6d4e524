package demotarget

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"io"
	"reflect"
	"testing"
)

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// messages feed both the table test and the fuzz target.
var messages = []struct {
	name string
	wire []byte
	want message // nil: refused
}{
	{"pixel format", cat([]byte{0, 0, 0, 0}, nativeFormat.append(nil)), setPixelFormat{nativeFormat}},
	{"pixel format of 8 bits", cat([]byte{0, 0, 0, 0, 8, 8, 0, 1, 0, 7, 0, 7, 0, 3, 0, 3, 6, 0, 0, 0}), nil},
	{"pixel format shifted out", cat([]byte{0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 25, 3, 6, 0, 0, 0}), nil},
	{"encodings", cat([]byte{2, 0, 0, 2}, be32(16), be32(0xffffff21)), setEncodings{[]int32{16, -223}}},
	{"too many encodings", cat([]byte{2, 0, 0xff, 0xff}, make([]byte, 4*0xffff)), nil},
	{"update request", []byte{3, 1, 0, 1, 0, 2, 0, 3, 0, 4}, updateRequest{true, image.Rect(1, 2, 4, 6)}},
	{"key", cat([]byte{4, 1, 0, 0}, be32(0xff0d)), keyEvent{true, 0xff0d}},
	{"pointer", []byte{5, 5, 0x12, 0x34, 0, 9}, pointerEvent{5, image.Pt(0x1234, 9)}},
	{"cut text", cat([]byte{6, 0, 0, 0}, be32(2), []byte("hi")), cutText{false, []byte("hi")}},
	{"extended cut text", cat([]byte{6, 0, 0, 0}, be32(0xfffffffc), be32(7)), cutText{true, be32(7)}},
	{"huge cut text", cat([]byte{6, 0, 0, 0}, be32(1<<31-1)), nil},
	{"hugest extended cut text", cat([]byte{6, 0, 0, 0}, be32(1<<31)), nil},
	{"desktop size", cat([]byte{251, 0, 2, 0, 1, 0, 1, 0}, make([]byte, 16)), setDesktopSize{image.Pt(512, 256)}},
	{"desktop size without screens", []byte{251, 0, 2, 0, 1, 0, 0, 0}, nil},
	{"unknown", []byte{77}, nil},
}

func TestReadMessage(t *testing.T) {
	for _, m := range messages {
		r := bufio.NewReader(bytes.NewReader(m.wire))
		got, err := readMessage(r)
		if m.want == nil {
			if !errors.Is(err, ErrProtocol) {
				t.Errorf("%s: got %v, %v", m.name, got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, m.want) {
			t.Errorf("%s: got %v, %v, want %v", m.name, got, err, m.want)
		}
		if n := r.Buffered(); n != 0 {
			t.Errorf("%s: %d bytes left", m.name, n)
		}
		for n := range len(m.wire) {
			if _, err := readMessage(bufio.NewReader(bytes.NewReader(m.wire[:n]))); err == nil {
				t.Errorf("%s: %d of %d bytes suffice", m.name, n, len(m.wire))
			}
		}
	}
}

// FuzzViewer plays a viewer that sends anything after the handshake.
func FuzzViewer(f *testing.F) {
	var all []byte
	for _, m := range messages {
		f.Add(m.wire)
		if m.want != nil {
			all = append(all, m.wire...)
		}
	}
	f.Add(all)
	f.Add(cat([]byte{2, 0, 0, 1}, be32(0xC0A1E5CE), appendProvide(nil, "text")))
	f.Fuzz(func(t *testing.T, wire []byte) {
		s, err := New(Options{Size: image.Pt(40, 30)})
		if err != nil {
			t.Fatal(err)
		}
		c := &conn{s: s, wake: make(chan struct{}, 1), out: newOutbox(image.Pt(40, 30))}
		s.conns[c] = struct{}{}
		var e encoder
		r := bufio.NewReader(bytes.NewReader(wire))
		for range 1000 {
			m, err := readMessage(r)
			if err != nil {
				return
			}
			if size, ok := m.(setDesktopSize); ok && size.size.X*size.size.Y > 1<<20 {
				continue // allowed, and slow
			}
			if err := c.handle(m); err != nil {
				return
			}
			batch, err := c.out.take(s, &c.clip)
			if err != nil {
				return
			}
			if _, err := e.encode(&batch); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestPixelOrders(t *testing.T) {
	c := color.RGBA{1, 2, 3, 255}
	for _, test := range []struct {
		f      pixelFormat
		pixel  [4]byte
		cpixel []byte
	}{
		{nativeFormat, [4]byte{3, 2, 1, 0}, []byte{3, 2, 1}},
		{pixelFormat{24, true, 16, 8, 0}, [4]byte{0, 1, 2, 3}, []byte{1, 2, 3}},
		{pixelFormat{24, false, 0, 8, 16}, [4]byte{1, 2, 3, 0}, []byte{1, 2, 3}},
		{pixelFormat{24, false, 24, 16, 8}, [4]byte{0, 3, 2, 1}, []byte{3, 2, 1}},
		{pixelFormat{24, true, 24, 16, 8}, [4]byte{1, 2, 3, 0}, []byte{1, 2, 3}},
		{pixelFormat{32, false, 16, 8, 0}, [4]byte{3, 2, 1, 0}, []byte{3, 2, 1, 0}},
		{pixelFormat{24, false, 24, 8, 0}, [4]byte{3, 2, 0, 1}, []byte{3, 2, 0, 1}},
	} {
		p := test.f.pixel(c)
		from, to := test.f.cpixel()
		if p != test.pixel || !bytes.Equal(p[from:to], test.cpixel) {
			t.Errorf("%+v: pixel % x, cpixel % x", test.f, p, p[from:to])
		}
		back, err := parsePixelFormat(test.f.append(nil))
		if err != nil || back != test.f {
			t.Errorf("%+v came back as %+v, %v", test.f, back, err)
		}
	}
}

func TestProvideRefuses(t *testing.T) {
	// The packed text of a Provide follows type, padding, length and flags.
	packed := func(text string) []byte { return appendProvide(nil, text)[12:] }
	if got, err := readProvide(clipProvide|clipText, packed("a\nb")); got != "a\nb" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	for name, data := range map[string][]byte{
		"empty":     nil,
		"no stream": []byte("hello"),
		"too long":  packed(string(make([]byte, 2<<20))),
		"cut":       packed("hello")[:9],
	} {
		if got, err := readProvide(clipProvide|clipText, data); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if _, err := readProvide(clipProvide, packed("x")); !errors.Is(err, ErrProtocol) {
		t.Errorf("without text: %v", err)
	}
}

func BenchmarkZRLE(b *testing.B) {
	img := image.NewRGBA(image.Rect(0, 0, 1280, 800))
	gradient(img)
	var z zrle
	var buf []byte
	b.SetBytes(int64(len(img.Pix)))
	for b.Loop() {
		var err error
		if buf, err = z.append(buf[:0], img, img.Rect, nativeFormat); err != nil {
			b.Fatal(err)
		}
	}
	_, _ = io.Discard.Write(buf)
	b.ReportMetric(float64(len(buf)), "bytes/frame")
}
