package e2e

import (
	"image"
	"math"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
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

// TestRecordingIsSharp: what somebody typed and left standing can be read in the recording, in small coloured text too: its last
// picture has the target's luma to 45 dB, though the viewer got most of it as patches.
func TestRecordingIsSharp(t *testing.T) {
	testbed.Require(t, "ffmpeg")
	d := startExactDesk(t)
	background(t, d.x.Display, "xterm", "-fn", "5x8", "-geometry", "60x12+400+420", "-e", testbed.Python+" "+script("lines.py")+" type 20 3; exec sleep 1d")
	time.Sleep(6 * time.Second)
	d.requireExact("typing")
	want := d.x.Screenshot(t)
	d.g.terminate(d.id)
	require.Equal(t, "user_disconnected", d.g.ended(d.id, patience).End.Code)
	d.g.sealed(d.id, patience)
	got := lastLuma(t, d.g.export(d.id), want.Rect.Size())
	var squares float64
	for i, y := range got {
		c := want.Pix[4*i : 4*i+3]
		e := float64(y) - (0.2126*float64(c[0]) + 0.7152*float64(c[1]) + 0.0722*float64(c[2])) // BT.709, full range
		squares += e * e
	}
	psnr := 10 * math.Log10(255*255*float64(len(got))/squares)
	t.Logf("%.1f dB", psnr)
	require.GreaterOrEqual(t, psnr, 45.0)
}

// lastLuma returns the luma of a file's last picture.
func lastLuma(t *testing.T, file string, size image.Point) []byte {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-v", "error", "-i", file, "-f", "rawvideo", "-").Output() // in its own format
	require.NoError(t, err)
	luma, frame := size.X*size.Y, (size.X*size.Y + 2*((size.X+1)/2)*((size.Y+1)/2))
	require.Positive(t, len(out))
	require.Zero(t, len(out)%frame, "%d bytes are no pictures of %v", len(out), size)
	return out[len(out)-frame:][:luma]
}
