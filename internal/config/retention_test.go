package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRetention(t *testing.T) {
	const minio = "store: {type: minio, endpoint: 'h:9000', bucket: b, access_key: a, secret_key: s}"
	for text, want := range map[string]time.Duration{
		"365d": 365 * 24 * time.Hour, "12h": 12 * time.Hour, "0": 0, `""`: 0, "90m": 90 * time.Minute, "36500d": MaxRetention,
	} {
		c, err := Parse([]byte("recording: {retention: "+text+"}"), "", nil)
		require.NoError(t, err, text)
		require.Equal(t, want, time.Duration(c.Recording.Retention), text)
		var out strings.Builder
		require.NoError(t, c.Print(&out))
		again, err := Parse([]byte(out.String()), "", nil)
		require.NoError(t, err)
		require.Equal(t, c.Recording.Retention, again.Recording.Retention, "as it is printed")
	}
	for _, text := range []string{"1", "1y", "-3d", "1.5d", "0d", "59s", "36501d", "99999d", "100000000h"} {
		_, err := Parse([]byte("recording: {retention: "+text+"}"), "", nil)
		require.ErrorContains(t, err, "retention", text)
	}
	c, err := Parse([]byte("recording: {retention: 30d, object_lock: {mode: compliance}, "+minio+"}"), "", nil)
	require.NoError(t, err)
	require.Equal(t, LockCompliance, c.Recording.ObjectLock.Mode)
	for text, want := range map[string]string{
		"retention: 1d, object_lock: {mode: firmly}, " + minio: "recording.object_lock.mode",
		"object_lock: {mode: governance}, " + minio:            "recording.retention: is needed",
		"retention: 1d, object_lock: {mode: governance}":       "needs the store minio",
	} {
		_, err := Parse([]byte("recording: {"+text+"}"), "", nil)
		require.ErrorContains(t, err, want, text)
	}
}
