package ocr

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/sys/unix"

	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
)

// The test binary is its own helper, and a tesseract that misbehaves: a helper's program is the binary itself, told by its name.
func TestMain(m *testing.M) {
	if how, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "tesseract-"); ok {
		os.Exit(misbehave(how))
	}
	if len(os.Args) > 1 && os.Args[1] == "ocr" {
		os.Exit(helperMain(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// envDeaf makes a helper one that misbehaves itself.
const envDeaf = "VITRINE_TEST_OCR_HELPER"

func helperMain(args []string) int {
	options := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		options[args[i]] = args[i+1]
	}
	switch how := os.Getenv(envDeaf); how {
	case "":
	case "exit":
		fmt.Fprintln(os.Stderr, "no such thing")
		return 3
	case "silent":
		select {}
	default: // says hello, reads a request, and then
		_ = writeFrame(os.Stdout, hello{Sandbox: "off"})
		if _, err := readRequest(os.Stdin); err != nil {
			return 0
		}
		switch how {
		case "hang":
			select {}
		case "crash":
			panic("a decoder that was taken over")
		case "lie":
			_ = writeFrame(os.Stdout, answer{Lines: []wireLine{{Picture: 7, Text: "x"}}})
		case "flood":
			_, _ = io.Copy(os.Stdout, strings.NewReader(strings.Repeat("\xff", 64<<20)))
		}
		select {}
	}
	timeout, err := time.ParseDuration(options["--timeout"])
	nice, e := strconv.Atoi(options["--nice"])
	if err = errors.Join(err, e); err == nil {
		err = Main(context.Background(), HelperOptions{
			Program: options["--program"], Languages: strings.Split(options["--languages"], ","), Timeout: timeout,
			Nice: nice, Sandbox: sandbox.Mode(options["--sandbox"]), In: os.Stdin, Out: os.Stdout,
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// misbehave is a tesseract that has the data it is asked for and then does something else than reading.
func misbehave(how string) int {
	if len(os.Args) > 1 && os.Args[1] == "--list-langs" {
		fmt.Println("List of available languages (1):\neng")
		return 0
	}
	switch how {
	case "sleeps":
		select {}
	case "crashes":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {}
	case "complains":
		fmt.Fprintln(os.Stderr, "Error opening data file\x1b[31m")
		return 1
	case "floods":
		_, _ = io.Copy(os.Stdout, strings.NewReader(strings.Repeat("5\t1\t1\t1\t1\t1\t0\t0\t9\t9\t90\tword\n", 1<<20)))
	case "babbles":
		fmt.Print("level\tpage_num\nthis is no TSV\n")
	case "looks": // what it can reach, as a line of text
		_, _ = io.Copy(io.Discard, os.Stdin)
		var can []string
		try := func(what string, err error) {
			if err == nil {
				can = append(can, what)
			}
		}
		_, err := os.ReadFile("/etc/passwd")
		try("passwd", err)
		try("write", os.WriteFile(filepath.Join(os.TempDir(), "vitrine-ocr-test"), nil, 0o600))
		_, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		try("socket", err)
		try("parent", unix.Kill(os.Getppid(), 0)) // the helper is inside
		_, err = os.ReadDir("/proc")
		try("proc", err)
		nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 - nice
		try("nice"+strconv.Itoa(20-nice), err)
		var most unix.Rlimit
		try("memory", unix.Getrlimit(unix.RLIMIT_AS, &most))
		can = append(can, strconv.FormatUint(most.Max, 10))
		fmt.Printf("5\t1\t1\t1\t1\t1\t20\t20\t40\t20\t90\t%s\n", strings.Join(can, ","))
	}
	return 0
}

// acting returns the path of a tesseract that misbehaves.
func acting(t *testing.T, how string) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "tesseract-"+how)
	require.NoError(t, os.Link(self, path))
	return path
}

func service(t *testing.T, change func(*Options)) *Service {
	t.Helper()
	o := Options{Program: "tesseract", Languages: []string{"eng"}, Timeout: time.Minute, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// tesseractHere skips the test where tesseract is not installed, and fails it in CI.
func tesseractHere(t testing.TB) {
	t.Helper()
	if _, err := Look(context.Background(), "tesseract", []string{"eng"}); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED: %v", err)
	}
}

// written is lines of text as a screen shows them.
func written(t testing.TB, ink, ground uint8, lines ...string) Picture {
	t.Helper()
	parsed, err := opentype.Parse(gomono.TTF)
	require.NoError(t, err)
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: 13, DPI: 72})
	require.NoError(t, err)
	defer face.Close()
	width := 0
	for _, l := range lines {
		width = max(width, font.MeasureString(face, l).Ceil())
	}
	img := image.NewGray(image.Rect(0, 0, width+8, 18*len(lines)+6))
	for i := range img.Pix {
		img.Pix[i] = ground
	}
	d := font.Drawer{Dst: img, Src: image.NewUniform(color.Gray{ink}), Face: face}
	for i, l := range lines {
		d.Dot = fixed.P(4, 18*i+16)
		d.DrawString(l)
	}
	return Picture{Width: img.Rect.Dx(), Height: img.Rect.Dy(), Grey: img.Pix}
}

func texts(lines []Line) (out []string) {
	for _, l := range lines {
		out = append(out, l.Text)
	}
	return out
}

// TestRead reads what is dark on light, light on dark and faint, several pictures at once, by the real program in the whole sandbox.
func TestRead(t *testing.T) {
	tesseractHere(t)
	s := service(t, nil)
	require.NoError(t, s.Ready(t.Context()))
	plain := Picture{Width: 50, Height: 20, Grey: make([]byte, 1000)}
	pictures := []Picture{
		written(t, 0, 255, "The quick brown fox jumps over", "the lazy dog in /etc/shadow"), plain,
		written(t, 220, 20, "Administrator: Windows PowerShell"), written(t, 130, 190, "Access is denied"),
	}
	lines, err := s.Read(t.Context(), pictures)
	require.NoError(t, err)
	require.Equal(t, []string{
		"The quick brown fox jumps over", "the lazy dog in /etc/shadow", "Administrator: Windows PowerShell", "Access is denied",
	}, texts(lines))
	require.Equal(t, []int{0, 0, 2, 3}, []int{lines[0].Picture, lines[1].Picture, lines[2].Picture, lines[3].Picture})
	require.True(t, lines[1].Box.In(image.Rect(0, 18, pictures[0].Width, pictures[0].Height)), "%v", lines[1].Box)
	require.Less(t, lines[0].Box.Max.Y, 22)
	lines, err = s.Read(t.Context(), []Picture{plain})
	require.NoError(t, err)
	require.Empty(t, lines)
	require.Equal(t, int64(2), s.Stats().Requests)
}

// TestSandbox asks from within what a tesseract that was taken over could do.
func TestSandbox(t *testing.T) {
	s := service(t, func(o *Options) { o.Program, o.Sandbox, o.Nice = acting(t, "looks"), sandbox.Required, 19 })
	lines, err := s.Read(t.Context(), []Picture{written(t, 0, 255, "x y z")})
	if err != nil && strings.Contains(err.Error(), sandbox.ErrUnavailable.Error()) {
		t.Skipf("this kernel does not offer all of it: %v", err)
	}
	require.NoError(t, err)
	require.Equal(t, []string{"parent,nice19,memory," + strconv.Itoa(maxMemory)}, texts(lines))
	s = service(t, func(o *Options) { o.Program, o.Sandbox = acting(t, "looks"), sandbox.Off })
	lines, err = s.Read(t.Context(), []Picture{written(t, 0, 255, "x y z")})
	require.NoError(t, err)
	require.Contains(t, lines[0].Text, "passwd,write,socket,parent,proc,", "it is the sandbox that stops it")
	_ = os.Remove(filepath.Join(os.TempDir(), "vitrine-ocr-test"))
}

// TestFailingProgram: a program that hangs, crashes, floods or talks nonsense costs one answer and neither the helper nor others.
func TestFailingProgram(t *testing.T) {
	for how, want := range map[string]struct {
		err  error
		says string
	}{
		"sleeps": {ErrTimeout, "not within 300ms"}, "crashes": {ErrFailed, "signal: killed"}, "complains": {ErrFailed, "exit status 1: Error opening data file [31m"},
		"floods": {ErrFailed, ""}, "babbles": {ErrFailed, "no TSV"},
	} {
		t.Run(how, func(t *testing.T) {
			s := service(t, func(o *Options) {
				o.Program = acting(t, how)
				if how == "sleeps" {
					o.Timeout = 300 * time.Millisecond
				}
			})
			var pid int
			for range 2 {
				_, err := s.Read(t.Context(), []Picture{written(t, 0, 255, "x y z")})
				require.ErrorIs(t, err, want.err)
				require.ErrorContains(t, err, want.says)
				require.Empty(t, grandchildren(t, pid), "a program is left")
				own := <-s.slots
				require.NotNil(t, own.helper, "the helper is none the worse for it")
				if pid != 0 {
					require.Equal(t, pid, own.helper.cmd.Process.Pid)
				}
				pid = own.helper.cmd.Process.Pid
				s.slots <- own
			}
			require.Equal(t, int64(2), s.Stats().Failures)
		})
	}
}

// TestFailingHelper: a helper that hangs, dies or lies is killed, and the next one started only after a while.
func TestFailingHelper(t *testing.T) {
	for how, want := range map[string]error{
		"exit": ErrUnavailable, "crash": ErrFailed, "lie": ErrFailed, "flood": ErrFailed,
	} {
		t.Run(how, func(t *testing.T) {
			s := service(t, func(o *Options) { o.Program, o.Env = acting(t, "sleeps"), []string{envDeaf + "=" + how} })
			_, err := s.Read(t.Context(), []Picture{written(t, 0, 255, "x y z")})
			require.ErrorIs(t, err, want)
			if how == "exit" {
				require.ErrorContains(t, err, "no such thing")
			}
			_, err = s.Read(t.Context(), []Picture{written(t, 0, 255, "x y z")})
			require.ErrorIs(t, err, ErrUnavailable)
			require.Empty(t, grandchildren(t, os.Getpid()))
			own := <-s.slots
			require.Equal(t, firstPause, own.pause)
			own.rest()
			require.Equal(t, 2*firstPause, own.pause)
			own.notBefore = time.Time{}
			s.opts.Env = nil
			s.slots <- own
			s.opts.Timeout = 100 * time.Millisecond
			_, err = s.Read(t.Context(), []Picture{written(t, 0, 255, "x y z")})
			require.ErrorIs(t, err, ErrTimeout, "a good helper takes its place")
		})
	}
}

// TestCancel: who asks goes away while the helper hangs, or while another's pictures are read.
func TestCancel(t *testing.T) {
	for _, how := range []string{"hang", "silent"} {
		s := service(t, func(o *Options) { o.Program, o.Env = acting(t, "sleeps"), []string{envDeaf + "=" + how} })
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				_, err := s.Read(ctx, []Picture{written(t, 0, 255, "x y z")})
				if err == nil || ctx.Err() == nil {
					t.Errorf("got %v", err)
				}
			})
		}
		require.Eventually(t, func() bool { return len(grandchildren(t, os.Getpid())) == 1 }, time.Minute, 5*time.Millisecond)
		cancel()
		all.Wait()
		require.Empty(t, grandchildren(t, os.Getpid()))
	}
}

