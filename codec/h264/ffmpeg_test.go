package h264

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// tool returns the path of ffmpeg or ffprobe. Without it the test is skipped, except in CI.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed in CI: %v", name, err)
		}
		t.Skipf("NOT TESTED: %s is not installed", name)
	}
	return path
}

// run feeds the stream to a tool and returns what it prints.
func run(t *testing.T, stream []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, name), append([]string{"-v", "error"}, args...)...)
	cmd.Stdin = bytes.NewReader(stream)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Fatalf("%s %v: %v: %s", name, args, err, errs.Bytes())
	}
	return out.Bytes()
}

// decode returns the pictures of a stream in the given pixel format, each of size bytes.
func decode(t *testing.T, stream []byte, format string, size int) [][]byte {
	t.Helper()
	out := run(t, stream, "ffmpeg", "-f", "h264", "-i", "pipe:0", "-fps_mode", "passthrough",
		"-sws_flags", "accurate_rnd+full_chroma_int+full_chroma_inp", "-f", "rawvideo", "-pix_fmt", format, "pipe:1")
	if len(out)%size != 0 {
		t.Fatalf("decoded %d bytes, no multiple of %d", len(out), size)
	}
	var pictures [][]byte
	for ; len(out) > 0; out = out[size:] {
		pictures = append(pictures, out[:size])
	}
	return pictures
}

// probe returns what ffprobe says about the stream.
func probe(t *testing.T, stream []byte) map[string]any {
	t.Helper()
	out := run(t, stream, "ffprobe", "-f", "h264", "-show_streams", "-of", "json", "pipe:0")
	var v struct{ Streams []map[string]any }
	if err := json.Unmarshal(out, &v); err != nil || len(v.Streams) != 1 {
		t.Fatalf("%d streams, %v: %s", len(v.Streams), err, out)
	}
	return v.Streams[0]
}
