package testbed

import (
	"testing"
	"time"
)

func TestEGFX(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	var pid int
	t.Run("use", func(t *testing.T) {
		e := StartEGFX(t, 0x000a0701, Wallpaper(EGFXSize)) // version 10.7
		pid = e.Pid()
		client := connect(t, e.Addr, "anybody", "anything", EGFXSize, "/sec:tls", "/gfx:RFX")
		Eventually(t, time.Minute, "the picture at the client", func() bool {
			return differ(client.Screenshot(t), e.Shown, 12) <= 1000 // it loses detail
		})
	})
	if pid != 0 {
		gone(t, pid)
	}
}
