package testbed

import (
	"crypto/tls"
	"encoding/binary"
	"image"
	"image/draw"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Of [MS-RDPBCGR] 2.2.1.1.1 and 2.2.1.2.2: what may be asked for, and the answers' types.
const (
	protocolRDP    = 0
	protocolTLS    = 1
	protocolHybrid = 2

	typeNegResponse = 2
	typeNegFailure  = 3
)

// negotiate asks an RDP server for protocols and returns the type of its answer with the number in it: the
// protocol it chose or its reason to refuse. A server that knows nothing but RDP's own security may answer
// without either, which is a choice of protocolRDP.
func negotiate(t *testing.T, addr string, protocols uint32) (byte, uint32) {
	t.Helper()
	conn, kind, chosen := dialRDP(t, addr, protocols)
	conn.Close()
	return kind, chosen
}

func dialRDP(t *testing.T, addr string, protocols uint32) (net.Conn, byte, uint32) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	request := []byte{3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0}
	if _, err := conn.Write(binary.LittleEndian.AppendUint32(request, protocols)); err != nil {
		t.Fatal(err)
	}
	header := make([]byte, 4)
	if _, err := io.ReadFull(conn, header); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, max(4, int(binary.BigEndian.Uint16(header[2:])))-4)
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Fatal(err)
	}
	if header[0] != 3 || len(body) < 7 || body[1] != 0xd0 {
		t.Fatalf("%s answers % x % x", addr, header, body)
	}
	if len(body) == 7 {
		return conn, typeNegResponse, protocolRDP
	}
	if len(body) != 15 {
		t.Fatalf("%s answers % x", addr, body)
	}
	return conn, body[7], binary.LittleEndian.Uint32(body[11:])
}

// dialTLS connects to an RDP server as far as TLS.
func dialTLS(t *testing.T, addr string, config *tls.Config) *tls.Conn {
	t.Helper()
	conn, kind, chosen := dialRDP(t, addr, protocolTLS)
	if kind != typeNegResponse || chosen != protocolTLS {
		t.Fatalf("%s answers with type %d, %d", addr, kind, chosen)
	}
	s := tls.Client(conn, config)
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	return s
}

// connect starts a real client of an RDP server on a screen of its own.
func connect(t *testing.T, addr, username, password string, size image.Point, args ...string) *X {
	t.Helper()
	client := program(t, "xfreerdp", "xfreerdp3")
	screen := StartXvfb(t, size)
	OpenBox(t, screen.Display) // gives it the keyboard
	p := start(t, spawn{
		name: client,
		args: append([]string{
			"/v:" + addr, "/u:" + username, "/p:" + password, "/cert:ignore",
			"/size:" + geometry(size), "-decorations",
		}, args...),
		env:  []string{"DISPLAY=" + screen.Display, "HOME=" + t.TempDir()},
		calm: true,
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the client, alive %t: %s", p.Alive(), p.Output())
		}
	})
	return screen
}

// park moves a client's pointer to the lower right corner. Servers paint the pointer themselves: Weston always,
// Xvnc until the client moves it for the first time.
func park(t *testing.T, client *X) {
	t.Helper()
	corner := client.Screenshot(t).Bounds().Max
	for _, away := range []int{10, 1} {
		Run(t, client.Display, "xdotool", "mousemove", strconv.Itoa(corner.X-away), strconv.Itoa(corner.Y-away))
	}
}

// blot returns a copy of a picture with the corner blackened in which a parked pointer may show or be about to.
func blot(img *image.RGBA) *image.RGBA {
	img = &image.RGBA{Pix: slices.Clone(img.Pix), Stride: img.Stride, Rect: img.Rect}
	corner := img.Rect
	corner.Min = corner.Max.Sub(image.Pt(12, 12))
	draw.Draw(img, corner, image.Black, image.Point{}, draw.Src)
	return img
}

// differ counts the pixels in which two pictures differ by more than a tolerance in one of the colours.
func differ(a, b *image.RGBA, tolerance int) int {
	if a.Bounds() != b.Bounds() {
		return max(a.Bounds().Dx()*a.Bounds().Dy(), b.Bounds().Dx()*b.Bounds().Dy(), 1)
	}
	n := 0
	for i := 0; i < len(a.Pix); i += 4 {
		for c := range 3 {
			if d := int(a.Pix[i+c]) - int(b.Pix[i+c]); d > tolerance || -d > tolerance {
				n++
				break
			}
		}
	}
	return n
}

// processesOf counts the processes of a user.
func processesOf(t *testing.T, uid uint32) int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			continue // it has ended meanwhile
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == uid {
			n++
		}
	}
	return n
}

// gone checks that a process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("process %s outlived its test: %v", strconv.Itoa(pid), err)
	}
}
