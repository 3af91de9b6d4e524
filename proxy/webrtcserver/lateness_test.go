package webrtcserver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLateness(t *testing.T) {
	var l lateness
	start := time.Now()
	require.InDelta(t, 1, l.share(), 0)
	for _, s := range []struct {
		pts, now time.Duration // since the session's beginning
		share    float64
	}{
		{10 * time.Second, 10*time.Second + 50*time.Millisecond, 1},
		{11 * time.Second, 11*time.Second + 350*time.Millisecond, 1}, // 300 ms later than the first
		{12 * time.Second, 13*time.Second + 350*time.Millisecond, 0.65},
		{13 * time.Second, 18 * time.Second, 0.3},
		{14 * time.Second, 14*time.Second + 40*time.Millisecond, 1},
		{15 * time.Second, 16*time.Second + 340*time.Millisecond, 0.65}, // the last was sooner than all before
	} {
		l.observe(start.Add(s.now), s.pts)
		require.InDelta(t, s.share, l.share(), 1e-9, "picture of %v at %v", s.pts, s.now)
	}
}
