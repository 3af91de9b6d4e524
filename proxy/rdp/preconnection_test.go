package rdp

import (
	"bytes"
	"image"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

func TestPreconnection(t *testing.T) {
	for _, p := range []Preconnection{{ID: 7}, {ID: 0, Blob: "vm=Größe"}} {
		b := p.Append(nil)
		n, err := PreconnectionBytes([4]byte(b))
		require.NoError(t, err)
		require.Len(t, b, n)
		var got Preconnection
		require.NoError(t, got.Decode(b))
		require.Equal(t, p, got)
	}
	n, err := PreconnectionBytes([4]byte{3, 0, 0, 19})
	require.Zero(t, n)
	require.NoError(t, err)
	for name, b := range map[string]string{
		"too short": "\x0f\x00\x00\x00", "too long": "\x00\x00\x01\x00", "huge": "\xff\xff\xff\xff", "TPKT with a reserved byte": "\x03\x01\x00\x13",
	} {
		_, err := PreconnectionBytes([4]byte([]byte(b)))
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	for name, b := range map[string]string{
		"size":    "\x11\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00",
		"version": "\x10\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00",
		"blob":    "\x12\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\xff\xff",
	} {
		var p Preconnection
		require.ErrorIs(t, p.Decode([]byte(b)), wire.ErrMalformed, name)
	}
}

func FuzzPreconnection(f *testing.F) {
	f.Add((&Preconnection{ID: 7}).Append(nil))
	f.Add((&Preconnection{ID: 1, Blob: "vm=1"}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 || len(b) > MaxPreconnection {
			return
		}
		if _, err := PreconnectionBytes([4]byte(b)); err != nil {
			require.ErrorIs(t, err, wire.ErrMalformed)
		}
		var p, again Preconnection
		if err := p.Decode(b); err != nil {
			require.ErrorIs(t, err, wire.ErrMalformed)
			return
		}
		require.NoError(t, again.Decode(p.Append(nil)))
		require.Equal(t, p, again)
	})
}

// TestAreas reads what a client says of what it has lost and of what it shows.
func TestAreas(t *testing.T) {
	area := image.Rect(3, 4, 50, 60)
	got, err := DecodeRefreshRect(AppendRefreshRect(nil, area))
	require.NoError(t, err)
	require.Equal(t, []image.Rectangle{area}, got)
	allow, err := DecodeSuppressOutput(AppendSuppressOutput(nil, area))
	require.NoError(t, err)
	require.True(t, allow)
	allow, err = DecodeSuppressOutput([]byte{0, 0, 0, 0})
	require.NoError(t, err)
	require.False(t, allow)
	for name, b := range map[string][]byte{
		"nothing": nil, "count of 255": {255, 0, 0, 0, 1, 0}, "upside down": {1, 0, 0, 0, 9, 0, 9, 0, 1, 0, 1, 0},
	} {
		_, err := DecodeRefreshRect(b)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
}

func FuzzAreas(f *testing.F) {
	f.Add(AppendRefreshRect(nil, image.Rect(3, 4, 50, 60)))
	f.Add(bytes.Repeat([]byte{255}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		if areas, err := DecodeRefreshRect(b); err != nil {
			require.ErrorIs(t, err, wire.ErrMalformed)
		} else {
			for _, a := range areas {
				require.False(t, a.Empty())
			}
		}
		if _, err := DecodeSuppressOutput(b); err != nil {
			require.ErrorIs(t, err, wire.ErrMalformed)
		}
	})
}
