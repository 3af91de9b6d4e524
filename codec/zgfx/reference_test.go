package zgfx

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/internal/freerdpref"
)

// TestAgainstFreeRDP gives libfreerdp's decompressor the same messages: it finds in them what we do.
func TestAgainstFreeRDP(t *testing.T) {
	ref := freerdpref.Start(t)
	rng := rand.New(rand.NewPCG(11, 12))
	c := newCompressor()
	var d Decompressor
	for range 40 {
		data := desktopBytes(rng, 1+rng.IntN(200_000))
		message := c.message(data)
		got, err := d.Decompress(nil, message)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("ours: %d bytes of %d: %v", len(got), len(data), err)
		}
		res, err := ref.Decode(freerdpref.Job{Codec: freerdpref.ZGFX, Items: []freerdpref.Item{{Data: message}}})
		if err != nil || !bytes.Equal(res.Out, data) {
			t.Fatalf("theirs: %d bytes of %d: %v", len(res.Out), len(data), err)
		}
	}
	wrapped, err := ref.EncodeBytes(freerdpref.ZGFX, []byte(fox))
	if err != nil {
		t.Fatal(err)
	}
	var fresh Decompressor
	if got, err := fresh.Decompress(nil, wrapped); err != nil || string(got) != fox {
		t.Fatalf("theirs, unpacked by us: %q: %v", got, err)
	}
}

// BenchmarkFreeRDP is libfreerdp's time for the message of BenchmarkDecompress/desktop.
func BenchmarkFreeRDP(b *testing.B) {
	ref := freerdpref.Start(b)
	data := desktopBytes(rand.New(rand.NewPCG(9, 10)), 4<<20)
	message := newCompressor().message(data)
	b.SetBytes(int64(len(data)))
	res, err := ref.Decode(freerdpref.Job{Codec: freerdpref.ZGFX, Items: []freerdpref.Item{{Data: message}}, Repeat: b.N})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(res.Took.Nanoseconds()), "ns/op")
	b.ReportMetric(float64(len(data))/res.Took.Seconds()/1e6, "MB/s")
}
