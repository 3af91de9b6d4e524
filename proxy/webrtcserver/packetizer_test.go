package webrtcserver

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pion/rtp/codecs"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

// unpack undoes payloads with pion's depacketizer.
func unpack(t *testing.T, payloads [][]byte) [][]byte {
	t.Helper()
	var out []byte
	d := &codecs.H264Packet{}
	for _, p := range payloads {
		nals, err := d.Unmarshal(p)
		require.NoError(t, err)
		out = append(out, nals...)
	}
	return slices.Collect(h264.SplitNALs(out))
}

func packetsOf(t *testing.T, p *packetizer, unit []byte) [][]byte {
	t.Helper()
	var payloads [][]byte
	last := false
	for payload, l := range p.payloads(unit) {
		require.False(t, last, "nothing follows the last")
		require.LessOrEqual(t, len(payload), maxPayloadBytes)
		payloads, last = append(payloads, bytes.Clone(payload)), l
	}
	require.Equal(t, len(payloads) > 0, last)
	return payloads
}

func TestPacketizer(t *testing.T) {
	var p packetizer
	for _, c := range []struct {
		sizes   []int
		packets int
	}{
		{[]int{1}, 1},
		{[]int{maxPayloadBytes}, 1},
		{[]int{maxPayloadBytes + 1}, 2},
		{[]int{1 + 2*(maxPayloadBytes-2)}, 2},
		{[]int{2 + 2*(maxPayloadBytes-2)}, 3},
		{[]int{20, 5}, 1},
		{[]int{20, 5, 100, 300}, 1},
		{[]int{20, 5, 100, 3000}, 1 + 3},
		{[]int{20, 5, 100, maxPayloadBytes - 1}, 2},
		{[]int{maxPayloadBytes - 5, 2, 2}, 2},
		{[]int{3000, 10, 10, 3000}, 3 + 1 + 3},
	} {
		au := unit(0, c.sizes...)
		payloads := packetsOf(t, &p, au.Data)
		require.Len(t, payloads, c.packets, "%v", c.sizes)
		require.Equal(t, slices.Collect(h264.SplitNALs(au.Data)), unpack(t, payloads), "%v", c.sizes)
	}
	require.Empty(t, packetsOf(t, &p, nil))
}

func TestPacketizerCanBeStopped(t *testing.T) {
	var p packetizer
	for range p.payloads(unit(0, 20, 5, 9, 3000).Data) {
		break
	}
	n := 0
	for range p.payloads(unit(0, 9000).Data) {
		if n++; n == 2 {
			break
		}
	}
	require.Equal(t, 2, n)
}

func FuzzPacketizer(f *testing.F) {
	for _, sizes := range [][]int{{1}, {20, 5, 9, 4000}, {maxPayloadBytes, maxPayloadBytes + 1}} {
		f.Add(unit(0, sizes...).Data)
	}
	f.Add([]byte{0, 0, 1})
	f.Add([]byte{0, 0, 0, 1, 0x65, 0, 0, 0, 0, 1, 0x41})
	f.Fuzz(func(t *testing.T, data []byte) {
		var p packetizer
		payloads := packetsOf(t, &p, data)
		want := slices.Collect(h264.SplitNALs(data))
		for _, nal := range want {
			if t := nal[0] & nalTypeMask; t >= nalSTAPA || t == 0 || nal[0]&0x80 != 0 {
				return // not NAL units an encoder makes: their types have meanings in RTP
			}
		}
		require.Equal(t, want, unpack(t, payloads))
	})
}
