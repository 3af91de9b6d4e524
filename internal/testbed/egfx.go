package testbed

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// EGFXSize is the size of the picture that an EGFX server shows.
var EGFXSize = image.Pt(640, 480)

// EGFX is a server of FreeRDP's own parts that shows one client one picture through the graphics pipeline: bands of 96
// rows come uncompressed, as planar bitmaps, as RemoteFX, as progressive RemoteFX, and copied and filled. egfx/egfx.c has
// the details.
type EGFX struct {
	*Process
	Addr string // host:port; TLS, no password
	Cert *Cert

	// Shown is what must be seen, exactly but for the rows from 192 to 384, which lose detail.
	Shown *image.RGBA
}

//go:embed egfx/egfx.c
var egfxSource []byte

// egfxProgram returns the path of the compiled server, which the user's cache folder keeps.
var egfxProgram = sync.OnceValues(func() (string, error) {
	libraries := []string{"freerdp-server2", "freerdp2", "winpr2"}
	flags, err := exec.Command("pkg-config", append([]string{"--cflags", "--libs"}, libraries...)...).Output()
	if err != nil {
		return "", fmt.Errorf("pkg-config knows no %s: %w", strings.Join(libraries, ", "), err)
	}
	version, err := exec.Command("pkg-config", "--modversion", libraries[0]).Output()
	if err != nil {
		return "", fmt.Errorf("pkg-config: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "vitrine")
	key := sha256.Sum256(fmt.Append(nil, string(egfxSource), string(flags), string(version)))
	path := filepath.Join(dir, fmt.Sprintf("egfx-%x", key[:8]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	// Test processes may build side by side: each in a folder of its own, the last rename wins.
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(dir, "egfx-build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	src, bin := filepath.Join(temp, "egfx.c"), filepath.Join(temp, "egfx")
	if err := os.WriteFile(src, egfxSource, 0o600); err != nil {
		return "", err
	}
	args := append([]string{"-O2", "-Wall", "-Werror=implicit-function-declaration", "-o", bin, src}, strings.Fields(string(flags))...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc: %w\n%s", err, out)
	}
	return path, os.Rename(bin, path)
})

// StartEGFX starts a server that chooses a capability version ([MS-RDPEGFX] 2.2.3) and shows img, which has EGFXSize.
func StartEGFX(t TB, version uint32, img *image.RGBA) *EGFX {
	t.Helper()
	Require(t, "gcc", "pkg-config")
	program, err := egfxProgram()
	if err != nil {
		unavailable(t, err.Error())
		return nil
	}
	e := &EGFX{Cert: NewCert(t, "localhost", "127.0.0.1"), Shown: egfxShown(img)}
	file := filepath.Join(t.TempDir(), "picture")
	if err := os.WriteFile(file, bgrx(img), 0o600); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	e.Process = start(t, spawn{
		name: program, args: []string{e.Cert.CertFile, e.Cert.KeyFile, strconv.FormatUint(uint64(version), 16), file}, calm: true,
	})
	listens := regexp.MustCompile(`(?m)^port (\d+)$`)
	Eventually(t, startTimeout, "the server of the graphics pipeline", func() bool {
		found := listens.FindStringSubmatch(e.Output())
		if found == nil {
			if !e.Alive() {
				t.Fatalf("testbed: it ended: %s", e.Output())
			}
			return false
		}
		e.Addr = "127.0.0.1:" + found[1]
		return true
	})
	return e
}

// egfxShown returns what becomes of a picture by the copies and fills of egfx/egfx.c.
func egfxShown(img *image.RGBA) *image.RGBA {
	shown := image.NewRGBA(img.Bounds())
	copy(shown.Pix, img.Pix)
	for _, c := range []struct{ to, size image.Point }{
		{image.Pt(20, 10), image.Pt(100, 60)},
		{image.Pt(300, 20), image.Pt(100, 60)},
		{image.Pt(270, 215), image.Pt(100, 50)},
	} {
		draw.Draw(shown, image.Rectangle{Min: c.to, Max: c.to.Add(c.size)}, img, image.Point{}, draw.Src)
	}
	for i := range 16 {
		at := image.Pt(480+40*(i%4), 384+24*(i/4))
		c := image.NewUniform(color.RGBA{R: uint8(16 * i), G: uint8(255 - 16*i), B: uint8(8 * i), A: 0xff})
		draw.Draw(shown, image.Rectangle{Min: at, Max: at.Add(image.Pt(40, 24))}, c, image.Point{}, draw.Src)
	}
	return shown
}

// bgrx returns a picture's pixels as blue, green, red and zero.
func bgrx(img *image.RGBA) []byte {
	pix := make([]byte, 0, len(img.Pix))
	for i := 0; i < len(img.Pix); i += 4 {
		pix = append(pix, img.Pix[i+2], img.Pix[i+1], img.Pix[i], 0)
	}
	return pix
}
