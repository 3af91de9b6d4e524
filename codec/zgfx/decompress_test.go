package zgfx

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// fox is the sample of [MS-RDPEGFX] 4.1.2, and the two messages the specification packs it into.
const (
	fox          = "The quick brown fox jumps over the lazy dog"
	foxSingle    = "\xE0\x04" + fox
	foxMultipart = "\xE1\x03\x00\x2B\x00\x00\x00" +
		"\x11\x00\x00\x00\x04The quick brown " +
		"\x0E\x00\x00\x00\x04fox jumps ove" +
		"\x10\x00\x00\x00\x24\x39\x08\x0E\x91\xF8\xD8\x61\x3D\x1E\x44\x06\x43\x79\x9C\x02"
)

func TestSpecificationSample(t *testing.T) {
	for _, message := range []string{foxSingle, foxMultipart} {
		var d Decompressor
		got, err := d.Decompress([]byte("before "), []byte(message))
		if err != nil || string(got) != "before "+fox {
			t.Errorf("%q: %v", got, err)
		}
	}
	if got := AppendUncompressed(nil, []byte(fox)); string(got) != foxSingle {
		t.Errorf("wrapped as %q", got)
	}
}

// TestCodes sends every literal and both ends of every distance and length.
func TestCodes(t *testing.T) {
	var d Decompressor
	history := make([]byte, 0, HistoryBytes+maxSegmentBytes)
	rng := rand.New(rand.NewPCG(1, 2))
	for len(history) < HistoryBytes {
		history = append(history, byte(rng.Uint32()))
	}
	if _, err := d.Decompress(nil, AppendUncompressed(nil, history)); err != nil {
		t.Fatal(err)
	}
	check := func(name string, w *bitWriter, want []byte) {
		t.Helper()
		got, err := d.Decompress(nil, single(w.segment()))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s: %d bytes, want %d: %v", name, len(got), len(want), err)
		}
		history = append(history, got...)
		history = append(history[:0], history[len(history)-HistoryBytes:]...)
	}
	w := &bitWriter{}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
		w.literal(byte(i))
	}
	check("literals", w, all)

	base := 0
	for _, m := range matches {
		for _, distance := range []int{max(base, 1), min(base+1<<m.value-1, HistoryBytes)} {
			if distance > HistoryBytes {
				continue
			}
			for _, n := range []int{3, 4, 7, 8, 9, 1000, 65535} {
				want := make([]byte, n)
				seen := history[len(history)-distance:]
				for i := range want {
					want[i] = seen[i%distance]
				}
				w := &bitWriter{}
				w.match(distance, n)
				check("match", w, want)
			}
		}
		base += 1 << m.value
	}
}

// TestPlainRun mixes plain bytes, which begin at a whole byte, with codes on both sides.
func TestPlainRun(t *testing.T) {
	w := &bitWriter{}
	w.literal('a')
	w.plain([]byte("bcd"))
	w.match(4, 9)
	w.plain(nil)
	w.literal('!')
	w.plain([]byte("end"))
	var d Decompressor
	got, err := d.Decompress(nil, single(w.segment()))
	if want := "abcdabcdabcda!end"; err != nil || string(got) != want {
		t.Fatalf("%q, want %q: %v", got, want, err)
	}
}

// desktopBytes looks like pixels: runs, repeated rows and noise.
func desktopBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, 0, n)
	for len(b) < n {
		switch k := 1 + rng.IntN(400); rng.IntN(4) {
		case 0:
			b = append(b, bytes.Repeat([]byte{byte(rng.IntN(5)), 0x80, 0xff, 0}, k)...)
		case 1:
			for range k / 4 {
				b = append(b, byte(rng.Uint32()))
			}
		default:
			if len(b) > 0 {
				from := rng.IntN(len(b))
				b = append(b, b[from:min(len(b), from+k)]...)
			}
		}
	}
	return b[:n]
}

