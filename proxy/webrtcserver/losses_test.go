package webrtcserver

import (
	"math/rand/v2"
	"testing"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/require"
)

// reportOf tells of packets, of which some did not come.
func reportOf(came ...bool) *rtcp.TransportLayerCC {
	r := &rtcp.TransportLayerCC{PacketStatusCount: uint16(len(came))}
	symbols := make([]uint16, 14) // a chunk has room for so many, used or not
	for i, c := range came {
		if c {
			symbols[i] = rtcp.TypeTCCPacketReceivedSmallDelta
		}
	}
	r.PacketChunks = []rtcp.PacketStatusChunk{&rtcp.StatusVectorChunk{SymbolList: symbols}}
	return r
}

func TestLossShare(t *testing.T) {
	var s lossShare
	s.hear(&rtcp.TransportLayerCC{PacketStatusCount: 1000, PacketChunks: []rtcp.PacketStatusChunk{
		&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketNotReceived, RunLength: 500},
		&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedLargeDelta, RunLength: 8191}, // beyond the report
	}})
	require.InDelta(t, 0.5, float64(s), 0.001)
	s.hear(&rtcp.TransportLayerCC{})
	require.InDelta(t, 0.5, float64(s), 0.001, "a report of nothing")

	const reports = 2000
	random := rand.New(rand.NewPCG(1, 2))
	calm := func(loss float64) (share float64) {
		s, n := lossShare(loss), 0
		for range reports {
			var came []bool
			for range 10 {
				came = append(came, random.Float64() >= loss)
			}
			if s.hear(reportOf(came...)); s < lossy {
				n++
			}
		}
		return float64(n) / reports
	}
	require.Greater(t, calm(0.05), 0.97, "what is lost by chance is not congestion")
	require.Less(t, calm(0.2), 0.02, "congestion")
}

// FuzzLossShare: reports come from the network.
func FuzzLossShare(f *testing.F) {
	seed, err := (&rtcp.TransportLayerCC{
		Header:            rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: 5},
		PacketStatusCount: 2,
		PacketChunks:      []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{RunLength: 2}},
	}).Marshal()
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, packet []byte) {
		var r rtcp.TransportLayerCC
		if r.Unmarshal(packet) != nil {
			return
		}
		s := lossShare(0.3)
		s.hear(&r)
		require.True(t, s >= 0 && s <= 1, "%v", s)
	})
}
