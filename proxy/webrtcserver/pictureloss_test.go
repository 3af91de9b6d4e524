package webrtcserver

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/require"
)

func TestPictureLoss(t *testing.T) {
	const ssrc = 7
	start := time.Now()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	report := func(last uint32) rtcp.Packet {
		return &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{
			{SSRC: 99, LastSequenceNumber: 1}, {SSRC: ssrc, LastSequenceNumber: last},
		}}
	}
	pli, fir, nack := &rtcp.PictureLossIndication{}, &rtcp.FullIntraRequest{}, &rtcp.TransportLayerNack{}
	type step struct {
		after time.Duration // since the last picture was sent
		p     rtcp.Packet
		want  bool
	}
	for _, c := range []struct {
		what  string
		last  uint16
		steps []step
	}{
		{"libwebrtc waiting on a still desktop", 500, []step{{time.Second, report(1<<16 | 504), false}, {3 * time.Second, pli, false}, {6 * time.Second, pli, false}}},
		{"sequence numbers wrap", 0xfffe, []step{{time.Second, report(2<<16 | 1), false}, {3 * time.Second, pli, false}}},
		{"soon after the picture", 500, []step{{time.Second, report(504), false}, {2 * time.Second, pli, true}}},
		{"a full intra request is no supposition", 500, []step{{time.Second, report(504), false}, {3 * time.Second, fir, true}}},
		{"the end has not arrived", 500, []step{{time.Second, report(499), false}, {3 * time.Second, pli, true}}},
		{"no report at all", 500, []step{{3 * time.Second, pli, true}}},
		{"a report of another stream", 500, []step{{time.Second, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 1, LastSequenceNumber: 999}}}, false}, {3 * time.Second, pli, true}}},
		{"packets were missing", 500, []step{{50 * time.Millisecond, nack, false}, {time.Second, report(504), false}, {3 * time.Second, pli, true}}},
		{"packets of an earlier picture were missing", 500, []step{{-time.Second, nack, false}, {time.Second, report(504), false}, {3 * time.Second, pli, false}}},
		{"it insists", 500, []step{{time.Second, report(504), false}, {3 * time.Second, pli, false}, {3200 * time.Millisecond, pli, true}}},
	} {
		t.Run(c.what, func(t *testing.T) {
			var l pictureLoss
			sent := sentState{ssrc: ssrc, began: start, done: start, last: c.last}
			for _, s := range c.steps {
				require.Equal(t, s.want, l.hear(s.p, sent, at(s.after)), "%T after %v", s.p, s.after)
			}
			sending := sent
			sending.sending = true
			require.True(t, l.hear(pli, sending, at(time.Hour)), "while a picture is being sent")
		})
	}
}

// TestPictureLossAgainAndAgain: a browser that keeps losing pictures gets an IDR ever more rarely, and none while one is on its way.
func TestPictureLossAgainAndAgain(t *testing.T) {
	start := time.Now()
	var l pictureLoss
	granted := func(from, to, every time.Duration, sent sentState) (at []time.Duration) {
		for d := from; d < to; d += every {
			if l.hear(&rtcp.PictureLossIndication{}, sent, start.Add(d)) {
				at = append(at, d)
			}
		}
		return at
	}
	const tick = 100 * time.Millisecond
	require.Empty(t, granted(0, time.Second, tick, sentState{sendingIDR: true, sending: true}), "an IDR is being sent")
	require.Empty(t, granted(0, 300*time.Millisecond, tick, sentState{idr: start}), "it was sent a moment ago")
	require.Equal(t, []time.Duration{
		time.Second, 1500 * time.Millisecond, 2500 * time.Millisecond, 4500 * time.Millisecond, 8500 * time.Millisecond,
		16500 * time.Millisecond, 24500 * time.Millisecond,
	}, granted(time.Second, 30*time.Second, tick, sentState{}))
	require.Equal(t, []time.Duration{time.Minute, time.Minute + 500*time.Millisecond}, granted(time.Minute, time.Minute+time.Second, tick, sentState{}), "it had kept up")
}
