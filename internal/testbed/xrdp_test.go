package testbed

import (
	"bytes"
	"image"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
			display = strings.TrimPrefix(s.Display, ":")
			if strings.Count(unixSockets(t), "/X"+display+"\n") == 0 {
				t.Fatalf("no socket of display %s is seen from outside", display)
			}
			if got := s.Size(t); got != size {
				t.Fatalf("the screen has %v, want %v", got, size)
			}
			same := func() bool {
				park(t, client)
				return differ(blot(client.Screenshot(t)), blot(s.Screenshot(t)), 0) == 0
			}
			Eventually(t, startTimeout, "the desktop at the client", same)
			typed := filepath.Join(x.Home, "typed")
			Type(t, client.Display, "echo Hi there >typed")
			Run(t, client.Display, "xdotool", "key", "Return") // the client has no key for a line feed
			Eventually(t, startTimeout, "what was typed", func() bool {
				b, _ := os.ReadFile(typed)
				return string(b) == "Hi there\n"
			})
			PaintWallpaper(t, s)
			Eventually(t, startTimeout, "the wallpaper at the client", same)
			ClipboardSet(t, s.Display, "copied over there")
			Eventually(t, startTimeout, "the clipboard at the client", func() bool {
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
		mounts, err := os.ReadFile("/proc/mounts")
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(mounts, []byte(folder)) || strings.Contains(unixSockets(t), "/X"+display+"\n") {
			t.Error("mounts or sockets of the session are left")
		}
		for _, file := range []string{"/tmp/.X" + display + "-lock", "/tmp/.X11-unix/X" + display, folder} {
			if _, err := os.Lstat(file); err == nil {
				t.Errorf("%s is left", file)
			}
		}
	}
}

func unixSockets(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
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
	if kind == typeNegResponse && chosen != protocolRDP {
		t.Errorf("asked for TLS or NLA, it answers with type %d, %d", kind, chosen)
	}
}
