package totp

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"image/png"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// The seed of RFC 6238's appendix B. Its codes have eight digits; an app shows the last six.
var rfcSeed = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte("12345678901234567890"))

func TestVectors(t *testing.T) {
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		step, err := Check(rfcSeed, code, time.Unix(at, 0), 0)
		require.NoError(t, err, at)
		require.Equal(t, at/30, step)
	}
}

func TestCheck(t *testing.T) {
	now := time.Unix(1234567890, 0) // 0 s into its step
	step := now.Unix() / 30
	code := func(offset time.Duration) string {
		c, err := totp.GenerateCode(rfcSeed, now.Add(offset))
		require.NoError(t, err)
		return c
	}
	for _, tc := range []struct {
		name, code string
		last, step int64
		err        error
	}{
		{"this step", code(0), 0, step, nil},
		{"with a space", code(0)[:3] + " " + code(0)[3:] + "\n", 0, step, nil},
		{"a clock half a minute behind", code(-30 * time.Second), 0, step - 1, nil},
		{"a clock half a minute ahead", code(30 * time.Second), 0, step + 1, nil},
		{"a minute behind", code(-60 * time.Second), 0, 0, ErrWrongCode},
		{"a minute ahead", code(60 * time.Second), 0, 0, ErrWrongCode},
		{"used", code(0), step, 0, ErrUsed},
		{"older than what was used", code(-30 * time.Second), step, 0, ErrUsed},
		{"newer than what was used", code(30 * time.Second), step, step + 1, nil},
		{"empty", "", 0, 0, ErrWrongCode},
		{"five digits", "00592", 0, 0, ErrWrongCode},
		{"letters", "abcdef", 0, 0, ErrWrongCode},
		{"other digits", "٠٠٥٩٢٤", 0, 0, ErrWrongCode},
		{"endless", strings.Repeat("0", 1<<16), 0, 0, ErrWrongCode},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Check(rfcSeed, tc.code, now, tc.last)
			require.ErrorIs(t, err, tc.err)
			require.Equal(t, tc.step, got)
		})
	}
}

func TestNewKey(t *testing.T) {
	k, err := NewKey("Vitrine (vitrine.test)", "alice@example.org")
	require.NoError(t, err)
	again, err := NewKey("Vitrine", "alice")
	require.NoError(t, err)
	require.NotEqual(t, k.Seed, again.Seed)
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(k.Seed)
	require.NoError(t, err)
	require.Len(t, raw, seedBytes)
	u, err := url.Parse(k.URL)
	require.NoError(t, err)
	require.Equal(t, "otpauth", u.Scheme)
	require.Equal(t, k.Seed, u.Query().Get("secret"))
	require.Equal(t, "Vitrine (vitrine.test)", u.Query().Get("issuer"))

	data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(k.QR, "data:image/png;base64,"))
	require.NoError(t, err)
	picture, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, qrSide, picture.Bounds().Dx())
}

func FuzzCheck(f *testing.F) {
	f.Add("005924", int64(1234567890), int64(0))
	f.Add(" 12 34 56 ", int64(-5), int64(1<<40))
	f.Add("", int64(0), int64(0))
	f.Fuzz(func(t *testing.T, code string, at, last int64) {
		step, err := Check(rfcSeed, code, time.Unix(at, 0), last)
		if err == nil && (step <= last || step < at/30-skew || step > at/30+skew) {
			t.Fatalf("step %d at %d after %d", step, at, last)
		}
	})
}
