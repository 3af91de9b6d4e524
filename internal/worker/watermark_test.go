package worker

import (
	"bytes"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
	"github.com/vitrine-psm/vitrine/internal/session"
)

// TestWatermark decodes what was recorded of a grey desktop, with the mark and without.
func TestWatermark(t *testing.T) {
	if testing.Short() {
		t.Skip("decodes with ffmpeg")
	}
	const ground, width, height = 128, 1280, 720
	d := startTarget(t, demotarget.Options{Size: image.Pt(width, height), Name: "Desk"})
	d.Fill(image.Rect(0, 0, width, height), color.NRGBA{ground, ground, ground, 255})
	r := newRig(t)
	for _, with := range []bool{false, true} {
		s := r.create(d.addr, func(req *CreateRequest) { req.Watermark = with })
		eventually(t, "nothing was recorded", func() bool { return s.Snapshot().Stats.RecordedBytes > 0 })
		small, _, err := s.Thumbnail(t.Context(), 0)
		require.NoError(t, err)
		require.NotEmpty(t, small)
		require.NoError(t, s.Terminate(t.Context(), session.Person{}, session.End{Code: session.EndUserDisconnected, Message: "done"}))
		r.gone(s)
		light, dark := 0, 0
		picture := lastPicture(t, filepath.Join(r.spool, s.ID()), width*height)
		for _, luma := range picture {
			switch {
			case luma > ground+8:
				light++
			case luma < ground-8:
				dark++
			}
		}
		if !with {
			// The demo desktop draws its own pointer and windows; nothing here changes what is plain.
			require.Zero(t, light+dark, "a mark nobody asked for")
			continue
		}
		require.Greater(t, light*200, len(picture), "%d of %d pixels are lighter", light, len(picture))
		require.Greater(t, dark*200, len(picture), "%d of %d pixels are darker", dark, len(picture))
		require.Less(t, (light+dark)*100, len(picture)*15)
	}
}

// lastPicture decodes the luma of the last picture of a recording.
func lastPicture(t *testing.T, folder string, size int) []byte {
	t.Helper()
	var video []byte
	segments, err := filepath.Glob(filepath.Join(folder, "seg-*.m4s"))
	require.NoError(t, err)
	slices.Sort(segments)
	for _, name := range append([]string{filepath.Join(folder, "init-000000.mp4")}, segments...) {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		video = append(video, b...)
	}
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("ffmpeg is needed in CI: %v", err)
		}
		t.Skip("NOT TESTED: ffmpeg is not installed")
	}
	cmd := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-i", "pipe:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1")
	cmd.Stdin = bytes.NewReader(video)
	out, err := cmd.Output()
	require.NoError(t, err)
	require.NotEmpty(t, out)
	return out[len(out)-size:]
}
