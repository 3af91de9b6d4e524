package testbed

import (
	"embed"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed xrdp
var xrdpFiles embed.FS

// freeXRDPDisplay returns the number of a display that nobody has, with the ports that belong to it: the
// session manager looks for itself, but two of them at once would find the same.
func freeXRDPDisplay() int {
	for {
		display := 1000 + rand.IntN(20000) // below the ephemeral ports
		busy := false
		for _, base := range []int{5900, 6000, 6200} {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(base+display))
			if err != nil {
				busy = true
				break
			}
			l.Close()
		}
		if !busy {
			return display
		}
	}
}

// writeXRDPConfig writes the folder that stands for /etc/xrdp.
func writeXRDPConfig(folder string, x *XRDP, o XRDPOptions, sesmanPort string, display int) error {
	etc := filepath.Join(folder, "etc")
	// Keyboard tables and the key of RDP's own security come with the package.
	if out, err := exec.Command("cp", "-aL", "/etc/xrdp", etc).CombinedOutput(); err != nil {
		return fmt.Errorf("copy /etc/xrdp: %w: %s", err, out)
	}
	fill := strings.NewReplacer(
		"@ADDR@", x.Addr, "@SECURITY@", o.SecurityLayer, "@SESSION@", o.Session, "@BPP@", strconv.Itoa(o.MaxBPP),
		"@GLOBALS@", o.Globals, "@SESMAN_PORT@", sesmanPort, "@DISPLAY@", strconv.Itoa(display),
	)
	for _, name := range []string{"xrdp.ini", "sesman.ini", "startwm.sh"} {
		content, err := xrdpFiles.ReadFile("xrdp/" + name)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(etc, name), fill.Replace(string(content)), 0o755); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{
		"command.sh": o.Command + "\n", "cert.pem": string(o.Cert.CertPEM), "key.pem": string(o.Cert.KeyPEM),
	} {
		mode := os.FileMode(0o755)
		if name == "key.pem" {
			mode = 0o600
		}
		if err := writeFile(filepath.Join(etc, name), content, mode); err != nil {
			return err
		}
	}
	return nil
}

// writeXRDPAccounts writes the files that stand for the system's lists of users: its own, without any
// password, and one more.
func writeXRDPAccounts(folder string, o XRDPOptions, uid int) error {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	openssl := exec.Command("openssl", "passwd", "-6", "-stdin")
	openssl.Stdin = strings.NewReader(o.Password + "\n")
	hash, err := openssl.Output()
	if err != nil {
		return fmt.Errorf("openssl passwd: %w", err)
	}
	files := map[string]string{
		"shadow":      fmt.Sprintf("root:*:19000::::::\n%s:%s:19000::::::\n", o.Username, strings.TrimSpace(string(hash))),
		"xrdp-sesman": "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_unix.so\n",
	}
	for name, line := range map[string]string{
		"passwd": fmt.Sprintf("%s:x:%d:%d::/home/%[1]s:/bin/bash\n", o.Username, uid, uid),
		"group":  fmt.Sprintf("%s:x:%d:\n", o.Username, uid),
	} {
		system, err := os.ReadFile("/etc/" + name)
		if err != nil {
			return err
		}
		files[name] = line + string(system) // the first of a name counts
	}
	for name, content := range files {
		mode := os.FileMode(0o644)
		if name == "shadow" {
			mode = 0o600
		}
		if err := writeFile(filepath.Join(folder, name), content, mode); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a file with just that mode: the user in there must be able to read it, whatever the umask.
func writeFile(name, content string, mode os.FileMode) error {
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		return err
	}
	return os.Chmod(name, mode)
}
