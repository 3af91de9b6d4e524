package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPlainPlayer: beside a browser that takes small changes as patches, a plain WHEP player gets each typed letter by video. Once
// it is gone, the video needs fewer pictures.
func TestPlainPlayer(t *testing.T) {
	d := startExactDesk(t)
	d.requireExact("the first picture")
	p := d.g.play(nil, d.id, "view")
	p.picture(t, time.Time{})

	const rate, seconds = 8, 5
	terminal(t, d.x.Display, "60x12+400+420", "typing", "lines.py type 8", 60)
	begun := func() bool { return len(p.since(time.Now().Add(-time.Second))) >= rate-2 }
	require.Eventually(t, begun, patience, 100*time.Millisecond, "no typing at full cadence")
	from := time.Now()
	time.Sleep(seconds * time.Second)
	came := len(p.since(from))
	t.Logf("%d letters, %d pictures", rate*seconds, came)
	require.GreaterOrEqual(t, came, rate*seconds*8/10)

	fewer := func() bool {
		before := d.g.session(d.id).Frames
		time.Sleep(2 * time.Second)
		return d.g.session(d.id).Frames-before <= rate*2*8/10
	}
	require.False(t, fewer(), "fewer pictures beside a plain player")
	p.close()
	require.Eventually(t, fewer, 2*patience, time.Millisecond, "as many pictures without a plain player")
}
