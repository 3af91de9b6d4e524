package testbed

import (
	"image"
	"testing"
	"time"
)

func TestGNOME(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	var pid int
	t.Run("use", func(t *testing.T) {
		size := image.Pt(800, 600)
		g := StartGNOME(t, GNOMEOptions{Size: size})
		pid = g.Pid()
		want := Wallpaper(size)
		g.Picture(t, want)
		client := connect(t, g.Addr, g.Username, g.Password, size, "/sec:nla", "/gfx:RFX")
		Eventually(t, time.Minute, "the picture at the client", func() bool {
			Run(t, client.Display, "xdotool", "mousemove_relative", "--", "1", "1")
			return differ(client.Screenshot(t), want, 12) <= 1000 // it loses detail, and there is a pointer
		})
		if kind, reason := negotiate(t, g.Addr, protocolTLS); kind != typeNegFailure {
			t.Errorf("it answers with type %d, %d to a client without NLA", kind, reason)
		}
	})
	if pid != 0 {
		gone(t, pid)
	}
}
