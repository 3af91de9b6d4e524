package testbed

import (
	"bytes"
	"image"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestXRDP(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	for _, session := range []string{"Xorg", "Xvnc"} {
		var pid int
		var uid uint32
		var display, folder string
		t.Run(session, func(t *testing.T) {
			x := StartXRDP(t, XRDPOptions{Session: session})
			pid, folder = x.Pid(), filepath.Dir(x.Home)
			info, err := os.Stat(x.Home)
			if err != nil {
				t.Fatal(err)
			}
			uid = info.Sys().(*syscall.Stat_t).Uid
			if kind, chosen := negotiate(t, x.Addr, protocolTLS|protocolHybrid); kind != typeNegResponse || chosen != protocolTLS {
				t.Errorf("xrdp answers with type %d, %d", kind, chosen)
			}

			size := image.Pt(800, 600)
			client := connect(t, x.Addr, x.Username, x.Password, size, "/bpp:32")
			s := x.Session(t)
			display = s.Display
			if got := s.Size(t); got != size {
				t.Fatalf("the screen has %v, want %v", got, size)
			}
			typed := filepath.Join(x.Home, "typed")
			Type(t, client.Display, "echo Hi there >typed")
			Run(t, client.Display, "xdotool", "key", "Return") // the client has no key for a line feed
			Eventually(t, 10*time.Second, "what was typed", func() bool {
				b, _ := os.ReadFile(typed)
				return string(b) == "Hi there\n"
			})
			PaintWallpaper(t, s)
			Eventually(t, 20*time.Second, "the desktop at the client", func() bool {
				return differ(client.Screenshot(t), s.Screenshot(t), 0) == 0
			})
			ClipboardSet(t, s.Display, "copied over there")
			Eventually(t, 20*time.Second, "the clipboard at the client", func() bool {
				return ClipboardGet(t, client.Display) == "copied over there"
			})
			x.LogOff(t)
			if session == "Xvnc" {
				return
			}
			connect(t, x.Addr, x.Username, x.Password, size, "/bpp:16")
			x.Session(t) // one more, which lives until the test ends
		})
		if t.Failed() || display == "" {
			continue
		}
		gone(t, pid)
		if n := processesOf(t, uid); n > 0 {
			t.Errorf("%d processes of the user outlived the test", n)
		}
		for _, list := range []string{"/proc/mounts", "/proc/net/unix", "/proc/self/mountinfo"} {
			b, err := os.ReadFile(list)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte(folder)) || bytes.Contains(b, []byte("/X"+display[1:]+"\n")) {
				t.Errorf("%s still tells of the session", list)
			}
		}
		for _, file := range []string{"/tmp/.X" + display[1:] + "-lock", "/tmp/.X11-unix/X" + display[1:], folder} {
			if _, err := os.Lstat(file); err == nil {
				t.Errorf("%s is left", file)
			}
		}
	}
}

func TestXRDPSecurityLayer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	x := StartXRDP(t, XRDPOptions{SecurityLayer: "rdp", MaxBPP: 16})
	if kind, chosen := negotiate(t, x.Addr, protocolRDP); kind != typeNegResponse || chosen != protocolRDP {
		t.Errorf("asked for RDP's own security, it answers with type %d, %d", kind, chosen)
	}
	kind, chosen := negotiate(t, x.Addr, protocolTLS|protocolHybrid)
	t.Logf("asked for TLS or NLA, it answers with type %d, %d", kind, chosen)
	if kind == typeNegResponse && chosen != protocolRDP {
		t.Errorf("asked for TLS or NLA, it answers with type %d, %d", kind, chosen)
	}
}
