package rdpclient

import (
	"image"
	"slices"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/rdptarget"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// TestNudge: a target that has shown nothing is asked for its picture each second, five times; one that has begun the
// graphics pipeline is not, and silence ends neither.
func TestNudge(t *testing.T) {
	for name, c := range map[string]struct {
		piped bool
		want  int
	}{
		"nothing shown": {false, maxNudges},
		"pipeline":      {true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_ = play(t, scene{}, func(s *stage) {
				p := s.open()
				if c.piped {
					p.must(p.OpenDynamic(channelGraphics))
				}
				time.Sleep(nudgeAfter / 2)
				for _, e := range p.heard() {
					if e.Data == rdp.DataRefreshRect {
						t.Error("asked too early")
					}
				}
				time.Sleep(time.Hour)
				want := rdp.AppendRefreshRect(nil, image.Rect(0, 0, 64, 48))
				asked := 0
				for _, e := range p.heard() {
					if e.Kind == rdptarget.Data && e.Data == rdp.DataRefreshRect && slices.Equal(e.Body, want) {
						asked++
					}
				}
				if asked != c.want {
					t.Errorf("asked %d times, want %d", asked, c.want)
				}
				if p.gone() {
					t.Error("the silence ended the session")
				}
			})
		})
	}
}
