package webrtcserver

import (
	"math"

	"github.com/pion/rtcp"
)

// lossShare is the share of packets that a link lost of late, of the last fifty or so. gcc looks at 200 ms, in which a desktop sends
// ten packets: of those one or two are lost every other second on a link that loses one in twenty by chance, which is no congestion.
type lossShare float64

// lossMemory is how many packets the share goes back, in the mean.
const lossMemory = 50

// hear takes a report of the browser.
func (s *lossShare) hear(report *rtcp.TransportLayerCC) {
	lost, left := 0, int(report.PacketStatusCount)
	for _, chunk := range report.PacketChunks {
		switch c := chunk.(type) {
		case *rtcp.RunLengthChunk:
			if c.PacketStatusSymbol == rtcp.TypeTCCPacketNotReceived {
				lost += min(left, int(c.RunLength))
			}
			left -= min(left, int(c.RunLength))
		case *rtcp.StatusVectorChunk:
			for _, symbol := range c.SymbolList[:min(left, len(c.SymbolList))] {
				if symbol == rtcp.TypeTCCPacketNotReceived {
					lost++
				}
			}
			left -= min(left, len(c.SymbolList))
		}
	}
	if told := int(report.PacketStatusCount) - left; told > 0 {
		now := float64(lost) / float64(told)
		*s = lossShare(now + math.Exp(-float64(told)/lossMemory)*(float64(*s)-now))
	}
}
