package testbed

import (
	"image"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWeston(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	var pid int
	t.Run("use", func(t *testing.T) {
		size := image.Pt(800, 600)
		w := StartWeston(t, WestonOptions{Size: size})
		pid = w.Pid()
		if kind, chosen := negotiate(t, w.Addr, protocolTLS|protocolHybrid); kind != typeNegResponse || chosen != protocolTLS {
			t.Errorf("it answers with type %d, %d", kind, chosen)
		}
		client := connect(t, w.Addr, "anybody", "anything", size, "/sec:tls", "/bpp:16") // which makes it send raw pixels
		Run(t, client.Display, "xdotool", "mousemove", "799", "599")
		Eventually(t, 20*time.Second, "the wallpaper at the client", func() bool {
			return differ(client.Screenshot(t), w.Wallpaper, 0) <= 4 // the tip of the pointer
		})
		typed := filepath.Join(t.TempDir(), "typed")
		w.Terminal(t, "PS1='$ ' exec sh")
		Eventually(t, 20*time.Second, "a terminal over the screen", func() bool {
			return differ(client.Screenshot(t), w.Wallpaper, 16) > 400000
		})
		Type(t, client.Display, "echo Hi there >"+typed)
		Run(t, client.Display, "xdotool", "key", "Return")
		Eventually(t, 10*time.Second, "what was typed", func() bool {
			b, _ := os.ReadFile(typed)
			return string(b) == "Hi there\n"
		})
	})
	if pid != 0 {
		gone(t, pid)
	}
}
