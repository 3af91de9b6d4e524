package rfbenc

import (
	"bytes"
	"testing"
)

// Unpacking writes every pixel of any number of them and nothing beyond.
func TestUnpack(t *testing.T) {
	for _, c := range []struct {
		name   string
		unpack func(row, src []byte)
		red    int // where a pixel's red is
	}{{"RGB", unpackRGB, 0}, {"BGR", unpackBGR, 2}} {
		for n := range 41 {
			src := make([]byte, 3*n)
			for i := range src {
				src[i] = byte(7*i + 129)
			}
			want := bytes.Repeat([]byte{0xa5}, 4*n+8)
			got := bytes.Clone(want)
			for i := range n {
				want[4*i], want[4*i+1], want[4*i+2], want[4*i+3] = src[3*i+2-c.red], src[3*i+1], src[3*i+c.red], 0
			}
			c.unpack(got[:4*n], src)
			if !bytes.Equal(got, want) {
				t.Errorf("%s, %d pixels: %x, want %x", c.name, n, got, want)
			}
		}
	}
}
