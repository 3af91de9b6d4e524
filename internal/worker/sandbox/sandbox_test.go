package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The test binary starts itself again to lock itself in: there is no way back.
const (
	envFolder = "VITRINE_SANDBOX_FOLDER"
	envMode   = "VITRINE_SANDBOX_MODE"
	envDial   = "VITRINE_SANDBOX_DIAL"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(envFolder); folder != "" {
		os.Exit(inside(Mode(os.Getenv(envMode)), folder, os.Getenv(envDial)))
	}
	os.Exit(m.Run())
}

// finding is what the locked-in process could do, by name: "" when it could.
type finding struct {
	Level    string
	Results  map[string]string
	Landlock int
}

// inside locks the process in and tries what a broken decoder would be made to try.
func inside(mode Mode, folder, dial string) int {
	before, err := os.Open("/etc/hostname") // open before: stays readable
	if err != nil {
		before, _ = os.Open("/proc/self/stat")
	}
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// A thread that is there before must be locked in too.
	work, answer := make(chan func() error), make(chan error)
	go func() {
		runtime.LockOSThread()
		for f := range work {
			answer <- f()
		}
	}()

	report, err := Lock(mode, folder)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	elsewhere := func(f func() error) error { work <- f; return <-answer }
	read := func(name string) func() error {
		return func() error { _, err := os.ReadFile(name); return err }
	}
	attempts := map[string]func() error{
		"read passwd":             read("/etc/passwd"),
		"read passwd, old thread": func() error { return elsewhere(read("/etc/passwd")) },
		"read parent":             func() error { _, err := os.ReadDir(filepath.Dir(folder)); return err },
		"write elsewhere":         func() error { return os.WriteFile(filepath.Join(filepath.Dir(folder), "x"), nil, 0o600) },
		"escape by link": func() error {
			if err := os.Symlink("/etc/passwd", filepath.Join(folder, "link")); err != nil {
				return err
			}
			return read(filepath.Join(folder, "link"))()
		},
		"exec":             func() error { return exec.Command("/bin/true").Run() },
		"exec, old thread": func() error { return elsewhere(func() error { return exec.Command("/bin/true").Run() }) },
		"connect": func() error {
			c, err := net.DialTimeout("tcp", dial, time.Second)
			if err == nil {
				c.Close()
			}
			return err
		},
		"listen": func() error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err == nil {
				l.Close()
			}
			return err
		},
		"new socket":    func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); return err },
		"connect media": func() error { return connectMedia(udp) },
		"ptrace": func() error { // of nobody: without the sandbox it would stop the test
			_, _, e := unix.Syscall(unix.SYS_PTRACE, unix.PTRACE_PEEKDATA, 0, 0)
			return errno(e)
		},
		"kill parent":     func() error { return unix.Kill(os.Getppid(), 0) },
		"signal a parent": func() error { return unix.Tgkill(os.Getppid(), os.Getppid(), 0) },
		"unshare":         func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
		"mount":           func() error { return unix.Mount("none", folder, "tmpfs", 0, "") },
		"executable memory": func() error {
			_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
			return err
		},
		"make memory executable": func() error {
			m, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
			if err != nil {
				return nil
			}
			return unix.Mprotect(m, unix.PROT_READ|unix.PROT_EXEC)
		},
		"raise a limit": func() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}) },
		"keyring":       func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true); return err },
		"bpf":           func() error { _, _, e := unix.Syscall(unix.SYS_BPF, 0, 0, 0); return errno(e) },
		"look into another": func() error {
			_, err := unix.ProcessVMReadv(os.Getppid(), nil, nil, 0)
			return err
		},

		// What a worker does all day must still work.
		"ok: folder":      func() error { return useFolder(root) },
		"ok: threads":     useThreads,
		"ok: read opened": func() error { _, err := before.Read(make([]byte, 1)); return err },
		"ok: datagram":    func() error { _, err := udp.WriteTo([]byte("x"), udp.LocalAddr()); return err },
		"ok: sleep":       func() error { time.Sleep(time.Millisecond); runtime.GC(); return nil },
	}
	if mode == Off { // these would change the machine
		delete(attempts, "mount")
		delete(attempts, "unshare")
		delete(attempts, "keyring")
	}
	results := map[string]string{}
	for name, try := range attempts {
		results[name] = ""
		if err := try(); err != nil {
			results[name] = err.Error()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(finding{report.Level(), results, report.Landlock}); err != nil {
		return 1
	}
	return 0
}

func errno(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// connectMedia tries to turn the media socket into one that a library reads like a connection.
func connectMedia(udp *net.UDPConn) error {
	raw, err := udp.SyscallConn()
	if err != nil {
		return nil
	}
	var result error
	_ = raw.Control(func(fd uintptr) {
		result = unix.Connect(int(fd), &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}})
	})
	return result
}

// useFolder does with the spool folder what the recorder does.
func useFolder(root *os.Root) error {
	f, err := root.OpenFile("a.tmp", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte("hello"), 0)
	err = errors.Join(err, f.Sync(), f.Truncate(4), f.Close(), root.Rename("a.tmp", "a"))
	list, e := fs.ReadDir(root.FS(), ".")
	err = errors.Join(err, e)
	if len(list) == 0 {
		err = errors.Join(err, errors.New("the folder looks empty"))
	}
	dir, e := root.Open(".")
	if e != nil {
		return errors.Join(err, e)
	}
	var st unix.Statfs_t
	return errors.Join(err, unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.Fstatfs(int(dir.Fd()), &st), dir.Sync(), dir.Close(), root.Remove("a"))
}

// useThreads makes the runtime start more of them.
func useThreads() error {
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			runtime.LockOSThread()
			time.Sleep(10 * time.Millisecond)
		})
	}
	wg.Wait()
	return nil
}

func lockIn(t *testing.T, mode Mode) finding {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	folder := filepath.Join(t.TempDir(), "spool")
	require.NoError(t, os.Mkdir(folder, 0o700))
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = []string{envFolder + "=" + folder, envMode + "=" + string(mode), envDial + "=" + l.Addr().String()}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var f finding
	require.NoError(t, json.Unmarshal(out, &f), "%s", out)
	return f
}

// TestLock needs a kernel that can do everything; with any other, Lock says what is missing.
func TestLock(t *testing.T) {
	f := lockIn(t, BestEffort)
	if f.Level != "full" {
		t.Skipf("this kernel offers level %q only", f.Level)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Results)) {
		switch err := f.Results[name]; {
		case len(name) > 3 && name[:3] == "ok:":
			require.Empty(t, err, name)
		default:
			require.Regexp(t, "operation not permitted|permission denied", err, name)
		}
	}
	require.Equal(t, "full", lockIn(t, Required).Level)
}

// TestOff proves that the attempts of TestLock are refused by the sandbox and not by something else.
func TestOff(t *testing.T) {
	f := lockIn(t, Off)
	require.Equal(t, "off", f.Level)
	for _, name := range []string{
		"read passwd", "read passwd, old thread", "read parent", "write elsewhere", "escape by link", "exec", "exec, old thread",
		"connect", "listen", "new socket", "connect media", "kill parent", "executable memory", "make memory executable",
	} {
		require.Empty(t, f.Results[name], name)
	}
}

func TestParseMode(t *testing.T) {
	for _, m := range []Mode{Off, BestEffort, Required} {
		got, err := ParseMode(string(m))
		require.NoError(t, err)
		require.Equal(t, m, got)
	}
	_, err := ParseMode("none")
	require.Error(t, err)
}
