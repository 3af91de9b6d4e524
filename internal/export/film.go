package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/review"
)

// ErrNoFFmpeg says that a film cannot be made as wanted, because the program that does it is not there.
var ErrNoFFmpeg = errors.New("export: ffmpeg is not installed")

// filmRate is the frames a second of a picture that something is burnt into; others keep the pictures that were recorded.
const filmRate = 15

// maxStderr bounds what is kept of ffmpeg's complaints, in bytes.
const maxStderr = 4 << 10

// Film is how a recording becomes one MP4.
type Film struct {
	BurnTime   bool `json:"burn_time,omitempty"`   // the wall-clock time is drawn into the picture
	BurnEvents bool `json:"burn_events,omitempty"` // so are lines typed, the clipboard, alerts
	Subtitles  bool `json:"subtitles,omitempty"`   // the same as a track of text that players show or not
	OneSize    bool `json:"one_size,omitempty"`    // all pictures get the largest size there was, for players that cannot change it
}

// plain tells whether the recorded pictures stay as they are.
func (f Film) plain() bool { return f == Film{} }

// encodes tells whether pictures are decoded and encoded again.
func (f Film) encodes() bool { return f.BurnTime || f.BurnEvents || f.OneSize }

// film is one recording on its way to a file.
type film struct {
	Film
	work
	rec      *recording.Recording
	session  recording.SessionInfo
	texts    []review.Text
	ffmpeg   string
	part     time.Duration // least length of what is encoded at a time
	noteEach int64         // bytes copied between two notes
	progress func(done float64)
	kept     func(what string, n, all int) // told what an earlier life has done
}

// Names of work files. They are in the job's own folder.
const (
	sourceName = "source.mp4"
	partSource = "part.mp4"   // what a part is encoded of
	makingName = "part-*.new" // what it is encoded to: another one in each life
	listName   = "parts.txt"  // the parts, for ffmpeg
	assName    = "burn.ass"
	vttName    = "captions.vtt"
	resultName = "result"

	copiedNote = "copied.json" // recording.ExportState
	partsNote  = "parts.json"  // []filmPart
)

func partName(i int) string { return fmt.Sprintf("part-%06d.mp4", i) }

// write writes the result. Without anything to draw it is the pictures as recorded; else another program, with the lowest
// priority, makes it of those.
func (f *film) write(ctx context.Context) error {
	x, err := f.rec.Export(ctx)
	if err != nil {
		return err
	}
	if f.plain() {
		return f.copy(ctx, x, resultName, 0, 1)
	}
	program, err := exec.LookPath(f.ffmpeg)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoFFmpeg, err)
	}
	start, end := x.Span()
	list := captions(f.texts, start, end)
	var in []string
	if f.encodes() {
		if in, err = f.encode(ctx, program, x, list); err != nil {
			return err
		}
	} else {
		if err := f.copy(ctx, x, sourceName, 0, 0.9); err != nil {
			return err
		}
		in = []string{"-f", "mp4", "-i", sourceName}
	}
	return f.join(ctx, program, in, list)
}

// copy writes the pictures as they were recorded, and notes from time to time how far it is.
func (f *film) copy(ctx context.Context, x *recording.Export, name string, from, to float64) error {
	all, _, _ := x.Segments()
	var state recording.ExportState
	if f.read(copiedNote, &state) {
		info, err := os.Stat(f.path(name))
		if err != nil || info.Size() < int64(state.Movie.Offset) || x.Resume(state) != nil {
			if err := f.remove(copiedNote, name); err != nil {
				return err
			}
			if x, err = f.rec.Export(ctx); err != nil {
				return err
			}
			state = recording.ExportState{}
		}
	}
	if state.Segments > 0 {
		f.kept("segments", state.Segments, all)
	}
	file, err := openKept(f.path(name), int64(state.Movie.Offset))
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	noted := int64(state.Movie.Offset)
	x.After = func(done int) error {
		f.progress(from + (to-from)*float64(done)/float64(all))
		at := int64(x.Written())
		if at-noted < f.noteEach {
			return nil
		}
		noted = at
		if err := errors.Join(w.Flush(), file.Sync()); err != nil {
			return err
		}
		return f.note(copiedNote, x.State(done))
	}
	err = x.Write(ctx, w)
	if err := errors.Join(err, w.Flush(), file.Sync(), file.Close()); err != nil || name != resultName {
		return err
	}
	return f.remove(copiedNote)
}

// filmPart is a part that is encoded.
type filmPart struct {
	First, Last string // segments
	Bytes       int64
}

