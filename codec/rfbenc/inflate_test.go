package rfbenc

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// inflateAll feeds chunks as rectangles and takes want bytes of each.
func inflateAll(z *inflater, chunks [][]byte, want []int, step int) ([]byte, error) {
	var out []byte
	for i, c := range chunks {
		z.begin(c)
		for left := want[i]; left > 0; {
			b, err := z.peek(min(left, step))
			if err != nil {
				return out, err
			}
			if len(b) == 0 {
				return out, io.ErrUnexpectedEOF
			}
			n := min(len(b), left, step)
			out = append(out, b[:n]...)
			z.advance(n)
			left -= n
		}
		if err := z.end(); err != nil {
			return out, err
		}
	}
	return out, nil
}

func testData(n int, rnd *rand.Rand, alphabet int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; {
		if i > 0 && rnd.IntN(3) > 0 {
			dist := 1 + rnd.IntN(min(i, 1<<rnd.IntN(16)))
			for range min(1+rnd.IntN(400), n-i) {
				b[i] = b[i-dist]
				i++
			}
			continue
		}
		for range min(rnd.IntN(60), n-i) {
			b[i] = byte(rnd.IntN(alphabet))
			i++
		}
	}
	return b
}

func TestInflateStream(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		for _, alphabet := range []int{1, 2, 17, 256} {
			t.Run(fmt.Sprintf("level %d alphabet %d", level, alphabet), func(t *testing.T) {
				zs := newZstream(level)
				var z inflater
				z.reset()
				var chunks [][]byte
				var sizes []int
				var want []byte
				for range 20 {
					data := testData(1<<rnd.IntN(16), rnd, alphabet)
					chunks = append(chunks, zs.flush(data))
					sizes = append(sizes, len(data))
					want = append(want, data...)
				}
				got, err := inflateAll(&z, chunks, sizes, 1+rnd.IntN(maxPeek))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Fatal("data differs")
				}
			})
		}
	}
}

// partialFlush is a stream flushed with Z_PARTIAL_FLUSH, which leaves bits of the first rectangle's last block
// to the second. Made with zlib's deflate.
var partialFlush = [][]byte{
	{0x78, 0x9c, 0x4a, 0x4c, 0x4a, 0x4e, 0x49, 0x4d, 0x4b, 0x44, 0x22, 0x01, 0x02},
	{0xa8, 0xa0, 0xb0, 0xa8, 0xb8, 0xa4, 0xb4, 0xac, 0x1c, 0x95, 0x07, 0x10},
}

func TestInflatePartialFlush(t *testing.T) {
	const first, second = "abcdefabcdefabcdef", "pqrstuvwabcdefpqrstuvw"
	var z inflater
	got, err := inflateAll(&z, partialFlush, []int{len(first), len(second)}, 5)
	if err != nil || string(got) != first+second {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestInflateMalformed(t *testing.T) {
	deflated := func(body ...byte) []byte { return append([]byte{0x78, 0x9c}, body...) }
	for _, c := range []struct {
		name string
		in   []byte
	}{
		{"header method", []byte{0x77, 0x9c}},
		{"header window", []byte{0x88, 0x1c}},
		{"header check", []byte{0x78, 0x9d}},
		{"header dictionary", []byte{0x78, 0xbb}},
		{"block type 3", deflated(0x07)},
		{"stored lengths", deflated(0x00, 5, 0, 5, 0)},
		{"distance before start", deflated(0x4b, 0x04, 0x12, 0x00)},
		{"distance before start, more behind", deflated(append([]byte{0x4b, 0x04, 0x12, 0x00}, make([]byte, 40)...)...)},
		{"dynamic header cut", deflated(0x04, 0xc0)},
		{"too many literal codes", deflated(0xfc, 0xff, 0xff, 0xff)},
		{"oversubscribed", deflated(0x04, 0x40, 0x92, 0x24, 0x49, 0x92, 0x24, 0x49, 0x92, 0x24)},
		{"left over", newZstream(6).flush([]byte("more than a byte"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			var z inflater
			z.reset()
			_, err := inflateAll(&z, [][]byte{c.in}, []int{1}, 1)
			if !errors.Is(err, ErrData) {
				t.Fatalf("error %v, want ErrData", err)
			}
		})
	}
}

// FuzzInflate compares with compress/zlib: what one accepts and the other refuses may differ only in what
// zlib checks behind the last block.
func FuzzInflate(f *testing.F) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, level := range []int{0, 1, 6, flate.HuffmanOnly} {
		zs := newZstream(level)
		f.Add(append(zs.flush(testData(300, rnd, 20)), zs.flush(testData(50, rnd, 200))...), uint8(7))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint8) {
		const limit = 1 << 20
		r, err := zlib.NewReader(bytes.NewReader(in))
		var want []byte
		if err == nil {
			want, err = io.ReadAll(io.LimitReader(r, limit))
		}
		var z inflater
		z.reset()
		z.begin(in)
		var got []byte
		var zerr error
		for len(got) < limit {
			var b []byte
			if b, zerr = z.peek(1 + int(cut)*128); zerr != nil || len(b) == 0 {
				break
			}
			n := min(len(b), limit-len(got))
			got = append(got, b[:n]...)
			z.advance(n)
		}
		// compress/flate holds back what its window holds when it meets an error.
		if n := min(len(got), len(want)); !bytes.Equal(got[:n], want[:n]) {
			t.Fatal("data differs")
		}
		if zerr == nil && len(got) < len(want) {
			t.Fatalf("%d bytes, want %d", len(got), len(want))
		}
		if err == nil && zerr != nil && len(want) < limit {
			t.Fatalf("refused what zlib accepts: %v", zerr)
		}
		if zerr != nil && !errors.Is(zerr, ErrData) {
			t.Fatalf("error %v does not wrap ErrData", zerr)
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	p := desktopPicture(1920, 1080)
	for _, kind := range []struct {
		name string
		data []byte
	}{
		{"pixels", encodeRaw(p, p.bounds())},
		{"tiles", zrleTiles(p, p.bounds(), zrleAuto)},
	} {
		packed := newZstream(1).flush(kind.data)
		b.Run(kind.name+"/ours", func(b *testing.B) {
			b.SetBytes(int64(len(kind.data)))
			var z inflater
			for b.Loop() {
				z.reset()
				z.begin(packed)
				for left := len(kind.data); left > 0; {
					p, err := z.peek(1)
					if err != nil || len(p) == 0 {
						b.Fatal(err)
					}
					left -= len(p)
					z.advance(len(p))
				}
			}
		})
		b.Run(kind.name+"/std", func(b *testing.B) {
			b.SetBytes(int64(len(kind.data)))
			buf := make([]byte, 32<<10)
			r, _ := zlib.NewReader(bytes.NewReader(packed))
			for b.Loop() {
				r.(zlib.Resetter).Reset(bytes.NewReader(packed), nil)
				for left := len(kind.data); left > 0; {
					n, err := r.Read(buf[:min(len(buf), left)])
					if err != nil {
						b.Fatal(err)
					}
					left -= n
				}
			}
		})
	}
}