// TestRoundTrip sends more than the history holds, in messages of all sizes, packed and plain.
func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var d Decompressor
	c := newCompressor()
	var buf []byte
	for total := 0; total < 3*HistoryBytes; {
		n := 1 + rng.IntN(1000)
		if rng.IntN(4) == 0 {
			n = 1 + rng.IntN(400_000)
		}
		data := desktopBytes(rng, n)
		total += n
		var message []byte
		if rng.IntN(5) == 0 {
			message = AppendUncompressed(nil, data)
			c.history = append(c.history, data...)
		} else {
			message = c.message(data)
		}
		var err error
		if buf, err = d.Decompress(buf[:0], message); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(buf, data) {
			t.Fatalf("a message of %d bytes came back as %d others", n, len(buf))
		}
	}
}

// TestLongMessage is one message longer than the history, which the next refers to.
func TestLongMessage(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	data := desktopBytes(rng, HistoryBytes+100_000)
	var d Decompressor
	if got, err := d.Decompress(nil, AppendUncompressed(nil, data)); err != nil || !bytes.Equal(got, data) {
		t.Fatal(err)
	}
	w := &bitWriter{}
	w.match(HistoryBytes, 50)
	got, err := d.Decompress(nil, single(w.segment()))
	if err != nil || !bytes.Equal(got, data[100_000:][:50]) {
		t.Fatal(err)
	}
}

func TestHistoryBeginsAsZeros(t *testing.T) {
	w := &bitWriter{}
	w.literal('x')
	w.match(3, 5)
	var d Decompressor
	got, err := d.Decompress(nil, single(w.segment()))
	if err != nil || string(got) != "x\x00\x00x\x00\x00" {
		t.Fatalf("%q: %v", got, err)
	}
}

func TestRefuses(t *testing.T) {
	segment := func(fn func(w *bitWriter)) []byte {
		w := &bitWriter{}
		fn(w)
		return w.segment()
	}
	lit := segment(func(w *bitWriter) { w.literal('a') })
	plain := func(n int) []byte { return append([]byte{compressionTypeRDP8}, make([]byte, n)...) }
	for _, c := range []struct {
		name    string
		message []byte
		want    string
	}{
		{"nothing", nil, "empty"},
		{"descriptor", []byte{0xE2, 4, 1}, "descriptor 0xe2"},
		{"no segment", []byte{0xE0}, "segment of 0"},
		{"header only", []byte{0xE0, 0x24}, "segment of 1"},
		{"compression type", single([]byte{0x21, 0, 0}), "type 1"},
		{"plain too long", single(plain(maxSegmentBytes + 1)), "plain bytes exceeds"},
		{"unused bits", single([]byte{0x24, 0, 8}), "8 unused bits"},
		{"unused bits of nothing", single([]byte{0x24, 1}), "1 unused bits"},
		{"code", single([]byte{0x24, 0x80, 0}), "unknown code"},
		{"code 101111111", single([]byte{0x24, 0xBF, 0xFF, 0}), "unknown code"},
		{"cut literal", single([]byte{0x24, 0x41, 0}), "lacks 1 bits"},
		{"cut distance", single([]byte{0x24, 0x89, 3}), "lacks"},
		{"cut length", single(append(segment(func(w *bitWriter) { w.match(40, 1<<14) })[:4], 0)), "lacks"},
		{"distance", single(segment(func(w *bitWriter) { w.match(HistoryBytes+1, 3) })), "distance 2500001"},
		{"length", single(segment(func(w *bitWriter) { w.literal('a'); w.match(1, 1<<16) })), "exceeds 65536"},
		{"length of ones", single(segment(func(w *bitWriter) { w.match(1, 1<<17) })), "length of more"},
		{"segment", single(segment(func(w *bitWriter) {
			for range 3 {
				w.match(1, 1<<15)
			}
		})), "exceeds 65536"},
		{"literal after a full segment", single(segment(func(w *bitWriter) { w.match(1, 1<<16); w.literal(0) })), "exceeds 65536"},
		{"plain run after a full segment", single(segment(func(w *bitWriter) { w.match(1, 1<<16); w.plain([]byte{1}) })), "exceeds 65536"},
		{"plain run past the end", single(segment(func(w *bitWriter) { w.distance(0); w.write(9, 15); w.free = 0 })), "9 plain bytes"},
		{"multipart header", []byte{0xE1, 1, 0, 1, 0, 0}, "header of 5"},
		{"segmentCount", append(multipart(5), 1, 2, 3)[:8:8], "5 of 0 segments"},
		{"segmentCount beyond the data", []byte{0xE1, 0xff, 0xff, 1, 0, 0, 0, 2, 0, 0, 0, 0x24, 0}, "segmentCount 65535"},
		{"uncompressedSize over the cap", multipart(MaxMessageBytes+1, lit), "exceeds 75497472"},
		{"uncompressedSize of too few segments", multipart(maxSegmentBytes+1, lit), "65537 of 1 segments"},
		{"uncompressedSize too large", multipart(2, lit), "1 bytes, not uncompressedSize 2"},
		{"uncompressedSize too small", multipart(1, lit, lit), "exceed uncompressedSize 1"},
		{"missing segment", append([]byte{0xE1, 2, 0, 9, 0, 0, 0, 10, 0, 0, 0}, plain(9)...), "segment 1 of 2 is missing"},
		{"segment beyond the data", []byte{0xE1, 1, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 4, 1}, "segment 0 of 4294967295"},
		{"bytes left over", append(multipart(1, lit), 0), "1 bytes after"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Decompressor
			got, err := d.Decompress(nil, c.message)
			if !errors.Is(err, ErrData) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%d bytes and %v, want %q", len(got), err, c.want)
			}
		})
	}
}