// TestClose ends helpers, also one that died unnoticed.
func TestClose(t *testing.T) {
	s := service(t, func(o *Options) { o.Program = acting(t, "babbles") })
	read := func() error {
		_, err := s.Read(t.Context(), []Picture{written(t, 0, 255, "x y z")})
		return err
	}
	require.ErrorContains(t, read(), "no TSV")
	own := <-s.slots
	first := own.helper.cmd.Process.Pid
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	require.Eventually(t, own.helper.gone, 10*time.Second, time.Millisecond)
	s.slots <- own
	require.ErrorContains(t, read(), "no TSV", "a new helper took its place at once")
	s.Close()
	require.Empty(t, grandchildren(t, os.Getpid()))
	require.ErrorIs(t, read(), errClosed)
}

// TestOneAtATime: who waits is served in order.
func TestOneAtATime(t *testing.T) {
	s := service(t, func(o *Options) { o.Program = acting(t, "babbles") })
	own := <-s.slots
	order := make(chan int, 3)
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			_, err := s.Read(t.Context(), []Picture{written(t, 0, 255, "x y z")})
			order <- i
			if err == nil {
				t.Error("read nonsense")
			}
		})
		time.Sleep(20 * time.Millisecond) // until it waits: nothing tells
	}
	s.slots <- own
	all.Wait()
	require.Equal(t, []int{0, 1, 2}, []int{<-order, <-order, <-order})
}

