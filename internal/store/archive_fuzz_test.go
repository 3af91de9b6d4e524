package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzArchive: whatever stands in a file, reading it ends without a panic, and in an error that says it is damaged or
// of another version, unless it is whole.
func FuzzArchive(f *testing.F) {
	path := filepath.Join(f.TempDir(), "v.db")
	s, err := Open(f.Context(), path)
	require.NoError(f, err)
	require.NoError(f, s.Users.Create(f.Context(), User{ID: "u", Name: "alice"}))
	require.NoError(f, s.Close())
	var b bytes.Buffer
	_, err = Backup(f.Context(), path, &b, "fuzz")
	require.NoError(f, err)
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()/2])
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		a, err := openArchive(bytes.NewReader(archive), int64(len(archive)))
		if err != nil {
			return
		}
		if err := a.verify(t.Context()); err != nil {
			require.True(t, errors.As(err, new(*DamagedError)), "%v", err)
		}
	})
}

// FuzzRow: what decodeRow takes, encodeRow writes so that it is taken as the same again.
func FuzzRow(f *testing.F) {
	for _, line := range []string{`[null,"a",1]`, `[{"b64":"AP8="},-9223372036854775808,1.5]`, `[[],{},true]`, `[1,2,1e400]`, `[1,2,3] 4`, `{}`} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		values, err := decodeRow(line, 3)
		if err != nil {
			return
		}
		var b bytes.Buffer
		require.NoError(t, encodeRow(json.NewEncoder(&b), append([]any(nil), values...)))
		again, err := decodeRow(b.Bytes(), 3)
		require.NoError(t, err)
		for i, v := range values {
			switch v := v.(type) {
			case string:
				values[i] = tidyText(v)
			case float64: // 1.0 is written as 1, which a column of either kind takes
				if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
					values[i] = int64(v)
				}
			}
		}
		require.Equal(t, values, again)
	})
}