// encode encodes the recording part by part, each from a picture on that needs none before it and of one size, and keeps what is done. It
// returns the arguments that make one film of the parts.
func (f *film) encode(ctx context.Context, program string, x *recording.Export, list []caption) ([]string, error) {
	parts, err := x.Split(f.part)
	if err != nil {
		return nil, err
	}
	var done []filmPart
	f.read(partsNote, &done)
	start, end := x.Span()
	var text strings.Builder
	text.WriteString("ffconcat version 1.0\n")
	kept := 0
	for i, part := range parts {
		from, until := part.Span()
		if i+1 < len(parts) {
			until, _ = parts[i+1].Span() // no gap but one a power cut has left
		}
		p := filmPart{}
		_, p.First, p.Last = part.Segments()
		if i < len(done) && f.has(i, done[i]) && done[i].First == p.First && done[i].Last == p.Last {
			kept++
		} else {
			if i == kept && kept > 0 {
				f.kept("parts", kept, len(parts))
			}
			done = done[:min(i, len(done))]
			begun := func(of float64) {
				f.progress(0.95 * (float64(from-start) + of*float64(until-from)) / float64(max(end-start, 1)))
			}
			if p.Bytes, err = f.encodePart(ctx, program, part, i, until-from, within(list, from-start, until-start), begun); err != nil {
				return nil, err
			}
			done = append(done, p)
			if err := f.note(partsNote, done); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(&text, "file %s\nduration %s\n", partName(i), seconds(until-from))
	}
	if kept == len(parts) {
		f.kept("parts", kept, len(parts))
	}
	if err := os.WriteFile(f.path(listName), []byte(text.String()), 0o600); err != nil {
		return nil, err
	}
	return []string{"-f", "concat", "-i", listName}, nil
}

// has tells whether a part is there as it was noted.
func (f *film) has(i int, p filmPart) bool {
	info, err := os.Stat(f.path(partName(i)))
	return err == nil && info.Size() == p.Bytes
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }

// encodePart encodes one part, which lasts for length, with the captions on its own clock.
func (f *film) encodePart(ctx context.Context, program string, part *recording.Export, i int, length time.Duration, list []caption, progress func(float64)) (int64, error) {
	if err := writeFile(f.path(partSource), func(file *os.File) error {
		w := bufio.NewWriterSize(file, 1<<20)
		return errors.Join(part.Write(ctx, w), w.Flush())
	}); err != nil {
		return 0, err
	}
	width, height := part.Size()
	width, height = (width+1)&^1, (height+1)&^1
	filters := []string{
		fmt.Sprintf("scale=w=%d:h=%d:force_original_aspect_ratio=decrease:in_range=pc:out_range=pc", width, height),
		fmt.Sprintf("pad=w=%d:h=%d:x=(ow-iw)/2:y=(oh-ih)/2", width, height), "setsar=1",
	}
	if f.BurnTime || f.BurnEvents {
		if !f.BurnEvents {
			list = nil
		}
		start, _ := part.Span()
		script := ass(width, height, f.session.StartedAt.Add(start), length, f.BurnTime, list)
		if err := os.WriteFile(f.path(assName), []byte(script), 0o600); err != nil {
			return 0, err
		}
		// The last picture stands until the next part begins.
		filters = append(filters, "fps="+strconv.Itoa(filmRate), "tpad=stop=-1:stop_mode=clone", "ass="+assName)
	}
	making, err := os.CreateTemp(f.folder, makingName)
	if err != nil {
		return 0, err
	}
	if err := making.Close(); err != nil {
		return 0, err
	}
	name := filepath.Base(making.Name())
	// Without B-frames the parts follow each other without overlapping.
	args := []string{
		"-f", "mp4", "-i", partSource, "-vf", strings.Join(append(filters, "format=yuv420p"), ","), "-fps_mode", "vfr",
		"-t", seconds(length), "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-bf", "0", "-video_track_timescale", "90000",
		"-color_range", "pc", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-f", "mp4", "-y", name,
	}
	if err := f.run(ctx, program, args, length, progress); err != nil {
		return 0, err
	}
	file, err := os.OpenFile(f.path(name), os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err := errors.Join(err, file.Sync(), file.Close(), f.remove(partSource)); err != nil {
		return 0, err
	}
	return info.Size(), f.rename(name, partName(i))
}

// join makes the result of the pictures in, which stay as they are, and a track of text.
func (f *film) join(ctx context.Context, program string, in []string, list []caption) error {
	args := in
	if f.Subtitles {
		if err := os.WriteFile(f.path(vttName), []byte(webVTT(list)), 0o600); err != nil {
			return err
		}
		args = append(args, "-f", "webvtt", "-i", vttName, "-map", "0:v:0", "-map", "1:s:0", "-c:s", "mov_text")
	}
	args = append(args, "-c:v", "copy", "-movflags", "+faststart", "-f", "mp4", "-y", resultName)
	if err := f.run(ctx, program, args, 0, func(float64) {}); err != nil {
		return err
	}
	left, err := os.ReadDir(f.folder)
	if err != nil {
		return err
	}
	for _, e := range left {
		if e.Name() != resultName {
			if err := f.remove(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// run runs ffmpeg in the folder of work files, which its arguments name without any path, and follows how far it is.
func (f *film) run(ctx context.Context, program string, args []string, length time.Duration, progress func(float64)) error {
	args = append([]string{"-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "file,pipe", "-progress", "pipe:1"}, args...)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = f.folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.folder, "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it works for nobody when the gateway is killed
	complaints := &tail{}
	cmd.Stderr = complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("export: ffmpeg: %w", err)
	}
	_ = unix.Setpriority(unix.PRIO_PROCESS, cmd.Process.Pid, 19) // sessions come first; where that is refused it still works
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if us, ok := strings.CutPrefix(lines.Text(), "out_time_us="); ok && length > 0 {
			if n, err := strconv.ParseInt(us, 10, 64); err == nil {
				progress(min(max(float64(n)*1e3/float64(length), 0), 1))
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("export: ffmpeg: %w: %s", err, complaints)
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > maxStderr {
		t.b = t.b[len(t.b)-maxStderr:]
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.b)) }
