package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp/codecs"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// A sighting is a colour of the beacon at a time.
type sighting struct {
	colour int
	at     time.Time
}

// beaconColours are those of beacon.py, by index.
var beaconColours = [][3]int{{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 0}, {255, 0, 255}, {0, 255, 255}, {255, 255, 255}}

// beacon flips a square in the top left corner for some seconds, with a mean time between flips; seed says which times. The
// function it returns waits for the end and gives the flips.
func (d *benchDesktop) beacon(seconds int, interval time.Duration, seed int) (flips func() []sighting) {
	b := d.b
	b.Helper()
	cmd := exec.Command(testbed.Python, script("beacon.py"), strconv.Itoa(seconds), fmt.Sprint(interval.Seconds()), strconv.Itoa(seed))
	cmd.Env = append(os.Environ(), "DISPLAY="+d.display)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = cmd.Process.Kill() }) // after a failure
	return func() []sighting {
		b.Helper()
		require.NoError(b, cmd.Wait())
		var flips []sighting
		for line := range strings.Lines(out.String()) {
			var number, ns int64
			var s sighting
			_, err := fmt.Sscan(line, &number, &s.colour, &ns)
			require.NoError(b, err)
			s.at = time.Unix(0, ns)
			flips = append(flips, s)
		}
		require.NotEmpty(b, flips, "the beacon did nothing")
		return flips
	}
}

// delays are how long flips took to be seen.
type delays struct {
	took    []time.Duration
	flips   int
	skipped int // overtaken by a later flip before they were seen
}

// add looks for each flip among what was seen, in the order of time. A flip that was overtaken counts as seen with the later one.
func (d *delays) add(flips, seen []sighting) {
	d.flips += len(flips)
	next := 0 // flip to be seen
	for _, s := range seen {
		at := latest(flips, s)
		for ; next <= at; next++ {
			d.took = append(d.took, s.at.Sub(flips[next].at))
			if next < at {
				d.skipped++
			}
		}
	}
}

// latest returns the index of the last flip that a sighting can be of, -1 when there is none.
func latest(flips []sighting, s sighting) int {
	for i, f := range slices.Backward(flips) {
		if f.colour == s.colour && !f.at.After(s.at) {
			return i
		}
	}
	return -1
}

// report fails the benchmark when many flips were never seen: then the rest says nothing about them.
func (d *delays) report(b *testing.B) {
	b.Helper()
	require.Greater(b, len(d.took), d.flips*9/10, "of %d flips these were seen", d.flips)
	reportPercentiles(b, "", d.took)
	b.ReportMetric(float64(d.flips), "flips")
	b.ReportMetric(float64(d.skipped), "flips-skipped")
	b.ReportMetric(float64(d.flips-len(d.took)), "flips-missed")
}

// reportPercentiles tells how long something took that was done many times.
func reportPercentiles(b *testing.B, of string, took []time.Duration) {
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[len(took)/2]), of+"ms-p50")
	b.ReportMetric(ms(took[len(took)*95/100]), of+"ms-p95")
}

func TestDelays(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(1000 + ms)) }
	var d delays
	d.add([]sighting{{0, at(0)}, {1, at(100)}, {2, at(200)}, {3, at(300)}, {0, at(400)}, {1, at(500)}}, []sighting{
		{1, at(-50)},             // of before
		{0, at(20)}, {0, at(90)}, // twice
		{0, at(150)}, {1, at(160)}, // late
		{3, at(330)}, // one was skipped
		{5, at(340)}, // not the beacon's
		{3, at(410)}, {0, at(420)},
	})
	require.Equal(t, delays{flips: 6, skipped: 1, took: []time.Duration{
		20 * time.Millisecond, 60 * time.Millisecond, 130 * time.Millisecond, 30 * time.Millisecond, 20 * time.Millisecond,
	}}, d)
}

// sightings decodes the units a player has kept and returns the beacon's colour in each, at the time when the unit was there.
func (p *player) sightings(b *testing.B) []sighting {
	b.Helper()
	testbed.Require(b, "ffmpeg")
	units := p.since(time.Time{})
	var stream bytes.Buffer
	for _, u := range units {
		var packet codecs.H264Packet // its output is Annex B
		for _, payload := range u.payloads {
			nal, err := packet.Unmarshal(payload)
			require.NoError(b, err)
			stream.Write(nal)
		}
	}
	cmd := exec.Command("ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-vf", "crop=16:16:24:24,scale=1:1:flags=area,format=rgb24",
		"-fps_mode", "passthrough", "-f", "rawvideo", "-")
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &stream, &out, &complaints
	require.NoError(b, cmd.Run(), "%s", &complaints)
	pixels := out.Bytes()
	require.Len(b, pixels, 3*len(units), "as many pictures as units: %s", &complaints)
	var seen []sighting
	for i, u := range units {
		if c := beaconColour(pixels[3*i], pixels[3*i+1], pixels[3*i+2]); c >= 0 {
			seen = append(seen, sighting{c, u.at})
		}
	}
	return seen
}

// beaconColour returns the index of a pixel's colour, -1 when it is none of the beacon's. The console's bench has the same judgement.
func beaconColour(red, green, blue byte) int {
	apart := func(a int, b byte) int { return max(a-int(b), int(b)-a) }
	return slices.IndexFunc(beaconColours, func(c [3]int) bool {
		return apart(c[0], red)+apart(c[1], green)+apart(c[2], blue) < 60
	})
}