func TestLook(t *testing.T) {
	_, err := Look(t.Context(), "no-such-program-anywhere", []string{"eng"})
	require.ErrorIs(t, err, ErrMissing)
	path := acting(t, "sleeps")
	got, err := Look(t.Context(), path, []string{"eng"})
	require.NoError(t, err)
	require.Equal(t, path, got)
	_, err = Look(t.Context(), path, []string{"eng", "deu"})
	require.ErrorIs(t, err, ErrMissing)
	require.ErrorContains(t, err, `"deu"`)
	s := service(t, func(o *Options) { o.Program = "no-such-program-anywhere" })
	require.ErrorIs(t, s.Ready(t.Context()), ErrMissing)
	_, err = s.Read(t.Context(), []Picture{written(t, 0, 255, "x")})
	require.ErrorIs(t, err, ErrMissing)
	s.opts.Program, s.looked = path, time.Time{}
	require.NoError(t, s.Ready(t.Context()), "it may be installed meanwhile")
}

// childrenTime is what processes used that this one has started and that have ended.
func childrenTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// grandchildren lists the living processes a process has started.
func grandchildren(t *testing.T, pid int) []string {
	t.Helper()
	if pid == 0 {
		return nil
	}
	tasks, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	require.NoError(t, err)
	var all []string
	for _, task := range tasks {
		if b, err := os.ReadFile(task); err == nil {
			all = append(all, strings.Fields(string(b))...)
		}
	}
	return all
}
