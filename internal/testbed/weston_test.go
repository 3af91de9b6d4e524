package testbed

import (
	"image"
	"os"
	"path/filepath"
	"testing"
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
		Eventually(t, startTimeout, "the wallpaper at the client", func() bool {
			park(t, client)
			return differ(blot(client.Screenshot(t)), blot(w.Wallpaper), 0) == 0
		})
		typed := filepath.Join(t.TempDir(), "typed")
		w.Terminal(t, "PS1='$ ' exec sh")
		Eventually(t, startTimeout, "a terminal over the screen", func() bool {
			return differ(client.Screenshot(t), w.Wallpaper, 16) > 400000
		})
		Type(t, client.Display, "echo Hi there >"+typed)
		Run(t, client.Display, "xdotool", "key", "Return")
		Eventually(t, startTimeout, "what was typed", func() bool {
			b, _ := os.ReadFile(typed)
			return string(b) == "Hi there\n"
		})
	})
	if pid != 0 {
		gone(t, pid)
	}
}
