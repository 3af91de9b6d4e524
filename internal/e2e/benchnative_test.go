package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// BenchmarkNative tells what native clients cost the gateway, the copying of serve between their TLS and the session included: with the
// session's H.264 passed through while somebody types, and with bitmaps without loss while text scrolls.
//
//	go test ./internal/e2e -run '^$' -bench 'Native/' -benchtime 1x
func BenchmarkNative(b *testing.B) {
	for _, c := range []struct{ name, workload, graphics string }{
		{"video/typing", "typing", "/gfx:AVC420"}, {"planar/typing", "typing", "/gfx"}, {"video/scroll", "scroll", "/gfx:AVC420"}, {"bitmaps/scroll", "scroll", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				measureNative(b, c.workload, c.graphics)
			}
		})
	}
}

func measureNative(b *testing.B, load, graphics string) {
	const seconds, clients = 10, 2
	d := newBenchDesktop(b, tigerVNC)
	measure := func() figures {
		workloadNamed(load).start(b, d.display, seconds+5)
		time.Sleep(3 * time.Second) // past the start of programs
		f := sample([]*benchDesktop{d}, seconds*time.Second)
		require.Positive(b, f.frames, "nothing was shown")
		time.Sleep(3 * time.Second) // until the programs have ended
		return f
	}
	alone := measure()
	for range clients {
		d.openNative(b, graphics)
	}
	f := measure()
	require.Len(b, d.gateway.session(d.session.ID).Viewers, clients)
	f.report(b)
	b.ReportMetric((f.cores()-alone.cores())/clients, "cores/viewer")
}

// openNative opens the desktop in a client, and waits until it shows it.
func (d *benchDesktop) openNative(b *testing.B, graphics string) *rdpWindow {
	b.Helper()
	w := d.gateway.openByCommand(b, d.target, benchSize, strings.Fields(graphics)...)
	require.Eventually(b, func() bool {
		shot := w.x.Screenshot(b)
		_, where := differing(shot, cut(shot, shot.Rect.Inset(1)))
		return where.Dx() > benchSize.X/2
	}, patience, 200*time.Millisecond, "the client shows nothing")
	return w
}

// BenchmarkNativePixel is how long it takes from a change on the target until a client's window shows it.
func BenchmarkNativePixel(b *testing.B) {
	for _, graphics := range []string{"/gfx:AVC420", "/gfx", "-gfx"} {
		b.Run(strings.Trim(graphics, "/"), func(b *testing.B) {
			for b.Loop() {
				const seconds = 30
				d := newBenchDesktop(b, tigerVNC)
				w := d.openNative(b, strings.TrimPrefix(graphics, "-gfx"))
				watch := exec.Command(testbed.Python, script("watch.py"), fmt.Sprint(seconds+5))
				watch.Env = append(os.Environ(), "DISPLAY="+w.x.Display)
				var out bytes.Buffer
				watch.Stdout, watch.Stderr = &out, os.Stderr
				require.NoError(b, watch.Start())
				flips := d.beacon(seconds, 500*time.Millisecond, 1)()
				require.NoError(b, watch.Wait())
				var seen []sighting
				for line := range strings.Lines(out.String()) {
					var red, green, blue byte
					var ns int64
					_, err := fmt.Sscan(line, &red, &green, &blue, &ns)
					require.NoError(b, err)
					if c := beaconColour(red, green, blue); c >= 0 {
						seen = append(seen, sighting{c, time.Unix(0, ns)})
					}
				}
				var took delays
				took.add(flips, seen)
				took.report(b)
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}