func TestCapFollowsTheDesktop(t *testing.T) {
	if least := 4*desktop.MaxPixels + 64<<10; MaxMessageBytes < least {
		t.Errorf("MaxMessageBytes %d is less than a whole desktop, %d", MaxMessageBytes, least)
	}
}

func FuzzDecompress(f *testing.F) {
	f.Add([]byte(foxSingle), []byte(foxMultipart))
	rng := rand.New(rand.NewPCG(7, 8))
	c := newCompressor()
	f.Add(c.message(desktopBytes(rng, 3000)), c.message(desktopBytes(rng, 3000)))
	f.Add(c.message(desktopBytes(rng, 300)), AppendUncompressed(nil, desktopBytes(rng, 200)))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var d Decompressor
		var buf []byte
		for _, message := range [][]byte{a, b} {
			got, err := d.Decompress(buf, message)
			if err != nil {
				if !errors.Is(err, ErrData) {
					t.Fatal(err)
				}
				return
			}
			if len(got) > MaxMessageBytes {
				t.Fatalf("%d bytes", len(got))
			}
			// What came out goes in again, plain.
			var other Decompressor
			again, err := other.Decompress(nil, AppendUncompressed(nil, got))
			if len(got) > 0 && (err != nil || !bytes.Equal(again, got)) {
				t.Fatalf("%d bytes came back as %d: %v", len(got), len(again), err)
			}
			buf = got[:0]
		}
	})
}

func BenchmarkDecompress(b *testing.B) {
	rng := rand.New(rand.NewPCG(9, 10))
	data := desktopBytes(rng, 4<<20)
	noise := make([]byte, 4<<20)
	for i := range noise {
		noise[i] = byte(rng.IntN(64)) // literals of nine bits mostly
	}
	for _, c := range []struct {
		name    string
		message []byte
	}{
		{"desktop", newCompressor().message(data)},
		{"literals", newCompressor().message(noise)},
		{"zeros", newCompressor().message(make([]byte, 4<<20))},
		{"plain", AppendUncompressed(nil, data)},
	} {
		b.Run(c.name, func(b *testing.B) {
			var d Decompressor
			buf, err := d.Decompress(nil, c.message)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(buf)))
			b.ReportMetric(float64(len(buf))/float64(len(c.message)), "ratio")
			b.ReportAllocs()
			for b.Loop() {
				if buf, err = d.Decompress(buf[:0], c.message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
