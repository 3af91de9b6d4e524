package sensitive

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// FuzzUnquote: what it reads is what encoding/json reads, and so is what it refuses.
func FuzzUnquote(f *testing.F) {
	for _, s := range []string{
		`"plain"`, `""`, `"a\"b\\c\/d\b\f\n\r\t"`, `"ä€😀"`, `"\u00e4\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"\ude00"`,
		`"`, `"a`, `a"`, `"a"b"`, `"\"`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"a\nb\"", "\"\xff\"", `null`, `1`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var want string
		err := json.Unmarshal(b, &want)
		got, mine := Unquote(b)
		if trimmed := bytes.TrimSpace(b); err == nil && (len(trimmed) != len(b) || string(b) == "null") {
			return // a value comes without blanks around it, and null is no text here
		}
		require.Equal(t, err == nil, mine == nil, "%q: %v and %v", b, err, mine)
		if err == nil {
			require.Equal(t, want, string(got))
		}
	})
}

func TestBuffer(t *testing.T) {
	text := strings.Repeat("0123456789", 1000)
	for _, limit := range []int{0, 1, 511, 512, 513, 9999, 10000, 10001} {
		for name, fill := range map[string]func(*Buffer){
			"write": func(c *Buffer) {
				for _, part := range strings.SplitAfter(text, "9") {
					_, err := c.Write([]byte(part))
					require.NoError(t, err)
				}
			},
			"read": func(c *Buffer) {
				n, err := c.ReadFrom(iotest.HalfReader(strings.NewReader(text)))
				require.NoError(t, err)
				require.Equal(t, int64(len(text)), n)
			},
			"copy": func(c *Buffer) {
				_, err := io.Copy(c, struct{ io.Reader }{strings.NewReader(text)})
				require.NoError(t, err)
			},
		} {
			c := NewBuffer(limit)
			fill(c)
			require.Equal(t, text[:min(limit, len(text))], string(c.b), "%s, limit %d", name, limit)
			require.Equal(t, len(text) > limit, c.over)
			c.Wipe()
			require.Equal(t, make([]byte, cap(c.b)), c.b[:cap(c.b)])
		}
	}
	_, err := NewBuffer(5).ReadFrom(iotest.ErrReader(io.ErrUnexpectedEOF))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
